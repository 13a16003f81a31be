/** What people do to containers on a node by hand: seen, told, and healed or left. */
import { afterEach, describe, expect, it } from 'vitest';
import type { CopyKey } from '../../agent/runtimes/runtime.ts';
import { driftRows } from '../../cli/render/drift.ts';
import { createMemoryCluster, descriptor, type MemoryCluster, type Wiring } from '../support/memory-cluster.ts';
import type { MemoryNode } from '../support/memory-node.ts';
import { tell, toldOf } from '../support/memory-story.ts';

let cluster: MemoryCluster;
const { service, settled } = tell(() => cluster);
const instance = `${service('web')}.instance.0`;
const control = () => cluster.reconciler.control;

afterEach(async () => {
  expect(cluster.fatal).toEqual([]);
  await cluster.close();
});

interface Place {
  readonly node: MemoryNode;
  readonly key: CopyKey;
}

async function begin(more: object = {}, drift?: 'keep', wiring: Wiring = {}): Promise<Place> {
  const policies = new Map(
    ['worker-1', 'worker-2', 'worker-3'].map((name) => [name, { grants: [], ...(drift && { drift }) }]),
  );
  cluster = await createMemoryCluster({ policies, wiring });
  cluster.git.push({ 'web.yaml': descriptor([{ microservice_name: 'web', code: 'oakctl/test:1', ...more }]) });
  await settled('web');
  return place();
}

function place(): Place {
  for (const node of cluster.nodes) {
    for (const copy of node.runtime.copies.values()) if (copy.instance === instance) return { node, key: copy };
  }
  throw new Error('there is no copy');
}

const rows = () => driftRows(control().instances(), true);
const stateOf = ({ node, key }: Place) => node.runtime.copies.get(`${key.instance}/${key.copy}`);
const seen = (what: string) =>
  cluster.clock.until(() => rows().some(({ kind, healed }) => kind === what && !healed), 60_000, `${what}, and open`);
const healed = (what: string) =>
  cluster.clock.until(() => rows().some((row) => row.kind === what && row.healed), 60_000, `${what}, and healed`);

describe('by hand', () => {
  it('a container is stopped: it starts again at once, and that is no crash', async () => {
    const at = await begin();
    at.node.runtime.kill(at.key);
    await healed('stopped');
    expect(stateOf(at)?.state).toBe('running');
    expect(control().instances()).toMatchObject([{ copy: at.key.copy, restarts: 0, status: 'running' }]);
    const name = at.node.name;
    expect(await toldOf(cluster.reconciler, 'instance_drift')).toEqual(
      expect.arrayContaining([`${instance} as wanted again, after it was stopped by hand on ${name}`]),
    );
  });

  it('five stops in a row are no crash loop', async () => {
    const at = await begin();
    for (let n = 0; n < 6; n += 1) {
      at.node.runtime.kill(at.key);
      await cluster.clock.until(() => stateOf(at)?.state === 'running', 5_000, 'runs again');
      await cluster.clock.advance(1_000);
    }
    expect(control().instances()).toMatchObject([{ status: 'running', restarts: 0 }]);
  });

  it('what ends by itself is a crash, and no drift', async () => {
    const at = await begin();
    at.node.runtime.exit(at.key, 1);
    await cluster.clock.until(() => control().instances()[0]?.restarts === 1, 60_000, 'restarted');
    expect(rows()).toEqual([]);
  });

  it('a container is removed: it is made anew as the same copy', async () => {
    const at = await begin();
    at.node.runtime.vanish(at.key);
    await healed('removed');
    expect(stateOf(at)?.state).toBe('running');
    expect(rows()).toMatchObject([{ instance, copy: at.key.copy, node: at.node.name, kind: 'removed', healed: true }]);
  });

  it('its limits are changed: it is made anew, unless they are changed back first', async () => {
    const at = await begin();
    const { handle } = stateOf(at) ?? {};
    at.node.runtime.alter(at.key, ['memory limit 8 MB instead of none']);
    await healed('changed');
    await settled('web');
    expect(stateOf(at)).toMatchObject({ state: 'running', copy: at.key.copy });
    expect(stateOf(at)?.handle).not.toBe(handle);
    expect(rows()).toMatchObject([{ what: 'memory limit 8 MB instead of none', healed: true }]);
  });

  it('it is changed, and changed back while its engine is silent: nothing is done to it', async () => {
    const at = await begin();
    const { runtime } = at.node;
    const before = cluster.handles();
    runtime.script('stop', at.key.instance, { fail: 'RUNTIME_UNAVAILABLE', times: 1 });
    runtime.alter(at.key, ['paused']);
    await seen('changed');
    runtime.engine('down');
    await cluster.clock.until(() => control().instances()[0]?.status === 'unknown', 60_000, 'unknown');
    await cluster.clock.advance(120_000);
    runtime.alter(at.key, []);
    runtime.engine('up');
    await healed('changed');
    expect(cluster.handles()).toEqual(before);
  });

  it('it is paused, and the engine tells nobody: it is made anew all the same', async () => {
    let isDeaf = false;
    const wiring: Wiring = {
      agent: (deps) => ({
        ...deps,
        runtimes: deps.runtimes.map((runtime) => ({
          ...runtime,
          watch: (onEvent, signal) => runtime.watch((event) => void (isDeaf || onEvent(event)), signal),
        })),
      }),
    };
    const at = await begin({}, undefined, wiring);
    isDeaf = true;
    at.node.runtime.pause(at.key);
    await healed('changed');
    await settled('web');
    expect(stateOf(at)).toMatchObject({ state: 'running', copy: at.key.copy });
    expect(stateOf(at)).not.toHaveProperty('paused');
  });

  it('what the cluster does itself is none: restart, update, removal', async () => {
    await begin();
    await control().restart(service('web'), undefined, 'ann');
    await cluster.clock.advance(60_000);
    cluster.git.push({ 'web.yaml': descriptor([{ microservice_name: 'web', code: 'oakctl/test:2' }]) });
    await cluster.clock.advance(60_000);
    expect(control().instances()).toMatchObject([{ status: 'running' }]);
    expect(rows()).toEqual([]);
    expect(await toldOf(cluster.reconciler, 'instance_drift')).toEqual([]);
  });
});

describe('on a node whose policy says keep', () => {
  it.each([
    ['stopped', 'prepared'],
    ['removed', 'waiting'],
  ] as const)('what is %s is left so, is told, and moves nowhere', async (kind, status) => {
    const at = await begin({}, 'keep');
    if (kind === 'stopped') at.node.runtime.kill(at.key);
    else at.node.runtime.vanish(at.key);
    await seen(kind);
    await cluster.clock.advance(600_000);
    expect(stateOf(at)?.state).toBe(kind === 'stopped' ? 'exited' : undefined);
    expect(cluster.running()).toEqual([]);
    expect(control().instances()).toMatchObject([
      {
        status,
        reason: { code: 'DRIFT_KEPT', message: `somebody else ${kind} it on its node, whose policy keeps that` },
      },
    ]);
    expect(control().holds()).toMatchObject([{ code: 'DRIFT_KEPT', subject: instance }]);
  });

  it('an engine that comes back ends that: it stops what it has by the same signals', async () => {
    const at = await begin({}, 'keep');
    at.node.runtime.kill(at.key);
    await seen('stopped');
    at.node.runtime.engine('down');
    await cluster.clock.advance(60_000);
    at.node.runtime.engine('up');
    await settled('web');
    expect(cluster.running()).toHaveLength(1);
  });

  it('a restart of the reconciler changes nothing; one of the instance ends it', async () => {
    const at = await begin({}, 'keep');
    at.node.runtime.kill(at.key);
    await seen('stopped');
    await cluster.restartReconciler();
    await cluster.clock.advance(60_000);
    expect(cluster.running()).toEqual([]);
    expect(rows()).toMatchObject([{ kind: 'stopped', healed: false }]);
    await control().restart(service('web'), undefined, 'ann');
    await settled('web');
    expect(cluster.running()).toHaveLength(1);
  });

  it('ends when the service is stopped, and started again', async () => {
    const at = await begin({ restart: 'never' }, 'keep');
    at.node.runtime.kill(at.key);
    await seen('stopped');
    await control().stop(service('web'), { actor: 'ann' });
    await cluster.clock.advance(60_000);
    expect(cluster.running()).toEqual([]);
    await control().start(service('web'), 'ann');
    await settled('web');
    expect(cluster.running()).toHaveLength(1);
  });

  it('goes on when it is started by hand, or another version comes', async () => {
    const at = await begin({}, 'keep');
    at.node.runtime.kill(at.key);
    await seen('stopped');
    at.node.runtime.revive(at.key);
    await healed('stopped');
    await settled('web');
    place().node.runtime.kill(place().key);
    await seen('stopped');
    cluster.git.push({ 'web.yaml': descriptor([{ microservice_name: 'web', code: 'oakctl/test:2' }]) });
    await settled('web');
    expect(cluster.running()).toHaveLength(1);
    expect(rows()).toEqual([]);
  });

  it('what is changed runs on as it is, and is listed', async () => {
    const at = await begin({}, 'keep');
    at.node.runtime.alter(at.key, ['paused']);
    await seen('changed');
    await cluster.clock.advance(60_000);
    expect(stateOf(at)?.handle).toBe((at.key as { handle?: string }).handle);
    at.node.runtime.alter(at.key, []);
    await healed('changed');
  });

  it('what is changed and crashes is restarted as usual, and is changed all the same', async () => {
    const at = await begin({}, 'keep');
    at.node.runtime.alter(at.key, ['memory limit 8 MB instead of none']);
    await seen('changed');
    at.node.runtime.exit(at.key, 137);
    await cluster.clock.until(() => control().instances()[0]?.restarts === 1, 60_000, 'restarted');
    await cluster.clock.advance(60_000);
    expect(rows()).toMatchObject([{ what: 'memory limit 8 MB instead of none', healed: false }]);
    // An engine that starts anew forgets a pause, for one.
    at.node.runtime.engine('down');
    await cluster.clock.advance(60_000);
    at.node.runtime.alter(at.key, []);
    at.node.runtime.engine('up');
    await healed('changed');
  });

  it('what is stopped stays so when its limits are changed, which is listed once it is started', async () => {
    const at = await begin({}, 'keep');
    at.node.runtime.kill(at.key);
    await seen('stopped');
    at.node.runtime.alter(at.key, ['memory limit 8 MB instead of none']);
    await cluster.clock.advance(60_000);
    expect(stateOf(at)?.state).toBe('exited');
    expect(rows()).toMatchObject([{ kind: 'stopped', healed: false }]);
    at.node.runtime.revive(at.key);
    await seen('changed');
    expect(stateOf(at)?.state).toBe('running');
  });
});
