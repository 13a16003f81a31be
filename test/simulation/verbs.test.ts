import { afterEach, describe, expect, it } from 'vitest';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { tell } from '../support/memory-story.ts';

/** What people ask for beside the sources, with the real loops on virtual time. */
describe('verbs', () => {
  let cluster: MemoryCluster;
  const { service, settled, instancesOf, node, outcome, count } = tell(() => cluster);
  const control = () => cluster.reconciler.control;
  const web = service('web');
  const ann = { actor: 'ann' };
  const slots = (): number[] =>
    instancesOf('web')
      .map((line) => Number(/instance\.(\d+)/.exec(line)?.[1]))
      .sort((a, b) => a - b);
  const push = (more: object = {}, app = 'shop') =>
    cluster.push({ 'web.yaml': descriptor([{ microservice_name: 'web', replicas: 3, ...more }], app) });
  const deploy = (more: object = {}) =>
    control().deploy({
      documents: [{ file: 'a.yaml', text: descriptor([{ microservice_name: 'web', replicas: 3, ...more }]) }],
    });
  const minutes = (n: number): Promise<void> => cluster.clock.advance(n * 60_000);
  const stopped = () => cluster.clock.until(() => outcome('web') === 'stopped', 60_000, 'it is stopped');

  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(cluster.log.slice(-60).join('\n'));
    expect(cluster.fatal).toEqual([]);
    await cluster.close();
  });

  describe('on what git owns', () => {
    it('scale is an override: shown, over a restart, until its time is up', async () => {
      cluster = await createMemoryCluster({});
      await push();
      await settled('web');
      const before = cluster.handles();
      const answer = await control().scale(web, 5, { ...ann, for: 600_000, reason: 'sale' });
      expect(answer).toMatchObject({
        changed: true,
        override: { change: '5 instances', replicas: 5, actor: 'ann', reason: 'sale' },
      });
      await settled('web');
      expect(slots()).toEqual([0, 1, 2, 3, 4]);
      expect(control().services()[0]).toMatchObject({ slots: 5, overrides: [{ kind: 'scale', subject: web }] });
      expect(control().status().overrides).toEqual(control().overrides());
      const id = answer.override?.id ?? '';
      const hint = `oakctl overrides rm ${id}; to keep it: oakctl adopt ${id}`;
      const cause = { subject: `override/${id}`, message: '5 instances, as ann asked for: sale', hint, because: [] };
      expect(control().why(web).because).toEqual([cause]);
      expect(await control().scale(web, 5, ann)).toMatchObject({
        changed: false,
        override: { id: answer.override?.id },
      });
      await cluster.restartReconciler();
      await minutes(5);
      expect(slots()).toEqual([0, 1, 2, 3, 4]);
      await minutes(6);
      expect(slots()).toEqual([0, 1, 2]);
      expect(control().overrides()).toEqual([]);
      expect([...before].every(([copy, handle]) => cluster.handles().get(copy) === handle)).toBe(true);
    });

    it('scale drops the highest, never gives a number twice while it lasts, and is none when it says what git says', async () => {
      cluster = await createMemoryCluster({});
      await push();
      await settled('web');
      await control().scale(web, 1, ann);
      await count('web', 1);
      expect(slots()).toEqual([0]);
      await control().scale(web, 2, ann);
      await count('web', 2);
      expect(slots()).toEqual([0, 3]);
      expect(control().overrides()).toHaveLength(1);
      await expect(control().scale(web, 3, ann)).resolves.toMatchObject({ changed: true });
      await settled('web');
      expect(slots()).toEqual([0, 1, 2]);
      expect(control().overrides()).toEqual([]);
    });

    it('an override ends with a commit that changes the document, not with another one, and not with a move of its line', async () => {
      cluster = await createMemoryCluster({});
      await push();
      await settled('web');
      await control().scale(web, 5, ann);
      await control().stop(web, ann);
      await stopped();
      await cluster.push({
        'other.yaml': descriptor([{ microservice_name: 'other' }], 'blog'),
        'web.yaml': `\n\n${descriptor([{ microservice_name: 'web', replicas: 3 }])}`,
      });
      await minutes(1);
      expect(
        control()
          .overrides()
          .map(({ kind }) => kind),
      ).toEqual(['scale', 'stop']);
      await cluster.restartReconciler({
        between: async () => {
          cluster.git.push({
            'web.yaml': descriptor([{ microservice_name: 'web', replicas: 3, code: 'oakctl/test:2' }]),
          });
        },
      });
      await settled('web');
      expect(slots()).toEqual([0, 1, 2]);
      expect(control().overrides()).toEqual([]);
    });

    it('an override ends by hand, and nobody ends what is not there', async () => {
      cluster = await createMemoryCluster({});
      await push();
      await settled('web');
      const { override } = await control().scale(web, 0, ann);
      await count('web', 0);
      await settled('web');
      for (const id of ['nope', 'constructor'])
        await expect(control().removeOverride(id, 'ann')).rejects.toThrow(`no override has the id ${id}`);
      await control().removeOverride(override?.id ?? '', 'ann');
      await settled('web');
      expect(slots()).toEqual([0, 1, 2]);
    });

    it('a disk that is full takes no override, and nothing of it comes true later', async () => {
      cluster = await createMemoryCluster({});
      await push();
      await settled('web');
      cluster.disk.full = true;
      await expect(control().scale(web, 5, ann)).rejects.toThrow();
      await expect(control().stop(web, ann)).rejects.toThrow();
      await expect(control().restart(web, undefined, 'ann')).rejects.toThrow();
      const before = cluster.handles();
      cluster.disk.full = false;
      await minutes(2);
      expect(control().overrides()).toEqual([]);
      expect(cluster.handles()).toEqual(before);
    });

    it('a move stays for its time, and a replica gets the next number', async () => {
      cluster = await createMemoryCluster({});
      await push({ replicas: 1 });
      await settled('web');
      const one = `${web}.instance.0`;
      const to = cluster.nodes.find(({ name }) => !instancesOf('web')[0]?.startsWith(name));
      const answer = await control().move(one, to?.id ?? '', 'ann');
      const override = { subject: one, change: `on ${to?.name}`, node: to?.name };
      expect(answer).toMatchObject({ node: to?.name, override });
      await settled('web');
      expect(instancesOf('web')).toMatchObject([expect.stringContaining(`${to?.name} `)]);
      for (const subject of [web, one])
        expect(control().why(subject).because).toMatchObject([{ message: `${one} on ${to?.name}, as ann asked for` }]);
      await expect(control().move(`${web}.instance.7`, to?.id ?? '', 'ann')).rejects.toThrow('it has 0');
      const replica = await control().replicate(one, undefined, 'ann');
      expect(replica).toMatchObject({
        instance: `${web}.instance.1`,
        override: { kind: 'scale', change: '2 instances', replicas: 2 },
      });
      await settled('web');
      expect(slots()).toEqual([0, 1]);
      await minutes(61);
      expect(slots()).toEqual([0]);
      expect(instancesOf('web')).toMatchObject([expect.stringContaining(`${to?.name} `)]);
      await expect(control().move(one, to?.id ?? '', 'ann')).rejects.toThrow('already');
    });

    it('a move that fails there goes back, and its override ends', async () => {
      cluster = await createMemoryCluster({ workers: 2 });
      await push({ replicas: 1, update: { order: 'stop_first', timeout: '30s' } });
      await settled('web');
      const [line = ''] = instancesOf('web');
      const to = line.startsWith('worker-1') ? node(1) : node(0);
      to.runtime.script('start', 'web', { fail: 'START_FAILED', times: 1_000 });
      await control().move(`${web}.instance.0`, to.id, 'ann');
      await minutes(2);
      expect(instancesOf('web')).toEqual([line]);
      expect(control().overrides()).toEqual([]);
      expect(outcome('web')).toBe('settled');
    });

    it('a move to a node that is lost is given up', async () => {
      cluster = await createMemoryCluster({ workers: 3 });
      await push({ replicas: 1 });
      await settled('web');
      const to = cluster.nodes.find(({ name }) => !instancesOf('web')[0]?.startsWith(name));
      await control().move(`${web}.instance.0`, to?.id ?? '', 'ann');
      await settled('web');
      to?.kill(true);
      await cluster.clock.advance(30_000);
      await settled('web');
      expect(instancesOf('web')).toHaveLength(1);
      expect(control().overrides()).toEqual([]);
    });
  });

  it('start of a service that is wanted with no instance says what would start it', async () => {
    cluster = await createMemoryCluster({});
    await push({ replicas: 0 });
    await settled('web');
    const hint = `\`oakctl start ${web} --commit\`, or \`oakctl scale ${web} <n>\``;
    await expect(control().start(web, 'ann')).rejects.toMatchObject({ problem: { code: 'REFUSED', hint } });
    await control().stop(web, ann);
    expect(await control().start(web, 'ann')).toMatchObject({ changed: true });
  });

  describe('stop', () => {
    it('--for comes back by itself with the same copies, also over a restart in between', async () => {
      cluster = await createMemoryCluster({});
      await push();
      await settled('web');
      const copies = [...cluster.handles().keys()].sort();
      await control().stop(web, { ...ann, for: 600_000 });
      await stopped();
      expect(instancesOf('web')).toEqual([]);
      expect(control().services()[0]).toMatchObject({ message: expect.stringContaining('stopped by ann until') });
      await cluster.restartReconciler();
      await minutes(8);
      expect(instancesOf('web')).toEqual([]);
      await minutes(3);
      await settled('web');
      expect([...cluster.handles().keys()].sort()).toEqual(copies);
    });

    it('of a direct deployment lasts until it is started, and a deploy of something else starts it', async () => {
      cluster = await createMemoryCluster({});
      await deploy();
      await settled('web');
      expect(await control().stop(web, ann)).toMatchObject({ changed: true, override: { kind: 'stop' } });
      expect(await control().stop(web, ann)).toMatchObject({ changed: false });
      await stopped();
      await expect(control().restart(web, undefined, 'ann')).rejects.toThrow('it is stopped');
      await minutes(120);
      await control().scale(web, 2, ann);
      await minutes(1);
      expect(outcome('web')).toBe('stopped');
      expect(await control().start(web, 'ann')).toMatchObject({ changed: true });
      expect(await control().start(web, 'ann')).toMatchObject({ changed: false });
      await settled('web');
      expect(slots()).toEqual([0, 1]);
      await control().stop(web, ann);
      await stopped();
      await deploy({ code: 'oakctl/test:2' });
      await settled('web');
      await control().remove({ services: [web] }, 'ann');
      await count('web', 0);
      expect(cluster.records).toMatchObject({ overrides: {}, renewals: {} });
    });

    it('in the middle of an update, however long, is not its failure', async () => {
      cluster = await createMemoryCluster({});
      await push({ update: { timeout: '60s', settle: '20s' } });
      await settled('web');
      await push({ code: 'oakctl/test:2', update: { timeout: '60s', settle: '20s' } });
      await cluster.clock.advance(5_000);
      await control().stop(web, ann);
      await stopped();
      await minutes(30);
      await control().start(web, 'ann');
      await settled('web');
      expect(slots()).toEqual([0, 1, 2]);
    });

    it('reaches a node that was away', async () => {
      cluster = await createMemoryCluster({ settings: 'cluster: test\nnode_class: edge\ncpu_overcommit: 16\n' });
      await push();
      await settled('web');
      cluster.broker.cut(node(0).id);
      await cluster.clock.advance(20_000);
      await control().stop(web, ann);
      await cluster.clock.advance(10_000);
      expect(instancesOf('web')).toHaveLength(1);
      cluster.broker.heal(node(0).id);
      await stopped();
      expect(instancesOf('web')).toEqual([]);
    });
  });

  describe('restart', () => {
    it('replaces every copy, never two at once, also over a restart of the reconciler', async () => {
      cluster = await createMemoryCluster({});
      await push({ update: { order: 'stop_first' } });
      await settled('web');
      const before = cluster.handles();
      const answer = await control().restart(web, undefined, 'ann');
      expect(answer).toMatchObject({ changed: true, instances: [0, 1, 2].map((slot) => `${web}.instance.${slot}`) });
      expect(outcome('web')).not.toBe('settled');
      expect(await control().restart(web, undefined, 'ann')).toMatchObject({ changed: false, after: answer.after });
      let least = 3;
      for (let i = 0; i < 50; i += 1) {
        await cluster.clock.advance(100);
        least = Math.min(least, instancesOf('web').length);
      }
      await cluster.restartReconciler();
      await settled('web');
      expect(least).toBeGreaterThanOrEqual(2);
      expect(slots()).toEqual([0, 1, 2]);
      expect([...cluster.handles().keys()].filter((copy) => before.has(copy))).toEqual([]);
      await minutes(1);
      expect(cluster.records.renewals).toEqual({});
    });

    it('of one instance leaves the others, and of what is not there is refused', async () => {
      cluster = await createMemoryCluster({});
      await deploy();
      await settled('web');
      const before = cluster.handles();
      await control().restart(web, `${web}.instance.1`, 'ann');
      await settled('web');
      const kept = [...cluster.handles().keys()].filter((copy) => before.has(copy));
      expect(kept.map((copy) => copy.replace(/\/.*/, ''))).toEqual([`${web}.instance.0`, `${web}.instance.2`]);
      await expect(control().restart(web, `${web}.instance.9`, 'ann')).rejects.toThrow('it has 0, 1, 2');
    });

    it('whose new copy fails keeps what ran', async () => {
      cluster = await createMemoryCluster({ workers: 1 });
      await push({ replicas: 1, update: { timeout: '30s' } });
      await settled('web');
      const before = cluster.handles();
      const mend = node(0).runtime.script('start', 'web', { fail: 'START_FAILED', times: 1_000 });
      await control().restart(web, undefined, 'ann');
      await minutes(2);
      expect(cluster.handles()).toEqual(before);
      expect(outcome('web')).toBe('settled');
      expect(cluster.records.renewals).toEqual({});
      mend();
    });

    it.each(['fails to start', 'never becomes healthy'])(
      'after a stop whose new copy %s brings the stopped one back',
      async (how) => {
        cluster = await createMemoryCluster({ workers: 1 });
        const healthcheck = how === 'fails to start' ? {} : { healthcheck: { command: ['true'], interval: '1s' } };
        await push({ replicas: 1, update: { order: 'stop_first', timeout: '30s' }, ...healthcheck });
        const { runtime } = node(0);
        const heal = () => [...runtime.copies.values()].map((copy) => runtime.health(copy, 'healthy'));
        await count('web', 1);
        if (how !== 'fails to start') heal();
        await settled('web');
        const [before] = [...runtime.copies.values()];
        const mend = how === 'fails to start' && runtime.script('start', 'web', { fail: 'START_FAILED', times: 3 });
        await control().restart(web, undefined, 'ann');
        await minutes(2);
        if (how !== 'fails to start') heal();
        await settled('web');
        expect([...runtime.copies.values()]).toMatchObject([{ copy: before?.copy, handle: before?.handle }]);
        expect(cluster.records.renewals).toEqual({});
        if (mend) mend();
      },
    );
  });
});
