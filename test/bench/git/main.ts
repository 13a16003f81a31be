/**
 * `npm run bench:git [-- --megabytes 200 --descriptors 1000 --rounds 20]`: what a repository costs. Polls and the first sync go to a
 * `git http-backend` on this machine, pushes by webhook to a reconciler of the shipped program with 20 simulated agents. One markdown table on stdout,
 * narration on stderr.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { serveGit } from '../../support/git-server.ts';
import { median } from '../table.ts';
import { writeHistory } from './history.ts';
import { measurePushes } from './pushes.ts';
import { firstSync, parsed, unchangedPolls } from './reading.ts';

const { values } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '200' },
    descriptors: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '20' },
  },
});
const megabytes = Number(values.megabytes);
const descriptors = Number(values.descriptors);
const rounds = Number(values.rounds);

const say = (text: string): void => void process.stderr.write(`${text}\n`);
const ms = (value: number): string => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
const size = (bytes: number): string =>
  bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
const at = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;

const folder = await mkdtemp(join(tmpdir(), 'oakctl-bench-git-'));
const rows: string[][] = [];
const served = join(folder, 'served');
await mkdir(served);
const repository = join(served, 'fleet.git');
const server = await serveGit(served);
try {
  const url = `${server.url}/fleet.git`;
  say(`a repository with ${megabytes} MB of history and ${descriptors} descriptors ...`);
  await writeHistory(repository, { bytes: megabytes * 1e6, descriptors });

  say('the first sync ...');
  const first = await firstSync(server, url, join(folder, 'mirror'));
  rows.push(
    [`first sync, ${megabytes} MB of history`, `${ms(first.ms)}, ${first.requests} requests, ${size(first.bytes)}`, ''],
    ['the mirror on disk after it', size(first.disk), ''],
    ['peak memory of git meanwhile', `${first.memory.toFixed(0)} MiB`, ''],
  );
  say('polls ...');
  const poll = await unchangedPolls(server, url, join(folder, 'mirror'), 50);
  rows.push(['unchanged poll', `${poll.requests} requests, ${size(poll.bytes)}, ${ms(poll.ms)}`, '1 request']);

  // What the compiler learns is not what descriptors cost.
  parsed(200);
  for (const count of [1_000, 10_000]) {
    say(`${count} descriptors ...`);
    const took = median(Array.from({ length: 5 }, () => parsed(count)));
    rows.push([`${count} descriptors parsed`, `${ms(took)}, ${((count * 1000) / took).toFixed(0)}/s`, '']);
  }
  rows.push(['peak memory of that process', `${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`, '']);

  say(`${rounds} pushes by webhook ...`);
  const pushes = await measurePushes({ repository, url, folder, descriptors, rounds });
  const { controls } = pushes;
  rows.push(
    ['start of the reconciler to accepted', ms(pushes.accepted), ''],
    [
      `push by webhook to control, ${descriptors} descriptors`,
      `${ms(at(controls, 0.5))} [${ms(controls[0] ?? Number.NaN)} to ${ms(controls.at(-1) ?? Number.NaN)}]`,
      '150 ms',
    ],
    ['CPU of the reconciler, and of its git, for that', `${ms(pushes.cpu.own)}, ${ms(pushes.cpu.git)}`, ''],
    ['peak memory of the reconciler', `${pushes.memory.toFixed(0)} MiB`, ''],
  );
} finally {
  await server.close();
  await rm(folder, { recursive: true, force: true });
}
const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`;
const head = ['what', 'figure', 'aim'];
process.stdout.write([line(head), line(head.map(() => '---')), ...rows.map(line)].join(''));
