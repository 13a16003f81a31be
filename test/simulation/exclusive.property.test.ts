import { describe, expect, it } from 'vitest';
import type { ControlPlane } from '../../reconciler/control-plane.ts';
import { isProblemError } from '../../schemas/problem.ts';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { createSeededRandom } from '../support/virtual-clock.ts';

const seeds = Number(process.env['OAKCTL_EXCLUSIVE_SEEDS'] ?? 25);
const firstSeed = Number(process.env['OAKCTL_EXCLUSIVE_SEED'] ?? 1);
const steps = 40;
const workers = 3;
/** ms that engines take. */
const delays = { stop: 5_500, start: 300 };
const name = 'shop.default.one.default';

interface Run {
  readonly cluster: MemoryCluster;
  readonly done: string[];
  pick(below: number): number;
}

function text(code: number): string {
  const service = {
    microservice_name: 'one',
    code: `oakctl/test:${code}`,
    exclusive: true,
    stop_grace: '6s',
    on_disconnect: { stop_after: '12s' },
    update: { settle: '1s' },
  };
  return descriptor([service]);
}

/** What is refused, or asked of a process that ends, is no news here. */
function ask(cluster: MemoryCluster, request: (control: ControlPlane) => Promise<unknown>): void {
  request(cluster.reconciler.control).catch((error: unknown) => {
    if (!isProblemError(error)) throw error;
  });
}

/** As a service manager does: one that cannot write at its start ends, and is started again. */
function startAgain(cluster: MemoryCluster): void {
  cluster.startReconciler().catch((error: unknown) => {
    if (!isProblemError(error)) throw error;
    cluster.clock.after(1_000, () => startAgain(cluster));
  });
}

const actions: Readonly<Record<string, (run: Run) => Promise<void> | void>> = {
  deploy: ({ cluster, pick }) =>
    ask(cluster, (control) => control.deploy({ documents: [{ file: 'one.yaml', text: text(pick(3)) }] })),
  remove: ({ cluster }) => ask(cluster, (control) => control.remove({ services: [name] }, 'test')),
  move: ({ cluster, pick }) => {
    const to = cluster.nodes[pick(workers)]?.id ?? '';
    ask(cluster, (control) => control.move(`${name}.instance.0`, to, 'test'));
  },
  restart: ({ cluster }) => ask(cluster, (control) => control.restart(name, undefined, 'test')),
  stop: ({ cluster }) => ask(cluster, (control) => control.stop(name, { actor: 'test' })),
  start: ({ cluster }) => ask(cluster, (control) => control.start(name, 'test')),
  cut: ({ cluster, pick }) => cluster.broker.cut(cluster.nodes[pick(workers)]?.id ?? ''),
  heal: ({ cluster }) => {
    for (const node of cluster.nodes) cluster.broker.heal(node.id);
    cluster.broker.fate = () => [1];
  },
  distort: ({ cluster, pick }) => {
    const fates = [[], [1, 4_000], [300], [9_000], [1], [1]];
    cluster.broker.fate = () => fates[pick(fates.length)] ?? [1];
  },
  // An agent that stays dead stops nothing: that is not promised.
  crash: async ({ cluster, pick }) => {
    const node = cluster.nodes[pick(workers)];
    for (let times = pick(3); times >= 0; times -= 1) {
      node?.kill();
      await cluster.clock.advance(pick(3) * 500);
      await node?.start();
      if (pick(2) === 0) cluster.broker.cut(node?.id ?? '');
      await cluster.clock.advance(pick(4) * 1_000);
    }
  },
  boot: async ({ cluster, pick }) => cluster.nodes[pick(workers)]?.boot(),
  restartReconciler: async ({ cluster, pick }) => {
    cluster.killReconciler();
    await cluster.clock.advance(pick(3) * 7_000);
    if (pick(3) === 0) cluster.state.content.clear();
    startAgain(cluster);
  },
  diskFull: async ({ cluster, pick }) => {
    cluster.disk.full = true;
    await cluster.clock.advance(pick(20) * 1_000);
    cluster.disk.full = false;
  },
  restartBroker: ({ cluster, pick }) => cluster.broker.restart(pick(4_000)),
  deafReconciler: async ({ cluster, pick }) => {
    cluster.broker.cut('reconciler');
    await cluster.clock.advance(pick(40) * 1_000);
    cluster.broker.heal('reconciler');
  },
  jump: ({ cluster, pick }) => cluster.clock.jumpWall((pick(3) - 1) * 3_600_000),
  endWhileSaving: ({ cluster, pick }) => {
    const at = cluster.disk.saves + 1 + pick(2);
    cluster.disk.onSave = (number) => {
      if (number !== at) return;
      cluster.killReconciler();
      startAgain(cluster);
    };
  },
};

async function play(seed: number): Promise<number> {
  const random = createSeededRandom(seed);
  const pick = (below: number): number => Math.floor(random.number() * below);
  const cluster = await createMemoryCluster({
    workers,
    seed,
    wiring: { engine: () => ({ delays, goesOn: () => true }) },
  });
  const run: Run = { cluster, done: [], pick };
  const faults: string[] = [];
  const running = (): string[] => cluster.running().filter((line) => line.includes(`${name}.`));
  let starts = 0;
  for (const node of cluster.nodes) {
    const look = ({ kind }: { readonly kind: string }): void => {
      if (kind === 'started') starts += 1;
      const now = running();
      if (now.length > 1) faults.push(`${cluster.clock.now().mono}: ${now.join(' and ')}`);
    };
    node.runtime.watch(look, new AbortController().signal);
  }
  const names = Object.keys(actions);
  try {
    await actions['deploy']?.(run);
    for (let step = 0; step < steps && faults.length === 0; step += 1) {
      const action = names[pick(names.length)] ?? '';
      run.done.push(`${cluster.clock.now().mono} ${action}`);
      await actions[action]?.(run);
      await cluster.clock.advance([10, 500, 3_000, 12_000, 40_000][pick(5)] ?? 0);
    }
    cluster.disk.onSave = () => undefined;
    await actions['heal']?.(run);
    // A request to a process that ended meanwhile has no answer: asked until it is done.
    await cluster.clock.advance(30_000);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      for (const action of ['start', 'deploy']) await actions[action]?.(run);
      await cluster.clock.advance(5_000);
    }
    await cluster.clock.until(() => running().length === 1 && isSettled(cluster), 300_000, 'one copy');
    const [last] = running();
    await cluster.clock.advance(60_000);
    expect(running()).toEqual([last]);
    expect(faults).toEqual([]);
    expect(cluster.fatal).toEqual([]);
  } catch (error) {
    if (process.env['OAKCTL_EXCLUSIVE_SEED']) console.error(cluster.log.join('\n'));
    const holds = cluster.reconciler.control.holds().map(({ code, message }) => `${code}: ${message}`);
    throw new Error([String(error), `seed ${seed}`, ...run.done, ...faults, ...holds, ...running()].join('\n'), {
      cause: error,
    });
  } finally {
    await cluster.close();
  }
  return starts;
}

function isSettled(cluster: MemoryCluster): boolean {
  return cluster.reconciler.control.services().some((one) => one.name === name && one.outcome === 'settled');
}

describe('an exclusive service, whatever happens', () => {
  it(
    `never runs twice, and runs in the end (${seeds} seeds)`,
    async () => {
      const failures: string[] = [];
      let starts = 0;
      for (let seed = firstSeed; seed < firstSeed + seeds; seed += 1) {
        await play(seed).then(
          (count) => {
            starts += count;
          },
          (error: unknown) => failures.push(String(error)),
        );
      }
      expect(failures.join('\n\n')).toBe('');
      expect(starts).toBeGreaterThan(seeds * 3);
    },
    60_000 + 4_000 * seeds,
  );
});
