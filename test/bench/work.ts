/** The measured work: a service of some instances, by deployment and by push, until the Engine says that the last one runs or is gone. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestCluster } from '../support/cluster.ts';
import { descriptor, fullName } from '../support/descriptors.ts';
import { timed } from './bare.ts';
import type { EventCounter } from './engine-events.ts';

/** ms of one piece of work: until all run, and until all are gone. */
export interface UpAndDown {
  readonly up: number;
  readonly down: number;
}

export interface Work {
  deployAndDelete(replicas: number): Promise<UpAndDown>;
  pushAndScaleDown(replicas: number): Promise<UpAndDown>;
  /** Leaves `replicas` instances running, and waits until they are settled. */
  occupy(replicas: number): Promise<void>;
}

/** A service that is deployed directly, as a descriptor with so many instances. */
export interface DirectService {
  readonly name: string;
  text(replicas: number): string;
}

/**
 * Deploys it, waits until it is settled, and deletes it. `declared`: what else is there meanwhile, as {@link TestCluster.settled}
 * takes it.
 */
export async function deployAndDelete(
  cluster: Pick<TestCluster, 'post' | 'settled'>,
  counter: EventCounter,
  { name, text }: DirectService,
  replicas: number,
  declared: Readonly<Record<string, number>> = {},
): Promise<UpAndDown> {
  const deploy = () => cluster.post('deploy', { documents: [{ file: 'bench.yaml', text: text(replicas) }] });
  const up = await timed(() => Promise.all([counter.next('start', replicas), deploy()]));
  await cluster.settled({ ...declared, [name]: replicas }, 180_000);
  const remove = () => cluster.post('delete', { services: [name] });
  const down = await timed(() => Promise.all([counter.next('destroy', replicas), remove()]));
  await cluster.settled(declared);
  return { up, down };
}

export function createWork(
  cluster: TestCluster,
  counter: EventCounter,
  service: { readonly code: string; readonly cmd: readonly string[] },
): Work {
  const names = { direct: fullName('direct', 'bench'), pushed: fullName('pushed', 'bench') };
  const text = (app: string, replicas: number) =>
    descriptor(app, { bench: { ...service, replicas, stop_grace: '1ms' } });
  /** Services that git declares stay declared between rounds, with no instances. */
  let declared: Record<string, number> = {};

  const deploy = (replicas: number) =>
    cluster.post('deploy', { documents: [{ file: 'bench.yaml', text: text('direct', replicas) }] });

  /** ms from the start of `git push` (of a commit that is already made) until `done`. */
  const push = async (replicas: number, done: Promise<void>): Promise<number> => {
    const { folder, git } = cluster.repository;
    await writeFile(join(folder, 'bench.yaml'), text('pushed', replicas));
    await git('add', '--all');
    await git('commit', '--quiet', '-m', `${replicas} instances`);
    return timed(() => Promise.all([git('push', '--quiet', 'origin', 'HEAD:main'), done]));
  };

  return {
    deployAndDelete: (replicas) =>
      deployAndDelete(cluster, counter, { name: names.direct, text: (n) => text('direct', n) }, replicas, declared),
    async pushAndScaleDown(replicas) {
      const up = await push(replicas, counter.next('start', replicas));
      await cluster.settled({ [names.pushed]: replicas }, 180_000);
      const down = await push(0, counter.next('destroy', replicas));
      declared = { [names.pushed]: 0 };
      await cluster.settled(declared);
      return { up, down };
    },
    async occupy(replicas) {
      await deploy(replicas);
      await cluster.settled({ ...declared, [names.direct]: replicas });
    },
  };
}
