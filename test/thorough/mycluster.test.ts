/** The story of MyCluster's manual, told with oakctl: three replicas over four workers, one worker stopped, three replicas again. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterEvent } from '../../schemas/cluster-events.ts';
import { type Container, createTestCluster, program, type TestCluster, takeDown } from '../support/cluster.ts';
import { descriptor, fullName } from '../support/descriptors.ts';
import { buildImage, engineAnswers } from '../support/engine.ts';
import { eventually, steadily } from '../support/eventually.ts';
import { ownPort, unique } from '../support/machine.ts';

const app = unique('mycluster');
const service = fullName(app, 'hello-world');
const replicas = 3;

/** Containers of an image on a worker, as MyCluster says it. */
interface Shown {
  readonly image: string;
  readonly numOfRunningContainers: number;
}

describe.skipIf(!(await engineAnswers()))('three replicas over four workers', () => {
  let cluster: TestCluster;
  let before: readonly Container[];
  let victim: { readonly name: string; readonly id: string };

  beforeAll(async () => {
    const code = await buildImage('oakctl/test-web:1', { port: 80, text: 'one' });
    cluster = await createTestCluster({ workers: 4 });
    await cluster.repository.push({ 'app.yaml': descriptor(app, { 'hello-world': { code, replicas, memory: 20 } }) });
    await cluster.settled({ [service]: replicas });
    before = await running();
  });
  afterAll(() => takeDown(cluster));

  const running = async (): Promise<readonly Container[]> =>
    (await cluster.containers()).filter(({ state }) => state === 'running');
  const instancesOf = (containers: readonly Container[]) => containers.map(({ instance }) => instance).sort();
  /** Instances that were started because their worker was lost, as often as that happened: MyCluster's `containers.relocated`. */
  const relocated = async (): Promise<string[]> => {
    const { items } = JSON.parse(await cluster.oakctl('events', '-o', 'json')) as { items: readonly ClusterEvent[] };
    return items
      .filter(({ kind, message }) => kind === 'instance_started' && message.includes(`${victim.name} is lost`))
      .map(({ subject }) => subject);
  };
  /** MyCluster's `workers.failures`. */
  const failures = async (): Promise<number> => {
    const { items } = JSON.parse(await cluster.oakctl('events', '-o', 'json')) as { items: readonly ClusterEvent[] };
    return items.filter(({ kind, subject }) => kind === 'node_lost' && subject === `node/${victim.name}`).length;
  };

  it('are on three workers, one each', async () => {
    expect(before).toHaveLength(replicas);
    expect(new Set(before.map(({ node }) => node)).size).toBe(replicas);
    expect(new Set(instancesOf(before)).size).toBe(replicas);
    const nodes = await cluster.nodes();
    expect(nodes).toHaveLength(4);
    const found = nodes.find(({ id }) => id === before[0]?.node);
    victim = { name: found?.name ?? '', id: found?.id ?? '' };
    expect(await relocated()).toEqual([]);
  });

  it('are three again after one worker was stopped, and the one that moved is counted once', async () => {
    const moved = instancesOf(before.filter(({ node }) => node === victim.id));
    expect(moved).toHaveLength(1);
    await cluster.oakctl('stop', victim.name, '--hard');
    const all = async (): Promise<void> => expect(instancesOf(await running())).toEqual(instancesOf(before));
    await eventually(all, { timeout: 120_000, what: 'three replicas' });
    await cluster.settled({ [service]: replicas });

    const after = await running();
    expect(after.some(({ node }) => node === victim.id)).toBe(false);
    const stayed = before.filter(({ node }) => node !== victim.id).map(({ id }) => id);
    expect(after.map(({ id }) => id)).toEqual(expect.arrayContaining(stayed));
    expect(await relocated()).toEqual(moved);
    expect(await failures()).toBe(1);
  });

  it('stay where they are when the worker is back, and nothing is counted again', async () => {
    const after = await running();
    await cluster.oakctl('up', victim.name);
    const isBack = async (): Promise<void> =>
      expect((await cluster.nodes()).map(({ state }) => state)).toEqual(['online', 'online', 'online', 'online']);
    await eventually(isBack, { timeout: 60_000, what: 'the return of the worker' });
    const same = async (): Promise<void> => expect(await running()).toEqual(after);
    await eventually(same, { timeout: 30_000, what: 'one copy of each instance' });
    await steadily(same, 2_000, 'one copy of each instance');
    expect(await relocated()).toHaveLength(1);
    expect(await failures()).toBe(1);
  });

  describe("and by MyCluster's own API, request by request", () => {
    const image = 'crccheck/hello-world';
    let api: string;
    const get = async (path: string) =>
      (await (await fetch(`${api}/api/v1/${path}`)).json()) as Record<string, unknown>;
    /** Of the service, as a state has them. */
    const containersIn = (state: unknown): number =>
      (state as { readonly 'cluster.workers': readonly { readonly serviceInstances: readonly Shown[] }[] })[
        'cluster.workers'
      ]
        .flatMap(({ serviceInstances }) => serviceInstances)
        .filter((shown) => shown.image === image)
        .reduce((sum, { numOfRunningContainers }) => sum + numOfRunningContainers, 0);
    const own = async () => (await running()).filter(({ instance }) => instance.startsWith('mycluster.default.'));

    beforeAll(async () => {
      await buildImage(`${image}:latest`, { port: 8000, text: 'hello' });
      const port = await ownPort(60);
      api = `http://localhost:${port}`;
      await cluster.configure((text) => `${text}compat: { mycluster: { port: ${port} } }\n`);
    });

    it('plays the manual: state, a service of three, the service, a worker that fails, the counters', async () => {
      const walk = fileURLToPath(new URL('../../examples/mycluster/walk.sh', import.meta.url));
      const env = { ...process.env, OAKCTL_HOME: cluster.home, OAKCTL_CONTEXT: cluster.name };
      const options = { API: api, KEEP: 'yes', OAKCTL: `${process.execPath} ${program}` };
      const { stdout } = await promisify(execFile)(walk, { env: { ...env, ...options } });
      const [stats, , posted, one, counters, taken, again, list, changed] = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown);
      expect(stats).toMatchObject({ 'cluster.upTime': expect.stringMatching(/^0:0\d:\d\d/), 'workers.failures': 1 });
      const three = { service: 'hello-world', image, replicas: 3, last_updated: expect.any(Number) as number };
      expect(one).toEqual(three);
      expect(list).toContainEqual(three);
      for (const state of [posted, again]) {
        expect(state).toMatchObject({ 'cluster.name': 'test', 'cluster.numOfWorkers': 4 });
        expect(containersIn(state)).toBe(3);
      }
      const requests = Number((stats as Record<string, unknown>)['services.totalOfRequests']);
      expect(counters).toMatchObject({ 'workers.failures': 2, 'services.totalOfRequests': requests + 1 });
      expect(containersIn(taken)).toBe(3);
      expect(containersIn(changed)).toBe(2);
      expect(await own()).toHaveLength(2);
    });

    it('counts an outage once, and each container that moved once', async () => {
      const { items } = JSON.parse(await cluster.oakctl('events', '-o', 'json')) as { items: readonly ClusterEvent[] };
      // The one of before the restart is only in the counters.
      const moves = items.filter(({ kind, message }) => kind === 'instance_started' && message.includes(' is lost'));
      const counted = async (): Promise<void> =>
        expect(await get('stats')).toMatchObject({
          'workers.failures': 2,
          'containers.relocated': 1 + moves.length,
          'services.totalOfContainers': replicas + 2,
        });
      await steadily(counted, 2_000, 'the counters after an outage');
      expect(moves.length).toBeGreaterThan(0);
      const deleted = await fetch(`${api}/api/v1/service/hello-world`, { method: 'DELETE' });
      expect(deleted.status).toBe(200);
      await eventually(async () => expect(await own()).toEqual([]), {
        timeout: 60_000,
        what: 'the end of the service',
      });
    });
  });
});
