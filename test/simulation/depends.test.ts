import { afterEach, describe, expect, it } from 'vitest';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';

/** The real loop: who waits is planned again when what it waits for is healthy, and by nothing else. */
describe('services in order', () => {
  let cluster: MemoryCluster;
  afterEach(() => cluster.close());

  it('start one after the other', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    const begun: string[] = [];
    const look = (): boolean => {
      for (const line of cluster.running()) {
        const name = line.split('.')[2] ?? '';
        if (!begun.includes(name)) begun.push(name);
      }
      return cluster.reconciler.control.services().filter(({ outcome }) => outcome === 'settled').length === 3;
    };
    await cluster.push({
      'a.yaml': descriptor([
        { microservice_name: 'web', depends_on: ['api'] },
        { microservice_name: 'api', depends_on: ['setup'], replicas: 2 },
        { microservice_name: 'setup' },
      ]),
    });
    await cluster.clock.until(look, 120_000, 'all three settled');
    expect(begun).toEqual(['setup', 'api', 'web']);
  });

  it('wait until a job has come to its end, however long it runs', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    const text = descriptor([
      { microservice_name: 'migrate', one_shot: true },
      { microservice_name: 'web', depends_on: ['migrate'] },
    ]);
    await cluster.push({ 'a.yaml': text });
    await cluster.clock.advance(60_000);
    expect(cluster.running()).toEqual([expect.stringContaining('migrate')]);
    const web = cluster.reconciler.control.services().find(({ name }) => name.includes('web'));
    expect(web?.message).toContain('waits for shop.default.migrate.default (0 of 1 completed)');
    for (const { runtime } of cluster.nodes) for (const copy of runtime.copies.values()) runtime.exit(copy, 0);
    await cluster.clock.advance(30_000);
    expect(cluster.running()).toEqual([expect.stringContaining('shop.default.web.default')]);
  });
});
