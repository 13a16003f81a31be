/**
 * `npm run bench:failover [-- --runs 3 --only lan-kill,crash]`: three hosts with an engine and an agent each, ten replicas, and a host
 * that dies, or loses its link and comes back; beside Docker Swarm on the same engines, as it comes and tuned. And what else is
 * measured in single containers: a crash, a rolling update, removal, a start without a registry. One markdown table of medians on
 * stdout, narration on stderr. Needs root and a dockerd; engines, namespaces and folders are its own, and are removed, also those of
 * an earlier run that could not. Exit code 0 whatever the figures are, 1 when something could not be measured.
 */
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { createHosts } from '../../support/hosts.ts';
import { ownAddresses } from '../../support/machine.ts';
import { mayOwnEngine } from '../../support/own-engine.ts';
import { keepLogs, markOf, removeEarlier, removeTraces } from '../../support/switched-hosts.ts';
import { equipment } from './equipment.ts';
import { measurements } from './measure.ts';
import { failoverTable } from './rows.ts';
import { createSite, type Site } from './site.ts';

const { values } = parseArgs({ options: { runs: { type: 'string', default: '3' }, only: { type: 'string' } } });
const names = Object.keys(measurements);
const wanted = values.only?.split(',') ?? [''];
const chosen = names.filter((name) => wanted.some((start) => name.startsWith(start)));
const mark = markOf(process.pid);
const samples: Record<string, number[]> = {};
let removal: Promise<void> | undefined;

if (!mayOwnEngine) end('needs root, and dockerd, containerd, nsenter and ip on this machine');
if (chosen.length === 0) end(`--only takes ${names.join(', ')}, or how they begin`);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    narrate(`${signal}: everything is removed`);
    void remove().finally(() => process.exit(1));
  });
}
const before = load();
try {
  for (const earlier of await removeEarlier()) narrate(`removed what ${earlier} had left`);
  const site = createSite(mark, await createHosts(mark, await ownAddresses(), 3, equipment));
  for (let run = 1; run <= Number(values.runs); run += 1) for (const name of chosen) await measure(site, name, run);
  const about = `Node ${process.versions.node}, ${cpus().length} cores, ${values.runs} runs`;
  process.stdout.write(`${about}, load ${before} before, ${load()} after\n\n${failoverTable(samples)}`);
} finally {
  await remove();
}
process.exit();

async function measure(site: Site, name: string, run: number): Promise<void> {
  const note = (series: string, ms: number): void => {
    samples[series] = [...(samples[series] ?? []), ms];
    narrate(`run ${run}, ${series}: ${(ms / 1000).toFixed(2)} s`);
  };
  try {
    await measurements[name]?.(site, note);
  } catch (error) {
    if (removal) throw error;
    narrate(`run ${run}, ${name}: no result: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}

function remove(): Promise<void> {
  const kept = process.env['OAKCTL_TEST_LOGS'];
  removal ??= (kept ? keepLogs(mark, kept) : Promise.resolve()).then(() => removeTraces(mark));
  return removal;
}

function load(): string {
  return loadavg()
    .map((value) => value.toFixed(1))
    .join(' ');
}

function narrate(text: string): void {
  process.stderr.write(`${text}\n`);
}

function end(why: string): never {
  narrate(why);
  process.exit(1);
}
