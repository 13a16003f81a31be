/** A database with a volume, on the real Engine: its node is lost, it waits with its reason, and comes back with its data. */
import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestCluster, type TestCluster, takeDown } from '../support/cluster.ts';
import { descriptor, fullName } from '../support/descriptors.ts';
import { buildTestImages, engineAnswers } from '../support/engine.ts';
import { eventually } from '../support/eventually.ts';
import { unique } from '../support/machine.ts';

const shop = unique('shop');
const [db, cache] = [fullName(shop, 'db'), fullName(shop, 'cache')];
const wanted = { [db]: 1, [cache]: 1 };

describe.skipIf(!(await engineAnswers()))('a service with a volume', () => {
  let cluster: TestCluster;
  /** Each start writes a line into the volume. */
  const service = (more: object = {}, volume: object = {}) => ({
    code: 'oakctl/test:1',
    cmd: ['sh', '-c', 'echo started >> /data/log; exec sleep 10000'],
    memory: 20,
    volumes: [{ name: 'data', mount_path: '/data', ...volume }],
    ...more,
  });
  const push = (forDb: object = {}, forCache: object = {}) =>
    cluster.repository.push({
      'shop.yaml': descriptor(shop, { db: service(forDb), cache: service(forCache, { portable: true }) }),
    });
  const starts = async (name: string): Promise<number> =>
    (await cluster.oakctl('exec', `${name}.instance.0`, '--', 'cat', '/data/log')).split('started').length - 1;
  const nodeOf = async (name: string) => (await cluster.instances()).find((one) => one.service === name)?.node;
  const volumesOf = async (name: string): Promise<readonly string[]> => {
    const filters = { label: [`io.oakctl.cluster=${cluster.fingerprint}`, `io.oakctl.instance=${name}.instance.0`] };
    const { Volumes } = await new Docker().listVolumes({ filters });
    return Volumes.map(({ Name }) => Name);
  };

  beforeAll(async () => {
    await buildTestImages();
    cluster = await createTestCluster({ workers: 3 });
    // Both on one node, so that one loss tells both stories. Afterwards they may go anywhere.
    const constraints = [{ type: 'direct', node: 'worker-2' }];
    await push({ constraints }, { constraints });
    await cluster.settled(wanted);
  });
  afterAll(() => takeDown(cluster));

  it('keeps its data over an update, on its node', async () => {
    expect(await starts(db)).toBe(1);
    const node = await nodeOf(db);
    await push({ environment: ['VERSION=2'] });
    await eventually(async () => expect(await starts(db)).toBe(2), { timeout: 90_000, what: 'the new version' });
    await cluster.settled(wanted);
    expect(await nodeOf(db)).toBe(node);
    expect(await volumesOf(db)).toHaveLength(1);
  });

  it('waits for its lost node, and comes back with its data; a portable one starts empty elsewhere', async () => {
    const node = 'worker-2';
    expect([await nodeOf(db), await nodeOf(cache)]).toEqual([node, node]);
    const lived = await starts(db);
    await cluster.oakctl('stop', node, '--hard');
    const hold = await eventually(
      async () => {
        const { holds } = await cluster.get<{ holds: readonly { code: string; hint?: string }[] }>(`services/${db}`);
        const found = holds.find(({ code }) => code === 'VOLUME_ON_LOST_NODE');
        if (!found) throw new Error(JSON.stringify(holds));
        return found;
      },
      { timeout: 90_000, what: 'VOLUME_ON_LOST_NODE' },
    );
    expect(hold.hint).toContain('--accept-empty-volume');
    const why = await cluster.run('why', db);
    expect(why.stdout).toContain(`${node}, which is lost`);
    await eventually(async () => expect(await nodeOf(cache)).not.toBe(node), { timeout: 90_000, what: 'a new place' });
    await eventually(async () => expect(await starts(cache)).toBe(1), { timeout: 90_000, what: 'an empty volume' });
    await cluster.oakctl('up', node);
    await cluster.settled(wanted);
    expect(await nodeOf(db)).toBe(node);
    expect(await starts(db)).toBe(lived + 1);
    expect(await volumesOf(cache)).toHaveLength(2);
  });
});
