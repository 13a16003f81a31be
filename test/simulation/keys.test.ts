import { afterEach, expect, it } from 'vitest';
import type { NodeIdentity } from '../../agent/identity.ts';
import type { Keychain } from '../../agent/keychain.ts';
import { firstRing, type Ring } from '../../reconciler/core/ring.ts';
import type { KeyView } from '../../schemas/keys.ts';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { joinedIdentity, withKeychain } from '../support/memory-keychain.ts';
import { createMemoryKeys } from '../support/memory-keys.ts';

const day = 86_400_000;
let cluster: MemoryCluster;
afterEach(() => cluster.close());

/** A cluster whose agents keep the keys that they hear of on their disks. */
async function start(settings?: string) {
  const disk: { ring: Ring } = { ring: firstRing };
  const keys = createMemoryKeys('test', 7, disk);
  const keychains = new Map<string, Keychain>();
  const joined = new Map<string, NodeIdentity>();
  cluster = await createMemoryCluster({
    workers: 3,
    ...(settings !== undefined && { settings }),
    wiring: {
      keys,
      agent: (deps, { name }) => {
        const first = joined.get(name) ?? joinedIdentity(keys, deps.identity);
        joined.set(name, first);
        const made = withKeychain(
          deps,
          () => first,
          (node, password) => cluster.reconciler.control.renewCredential(node, password),
        );
        keychains.set(name, made.keychain);
        return made.deps;
      },
    },
  });
  await cluster.push({ 'app.yaml': descriptor([service('oakctl/test:1')]) });
  await cluster.clock.until(() => cluster.running().length === 3, 60_000, 'three instances');
  return { keys, disk, keychains };
}

const service = (code: string) => ({
  microservice_name: 'web',
  microservice_namespace: 'prod',
  replicas: 'every',
  code,
});
const control = () => cluster.reconciler.control;
const nodeOf = (name: string) => {
  const found = cluster.nodes.find((node) => node.name === name);
  if (!found) throw new Error(`no ${name}`);
  return found;
};
const stateOf = (name: string) =>
  control()
    .nodes()
    .find((node) => node.name === name)?.state;
const keyOf = (id: string): KeyView | undefined =>
  control()
    .keys()
    .find((key) => key.id === id);
const idsOf = (handles: Map<string, string>) => [...handles].sort();

it('a new signing key is announced, used once all in reach have it, and the old one ends: no copy restarts', async () => {
  const { keys } = await start();
  const [before, first] = [idsOf(cluster.handles()), keys.kid];
  const { id = '' } = await control().rotateKeys({ kind: 'cluster', overlap: day });
  expect(keyOf(id)).toMatchObject({ state: 'announced', nodes: 3 });
  expect(keys.kid).toBe(first);
  await expect(control().rotateKeys({ kind: 'cluster' })).rejects.toMatchObject({ problem: { code: 'REFUSED' } });
  await cluster.clock.until(() => keyOf(id)?.state === 'used', 30_000, 'the new key in use');
  expect([keyOf(id)?.taken, keyOf(first)?.state]).toEqual([3, 'overlap']);
  cluster.clock.jumpWall(day);
  await cluster.clock.until(() => keyOf(first)?.state === 'ended', 30_000, 'the end of the overlap');
  await cluster.clock.advance(30_000);
  expect(idsOf(cluster.handles())).toEqual(before);
  // And it is the new key by which they follow.
  await cluster.push({ 'app.yaml': descriptor([service('oakctl/test:2')]) });
  await cluster.clock.until(
    () => control().services()[0]?.outcome === 'settled' && cluster.running().length === 3,
    120_000,
  );
  expect(idsOf(cluster.handles())).not.toEqual(before);
  expect(cluster.fatal).toEqual([]);
});

it('who was away for 180 days, over rotations and restarts, comes back with its credential; who was revoked does not', async () => {
  const { keys } = await start('cluster: test\nnode_class: lan\ncpu_overcommit: 16\n');
  const before = idsOf(cluster.handles());
  nodeOf('worker-2').kill();
  nodeOf('worker-3').kill();
  await cluster.clock.until(() => stateOf('worker-3') === 'lost' && stateOf('worker-2') === 'lost', 120_000);
  await control().revoke(nodeOf('worker-2').id);
  for (let round = 0; round < 2; round += 1) {
    const { id = '' } = await control().rotateKeys({ kind: 'cluster', overlap: day });
    await cluster.clock.until(() => keyOf(id)?.state === 'used', 60_000, 'the new key in use');
    cluster.clock.jumpWall(90 * day);
    await cluster.clock.until(() => keys.ring.ends === undefined, 60_000, 'the end of the overlap');
    await cluster.restartReconciler();
  }
  expect([keys.ring.used, keys.ring.ended]).toEqual([2, 2]);
  await nodeOf('worker-2').start();
  await nodeOf('worker-3').start();
  await cluster.clock.until(() => stateOf('worker-3') === 'online', 60_000, 'the node that was away');
  await cluster.clock.until(() => keyOf(keys.kid)?.taken === 2, 60_000, 'its word that it has the newest key');
  await cluster.clock.advance(60_000);
  expect(
    control()
      .nodes()
      .filter(({ state }) => state === 'online')
      .map(({ name }) => name),
  ).toEqual(['worker-1', 'worker-3']);
  const after = idsOf(cluster.handles());
  expect(after).toEqual(before);
});

it('with --now the old key is worth nothing at once, and open join tokens go with it', async () => {
  const { keys, keychains } = await start();
  const first = keys.kid;
  const token = await control().createToken({});
  const before = idsOf(cluster.handles());
  const answer = await control().rotateKeys({ kind: 'cluster', now: true });
  expect(answer.revoked).toEqual([token.id]);
  expect(keyOf(first)?.state).toBe('ended');
  await cluster.clock.until(() => keyOf(answer.id ?? '')?.taken === 3, 30_000, 'all nodes on the new key');
  for (const keychain of keychains.values()) expect(keychain.trusts().key).toBe(keys.kid);
  expect(idsOf(cluster.handles())).toEqual(before);
});

it('a rotation goes on after the reconciler was killed, and waits for a node that is in reach and cannot', async () => {
  const { keys } = await start();
  // An agent of an earlier version: says nothing of keys.
  const deaf = nodeOf('worker-1');
  const { id = '' } = await control().rotateKeys({ kind: 'cluster', overlap: day });
  deaf.kill();
  await cluster.restartReconciler();
  expect(keyOf(id)?.state).toBe('announced');
  await cluster.clock.until(() => stateOf('worker-1') === 'lost', 120_000);
  await cluster.clock.until(() => keyOf(id)?.state === 'used', 60_000, 'the new key in use without it');
  expect(keys.kid).toBe(id);
});

it('credentials are exchanged without a restart, and the old ones end', async () => {
  const { keychains } = await start();
  const before = idsOf(cluster.handles());
  const answer = await control().rotateKeys({ kind: 'node', all: true });
  expect(answer).toMatchObject({ nodes: ['worker-1', 'worker-2', 'worker-3'], skipped: [] });
  const records = () => Object.values(cluster.records.nodes);
  await cluster.clock.until(
    () => records().every(({ serial, next }) => serial === 2 && !next),
    30_000,
    'new credentials',
  );
  for (const { name, id } of cluster.nodes) {
    expect(keychains.get(name)?.password()).toBe(`2.${id}`);
    await expect(control().renewCredential(id, `1.${id}`)).rejects.toMatchObject({ problem: { code: 'UNAUTHORIZED' } });
  }
  expect(idsOf(cluster.handles())).toEqual(before);
});

it('a rotation of credentials that the disk refuses does not come true later', async () => {
  await start();
  const { id } = nodeOf('worker-1');
  cluster.disk.full = true;
  await expect(control().rotateKeys({ kind: 'node', nodes: [id] })).rejects.toMatchObject({
    problem: { code: 'FILE_UNWRITABLE' },
  });
  cluster.disk.full = false;
  await cluster.clock.advance(30_000);
  expect(cluster.records.nodes[id]?.next).toBeUndefined();
  expect(cluster.records.nodes[id]?.serial).toBe(1);
  await control().rotateKeys({ kind: 'node', nodes: [id] });
  await cluster.clock.until(() => cluster.records.nodes[id]?.serial === 2, 60_000, 'the next credential');
});
