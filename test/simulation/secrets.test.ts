import { afterEach, describe, expect, it } from 'vitest';
import { createMemoryCluster, type MemoryCluster } from '../support/memory-cluster.ts';

const recipients: Readonly<Record<string, string>> = {
  'worker-1': `age1${'q'.repeat(58)}`,
  'worker-2': `age1${'p'.repeat(58)}`,
};

describe('recipients of nodes', () => {
  let cluster: MemoryCluster;

  afterEach(async () => {
    expect(cluster.fatal).toEqual([]);
    await cluster.close();
  });

  it('are on record: whoever encrypts for a node need not wait until it is there', async () => {
    cluster = await createMemoryCluster({
      workers: 3,
      wiring: {
        agent: (deps, { name }) => {
          const recipient = recipients[name];
          return recipient === undefined ? deps : { ...deps, profile: { ...deps.profile, recipient } };
        },
      },
    });
    await cluster.clock.advance(10_000);
    const shown = () =>
      Object.fromEntries(cluster.reconciler.control.nodes().map(({ name, recipient }) => [name, recipient]));
    expect(shown()).toEqual({ ...recipients, 'worker-3': undefined });
    for (const node of cluster.nodes) node.kill();
    await cluster.restartReconciler();
    expect(shown()).toEqual({ ...recipients, 'worker-3': undefined });
  });
});
