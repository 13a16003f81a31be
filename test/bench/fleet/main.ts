/**
 * `npm run bench:fleet [-- --agents 3000,10000 --minutes 5 --broker aedes,mosquitto --herd 5000]`: simulated agents with real MQTT
 * connections on a real broker and one reconciler. First all come up, then there is a window of plain work (heartbeats, and a
 * deployment each second), then a herd of connections is cut and comes back. One column per fleet. `--keep` keeps the folder of the
 * reconciler, `--profile` puts a profile of it there.
 */
import { readFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import type { BrokerName } from './cluster.ts';
import { type FleetResult, runFleet } from './run.ts';
import { fleetJson, fleetTable } from './table.ts';

const { values } = parseArgs({
  options: {
    agents: { type: 'string', default: '3000,10000' },
    minutes: { type: 'string', default: '5' },
    broker: { type: 'string', default: 'aedes' },
    herd: { type: 'string', default: '5000' },
    keep: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
  },
});
const sizes = values.agents.split(',').map(Number);
const brokers = values.broker.split(',') as BrokerName[];
const [minutes, herd] = [Number(values.minutes), Number(values.herd)];
const { keep, profile } = values;
const narrate = (text: string): void => void process.stderr.write(`${text}\n`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
await checkFiles(Math.max(...sizes));
const results: FleetResult[] = [];
for (const broker of brokers) {
  for (const agents of sizes) {
    try {
      results.push(await runFleet({ agents, broker, minutes, herd, keep: keep || profile, profile, narrate }));
      narrate(fleetTable(results));
    } catch (error) {
      // The other columns are worth having all the same.
      narrate(`${agents} agents, ${broker}: no result: ${error instanceof Error ? error.message : String(error)}`);
      process.exitCode = 1;
    }
  }
}
const load = loadavg()
  .map((value) => value.toFixed(1))
  .join(' ');
process.stdout.write(`Node ${process.versions.node}, ${cpus().length} cores, load at the end ${load}\n\n`);
process.stdout.write(`${fleetTable(results)}\n${fleetJson(results)}`);
process.exit();

/** The broker has a file for each connection. Node raises the soft limit by itself; the hard one is for the machine's owner. */
async function checkFiles(agents: number): Promise<void> {
  const limits = await readFile('/proc/self/limits', 'utf8');
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1] ?? 'unlimited';
  const needed = agents + 1_000;
  if (hard === 'unlimited' || Number(hard) >= needed) return;
  narrate(`${agents} connections need ${needed} open files, and this shell allows ${hard}: ulimit -n ${needed}`);
  process.exit(1);
}
