/**
 * `npm run bench [-- --rounds 5 --idle 60]`: time from a deployment and from a push until the last of 1, 10 and 50 instances
 * runs, and until they are gone, beside the same containers by the bare Docker API, interleaved in one run; then what an idle
 * node costs. One markdown table of medians and ratios on stdout.
 */
import { parseArgs } from 'node:util';
import { createTestCluster, type TestCluster } from '../support/cluster.ts';
import { descriptor, fullName } from '../support/descriptors.ts';
import { buildImage } from '../support/engine.ts';
import { git } from '../support/git-repo.ts';
import { type BareEngine, createBareEngine, timed } from './bare.ts';
import { countEvents, type EventCounter } from './engine-events.ts';
import { measureIdle } from './idle.ts';
import { idleRows, type Measured, table, workRows } from './table.ts';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, idle: { type: 'string', default: '60' } },
});
const sizes = [1, 10, 50];
const cmd = ['sleep', '1000000'];
const narrate = (text: string): boolean => process.stderr.write(`${text}\n`);

const code = await buildImage('oakctl/test-web:1', { port: 80, text: 'one' });
const cluster = await createTestCluster({ name: 'bench', workers: 3 });
const bare = await createBareEngine(code, cmd, cluster.fingerprint.slice(0, 8));
const events = await countEvents(cluster.fingerprint);
try {
  const measured = await measureWork(cluster, bare, events);
  narrate(`idle for ${values.idle} s`);
  const idle = await measureIdle(cluster, Number(values.idle));
  const nodes = (await cluster.nodes()).length;
  process.stdout.write(table([...workRows(measured), ...idleRows(idle, nodes)]));
} finally {
  events.close();
  await bare.close();
  await cluster.destroy();
}

async function measureWork(on: TestCluster, floor: BareEngine, counter: EventCounter): Promise<Measured[]> {
  const measured: Measured[] = [];
  for (let round = 1; round <= Number(values.rounds); round += 1) {
    for (const size of sizes) {
      const [bareStart, bareRemove] = [await floor.start(size), await floor.remove()];
      const [deploy, remove] = await deployAndDelete(on, counter, size);
      const [push, pushRemove] = await pushAndScaleDown(on, counter, size);
      measured.push({ size, bareStart, bareRemove, deploy, remove, push, pushRemove });
      const figures = [bareStart, deploy, push, bareRemove, remove, pushRemove].map((ms) => ms.toFixed(0)).join(' ');
      narrate(`round ${round}, ${size}: start bare/deploy/push, removal bare/delete/push: ${figures} ms`);
    }
  }
  return measured;
}

async function deployAndDelete(on: TestCluster, counter: EventCounter, replicas: number): Promise<[number, number]> {
  const text = descriptor('direct', { bench: { code, cmd, replicas, stop_grace: '1ms' } });
  const deploy = await timed(async () => {
    const running = counter.next('start', replicas);
    await on.post('deploy', { documents: [{ file: 'bench.yaml', text }] });
    await running;
  });
  await on.settled({ [fullName('direct', 'bench')]: replicas, ...pushedName(0) });
  const remove = await timed(async () => {
    const gone = counter.next('destroy', replicas);
    await on.post('delete', { services: [fullName('direct', 'bench')] });
    await gone;
  });
  await on.settled(pushedName(0));
  return [deploy, remove];
}

let pushed = false;
/** The service that comes by push stays declared between rounds, with no instances. */
function pushedName(count: number): Record<string, number> {
  return pushed ? { [fullName('pushed', 'bench')]: count } : {};
}

async function pushAndScaleDown(on: TestCluster, counter: EventCounter, replicas: number): Promise<[number, number]> {
  const up = await push(on, replicas, counter.next('start', replicas));
  pushed = true;
  await on.settled(pushedName(replicas));
  const down = await push(on, 0, counter.next('destroy', replicas));
  await on.settled(pushedName(0));
  return [up, down];
}

/** ms from the start of `git push` (of a commit that is already made) until `done`. */
async function push(on: TestCluster, replicas: number, done: Promise<void>): Promise<number> {
  const { folder } = on.repository;
  const text = descriptor('pushed', { bench: { code, cmd, replicas, stop_grace: '1ms' } });
  const { writeFile } = await import('node:fs/promises');
  await writeFile(`${folder}/bench.yaml`, text);
  await git(folder, 'add', '--all');
  await git(folder, 'commit', '--quiet', '-m', `${replicas} instances`);
  return timed(async () => {
    await git(folder, 'push', '--quiet', 'origin', 'HEAD:main');
    await done;
  });
}
