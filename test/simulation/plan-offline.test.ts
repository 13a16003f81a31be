import { afterEach, describe, expect, it } from 'vitest';
import { planOffline } from '../../reconciler/plan-main.ts';
import type { PlanRequest } from '../../schemas/api.ts';
import { snapshotNote } from '../../schemas/cluster-snapshot.ts';
import { isProblemError } from '../../schemas/problem.ts';
import type { PlanView } from '../../schemas/views.ts';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { tell } from '../support/memory-story.ts';

const one = (name: string, more: object = {}): string => descriptor([{ microservice_name: name, ...more }]);
const texts = (files: Readonly<Record<string, string>>) =>
  Object.entries(files).map(([file, text]) => ({ file, text }));

/** A plan of a snapshot is the plan that the reconciler would have made at that moment. */
describe('plan --offline', () => {
  let cluster: MemoryCluster;
  const { service, settled, count, node } = tell(() => cluster);
  const nodes = '- node: {hostname: worker-1, labels: {disk: ssd}}\n- node: {hostname: worker-2, cordon: true}\n';
  const files = {
    'nodes.yaml': nodes,
    'web.yaml': one('web', { replicas: 3, environment: ['WHERE=here'] }),
    'db.yaml': one('db', { volumes: [{ name: 'data', mount_path: '/data' }] }),
    'all.yaml': one('all', { replicas: 'every' }),
    'nightly.yaml': one('nightly', { one_shot: true, schedule: { cron: '* * * * *' } }),
  };

  /** What people may ask: nothing, a working copy as it is, changed, broken and empty, and direct deployments. */
  const requests: readonly PlanRequest[] = [
    {},
    ...[
      files,
      { ...files, 'web.yaml': one('web', { replicas: 5, code: 'oakctl/test:2', memory: 3000 }) },
      { ...files, 'web.yaml': '{"sla_version": ' },
      { 'README.md': 'nothing' },
      {
        'nodes.yaml': '- node: {hostname: worker-1}\n',
        'new.yaml': one('new', { replicas: 2, constraints: [{ type: 'label', label: 'disk', in: ['ssd'] }] }),
      },
    ].map((folder): PlanRequest => ({ documents: texts(folder), asSource: true })),
    { documents: texts({ 'cache.yaml': one('cache', { replicas: 4 }) }) },
    { documents: texts({ 'big.yaml': one('big', { memory: 9_999 }) }) },
    { documents: texts({ 'web.yaml': one('web') }) },
    { documents: texts({ 'bad.yaml': 'applications: 3' }) },
  ];

  const answer = async (plan: () => Promise<PlanView> | PlanView): Promise<unknown> => {
    try {
      return await plan();
    } catch (error) {
      if (isProblemError(error)) return error.problems;
      throw error;
    }
  };
  const compare = async (): Promise<PlanView[]> => {
    const { control } = cluster.reconciler;
    const text = JSON.stringify(await control.snapshot());
    const plans: PlanView[] = [];
    for (const request of requests) {
      const online = await answer(() => control.plan(request));
      const offline = await answer(() => planOffline({ file: 's.json', text, cluster: 'test' }, request).plan);
      expect(offline).toEqual(online);
      if ('changes' in (online as object)) plans.push(online as PlanView);
    }
    return plans;
  };

  afterEach(async () => {
    expect(cluster.fatal).toEqual([]);
    await cluster.close();
  });

  it('is the plan of the reconciler, in calm and in trouble, and after a restart of it', async () => {
    cluster = await createMemoryCluster({ workers: 4 });
    await compare();
    await cluster.push(files);
    await settled('web', 'db');
    await count('all', 3);
    const { control } = cluster.reconciler;
    await control.deploy({ documents: texts({ 'cache.yaml': one('cache', { replicas: 2 }) }) });
    await settled('cache');
    const calm = await compare();
    expect(calm[0]).toMatchObject({ changes: [], problems: [] });
    expect(calm.flatMap(({ changes }) => changes).length).toBeGreaterThan(5);

    await control.scale(service('web'), 5, { actor: 'ann' });
    await control.stop(service('all'), { actor: 'ann' });
    await compare();
    node(3).kill(true);
    await cluster.clock.advance(7_000);
    await compare();
    await cluster.clock.advance(30_000);
    await compare();
    await cluster.push({ ...files, 'web.yaml': one('web', { replicas: 3, code: 'oakctl/test:2' }) });
    await cluster.clock.advance(1_500);
    await compare();
    await cluster.restartReconciler();
    await compare();
    await settled('web', 'db');
    await compare();
  });

  it('says how instances came to their nodes', async () => {
    cluster = await createMemoryCluster({ workers: 3 });
    await cluster.push({ 'nodes.yaml': nodes, 'web.yaml': one('web', { memory: 1024 }) });
    await settled('web');
    const text = JSON.stringify(await cluster.reconciler.control.snapshot());
    const request = { documents: texts({ 'a.yaml': one('a', { replicas: 2, memory: 512 }) }) };
    const { changes } = planOffline({ file: 's.json', text }, request).plan;
    const used = cluster.running().map((line) => line.split(' ')[0])[0];
    const free = used === 'worker-1' ? 'worker-3' : 'worker-1';
    expect(changes).toMatchObject([
      {
        action: 'start',
        node: free,
        placement: {
          score: { instances: 0, promised: 0, free: 4096 },
          others: {
            fit: 2,
            next: { node: used, score: { instances: 0, promised: 50, free: 3072 } },
            unfit: [{ code: 'NODES_CORDONED', nodes: 1, message: '1 node cordoned (worker-2)' }],
          },
        },
      },
      {
        action: 'start',
        node: used,
        placement: { others: { fit: 2, next: { node: free, score: { instances: 1, free: 3584 } } } },
      },
    ]);
  });

  it('rests on a file without any credential', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    await cluster.push(files);
    const { token } = await cluster.reconciler.control.createToken({ name: 'worker-9' });
    await cluster.joinLocal('old');
    const text = JSON.stringify(await cluster.reconciler.control.snapshot());
    const { tokens, nodes: records } = cluster.records;
    const hashes = Object.values(tokens).map(({ hash }) => hash);
    const registered = Object.values(records).flatMap((record) => [
      record.registered?.token?.hash ?? [],
      record.unheard?.token ?? [],
      record.unheard?.attempt ?? [],
    ]);
    expect(hashes.length).toBeGreaterThan(0);
    const [, id = '', secret = ''] = token.split('.');
    for (const word of [token, secret, id, ...hashes, ...registered.flat()]) expect(text).not.toContain(word);
    expect(text.replace(snapshotNote, '')).not.toMatch(/password|serial/i);
    expect(text).toContain('WHERE=here');
  });
});
