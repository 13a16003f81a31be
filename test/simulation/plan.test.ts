import { afterEach, describe, expect, it } from 'vitest';
import { planOffline } from '../../reconciler/plan-main.ts';
import type { PlanRequest } from '../../schemas/api.ts';
import type { PlanView } from '../../schemas/views.ts';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { tell } from '../support/memory-story.ts';

const one = (name: string, more: object = {}): string => descriptor([{ microservice_name: name, ...more }]);
type Files = Readonly<Record<string, string>>;

/** A dry run says what will happen, all of it, and does none of it. */
describe('plan', () => {
  let cluster: MemoryCluster;
  const { service, outcome, settled, instancesOf } = tell(() => cluster);
  const texts = (files: Files) => Object.entries(files).map(([file, text]) => ({ file, text }));
  const asSource = (files: Files): Promise<PlanView> =>
    cluster.reconciler.control.plan({ documents: texts(files), asSource: true });
  const asDirect = (files: Files): Promise<PlanView> => cluster.reconciler.control.plan({ documents: texts(files) });
  const brief = (plan: PlanView): string[] => plan.changes.map(({ action, subject }) => `${action} ${subject}`).sort();

  afterEach(async () => {
    expect(cluster.fatal).toEqual([]);
    await cluster.close();
  });

  it('of a working copy shows all that a push of it changes, and changes nothing', async () => {
    cluster = await createMemoryCluster({});
    const nodes = '- node:\n    hostname: worker-1\n- node:\n    hostname: worker-2\n';
    const now = {
      'nodes.yaml': nodes,
      'web.yaml': one('web', { replicas: 3 }),
      'api.yaml': one('api', { replicas: 2 }),
      'db.yaml': one('db'),
      'same.yaml': one('same', { replicas: 2 }),
    };
    await cluster.push(now);
    await settled('web', 'api', 'db', 'same');
    // By then it is also recorded what became of the revision.
    await cluster.clock.advance(5_000);
    const before = { handles: cluster.handles(), records: structuredClone(cluster.records) };

    expect(await asSource(now)).toMatchObject({ changes: [], holds: [], settled: 8, problems: [] });
    expect(await cluster.reconciler.control.plan({})).toMatchObject({ changes: [], holds: [], settled: 8 });
    const ofApi = (name: string): boolean => name === service('api');
    expect(await cluster.reconciler.control.plan({}, ofApi)).toMatchObject({ settled: 2 });

    const next = {
      'nodes.yaml': `${nodes.replace('worker-2\n', 'worker-2\n    labels: {disk: ssd}\n')}- node:\n    hostname: worker-3\n`,
      'web.yaml': one('web', { replicas: 3, code: 'oakctl/test:2' }),
      'api.yaml': one('api', { replicas: 3 }),
      'same.yaml': one('same', { replicas: 2 }),
    };
    const plan = await asSource(next);
    expect(brief(plan)).toEqual([
      'node node/worker-2',
      'node node/worker-3',
      `remove ${service('db')}.instance.0`,
      `replace ${service('web')}.instance.0`,
      `replace ${service('web')}.instance.1`,
      `replace ${service('web')}.instance.2`,
      `start ${service('api')}.instance.2`,
    ]);
    expect(plan.holds).toEqual([]);
    await cluster.clock.advance(60_000);
    expect(cluster.handles()).toEqual(before.handles);
    expect(cluster.records).toEqual(before.records);

    await cluster.push(next);
    await settled('web', 'api', 'same');
    expect(instancesOf('db')).toEqual([]);
    expect(await asSource(next)).toMatchObject({ changes: [], holds: [], settled: 8 });
  });

  it('of a working copy shows what the guards would hold, and what cannot be read', async () => {
    cluster = await createMemoryCluster({});
    await cluster.push({ 'web.yaml': one('web'), 'api.yaml': one('api') });
    await settled('web', 'api');
    const none = await asSource({ 'README.md': 'nothing' });
    expect(brief(none)).toEqual([]);
    expect(none.holds).toEqual([
      expect.objectContaining({ code: 'REMOVAL_GUARD', subjects: [service('api'), service('web')] }),
    ]);
    expect(none.holds[0]?.message).toMatch(/^working copy removes 2 of 2 services/);
    const broken = await asSource({ 'web.yaml': '{ "sla_version": ', 'api.yaml': one('api') });
    expect(broken.problems[0]).toMatchObject({ file: 'web.yaml' });
    expect(brief(broken)).toEqual([]);
    expect(cluster.records.approvals).toEqual([]);
  });

  it('of a working copy is of the source that is named, where there are several; also offline', async () => {
    cluster = await createMemoryCluster({ sources: ['alpha', 'beta'] });
    cluster.gits.get('alpha')?.push({ 'a.yaml': one('a') });
    cluster.gits.get('beta')?.push({ 'b.yaml': one('b') });
    await settled('a', 'b');
    const { control } = cluster.reconciler;
    const text = JSON.stringify(await control.snapshot());
    const asked = { documents: texts({ 'b.yaml': one('b', { replicas: 2 }) }), asSource: true };
    const offline = (request: PlanRequest) => planOffline({ file: 's.json', text }, request).plan;
    const plan = await control.plan({ ...asked, source: 'beta' });
    expect(plan).toMatchObject({ changes: [{ action: 'start', subject: `${service('b')}.instance.1` }], holds: [] });
    expect(offline({ ...asked, source: 'beta' })).toEqual(plan);
    for (const [request, code, message] of [
      [asked, 'BAD_REQUEST', 'which source?'],
      [{ ...asked, source: 'gamma' }, 'NOT_FOUND', 'no source is called gamma'],
    ] as const) {
      const refused = { problems: [{ code, message, hint: 'its sources: alpha, beta' }] };
      await expect(control.plan(request)).rejects.toMatchObject(refused);
      await expect((async () => offline(request))()).rejects.toMatchObject(refused);
    }
  });

  it('of descriptors shows them as if deployed, and refuses what git owns', async () => {
    cluster = await createMemoryCluster({});
    await cluster.push({ 'web.yaml': one('web') });
    await settled('web');
    await expect(asDirect({ 'a.yaml': one('web') })).rejects.toThrow(/git owns it/);
    expect(brief(await asDirect({ 'a.yaml': one('cache', { replicas: 2 }) }))).toEqual([
      `start ${service('cache')}.instance.0`,
      `start ${service('cache')}.instance.1`,
    ]);
    expect(outcome('cache')).toBeUndefined();
    await cluster.reconciler.control.deploy({ documents: texts({ 'a.yaml': one('cache', { replicas: 2 }) }) });
    await settled('cache');
    expect(await asDirect({ 'a.yaml': one('cache', { replicas: 2 }) })).toMatchObject({ changes: [], settled: 3 });
    expect(brief(await asDirect({ 'a.yaml': one('cache', { replicas: 1 }) }))).toEqual([
      `remove ${service('cache')}.instance.1`,
    ]);
  });
});
