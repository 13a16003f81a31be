/**
 * `npm run bench [-- --rounds 5 --idle 60]`: time from a deployment and from a push until the last of 1, 10 and 50 instances
 * runs, and until they are gone, beside the same containers by the bare Docker API, interleaved in one run; then what an idle
 * node costs. One markdown table of medians and ratios on stdout, narration on stderr.
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { createTestCluster } from '../support/cluster.ts';
import { buildImage } from '../support/engine.ts';
import { type BareEngine, createBareEngine } from './bare.ts';
import { countEvents } from './engine-events.ts';
import { measureIdle } from './idle.ts';
import { idleRows, type Measured, table, workRows } from './table.ts';
import { createWork, type Work } from './work.ts';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, idle: { type: 'string', default: '60' } },
});
const sizes = [1, 10, 50];
const nodes = 3;
const cmd = ['sleep', '1000000'];

const code = await buildImage('oakctl/test-web:1', { port: 80, text: 'one' });
const cluster = await createTestCluster({ name: 'bench', workers: nodes });
const bare = await createBareEngine(code, cmd, cluster.fingerprint.slice(0, 8));
const events = await countEvents(`io.oakctl.cluster=${cluster.fingerprint}`);
try {
  const work = createWork(cluster, events, { code, cmd });
  const measured = await measureWork(work, bare);
  await work.occupy(nodes);
  narrate(`idle for ${values.idle} s, one instance per node`);
  const idle = await measureIdle(cluster, Number(values.idle));
  process.stdout.write(`Node ${process.versions.node}, ${cpus().length} cores, ${values.rounds} rounds\n\n`);
  process.stdout.write(table([...workRows(measured), ...idleRows(idle, nodes)]));
} finally {
  events.close();
  await bare.close();
  await cluster.destroy();
}

/** All sizes in turn, round by round, so that whatever else the machine does falls on all alike. */
async function measureWork(work: Work, floor: BareEngine): Promise<Measured[]> {
  const measured: Measured[] = [];
  for (let round = 1; round <= Number(values.rounds); round += 1) {
    for (const size of sizes) {
      const bareStart = await floor.start(size);
      const bareRemove = await floor.remove();
      const direct = await work.deployAndDelete(size);
      const pushed = await work.pushAndScaleDown(size);
      const [deploy, remove, push, pushRemove] = [direct.up, direct.down, pushed.up, pushed.down];
      measured.push({ size, bareStart, bareRemove, deploy, remove, push, pushRemove });
      const ups = [bareStart, deploy, push].map((ms) => ms.toFixed(0)).join(' / ');
      const downs = [bareRemove, remove, pushRemove].map((ms) => ms.toFixed(0)).join(' / ');
      narrate(`round ${round}, ${size}: start bare/deploy/push ${ups} ms, removal ${downs} ms`);
    }
  }
  return measured;
}

function narrate(text: string): void {
  process.stderr.write(`${text}\n`);
}
