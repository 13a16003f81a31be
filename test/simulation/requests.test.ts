/** Requests for one service one after another: what an application has, and whose it is, while some wait for their turn. */
import { afterEach, describe, expect, it } from 'vitest';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { statesOf, tell } from '../support/memory-story.ts';

let cluster: MemoryCluster;
const { service, settled, count, refuseOnce } = tell(() => cluster);
const control = () => cluster.reconciler.control;
const ann = () => cluster.reconciler.limit({ name: 'ann', user: 'ann', role: 'application_provider', by: 'login' });
const documents = (...services: readonly object[]) => [
  { file: 'a.yaml', text: descriptor(services.map((one) => ({ ...one }))) },
];
const web = { microservice_name: 'web' };
const db = { microservice_name: 'db' };

afterEach(async () => {
  expect(cluster.fatal).toEqual([]);
  await cluster.close();
});

describe('an application stays with who has a deployment of it that waits', () => {
  const deploy = (code: string) => ann().deploy({ documents: documents({ ...web, code }) });
  const remove = () => ann().remove({ services: [service('web')] }, 'ann');

  it('behind one that the disk refuses', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    refuseOnce();
    expect(await statesOf(deploy('oakctl/test:1'), deploy('oakctl/test:2'))).toEqual(['rejected', 'fulfilled']);
    await settled('web');
    expect(ann().services()).toHaveLength(1);
  });

  it('behind the deletion of all that it has', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    await deploy('oakctl/test:1');
    await settled('web');
    expect(await statesOf(remove(), deploy('oakctl/test:2'))).toEqual(['fulfilled', 'fulfilled']);
    await settled('web');
    expect(ann().services()).toHaveLength(1);
  });

  it('and with nobody once nothing is left or on its way', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    await deploy('oakctl/test:1');
    await remove();
    await control().deploy({ documents: documents(web) });
    expect(ann().services()).toEqual([]);
  });
});

describe('the deletion of an application', () => {
  const app = { apps: ['shop.default'] };
  const begin = async () => {
    cluster = await createMemoryCluster({ workers: 0 });
    await control().deploy({ documents: documents(web) });
  };

  it('takes what a deployment before it, that waited, added', async () => {
    await begin();
    const deploy = (...services: readonly object[]) => control().deploy({ documents: documents(...services) });
    const second = deploy({ ...web, code: 'oakctl/test:2' });
    const third = deploy({ ...web, code: 'oakctl/test:3' }, db);
    const [, , { services }] = await Promise.all([second, third, control().remove(app, 'ann')]);
    expect(new Set(services)).toEqual(new Set([service('web'), service('db')]));
    expect(cluster.records.direct).toEqual({});
  });

  it('has nothing to do with a service of it that is deleted meanwhile', async () => {
    await begin();
    await control().deploy({ documents: documents(db) });
    const one = control().remove({ services: [service('web')] }, 'ann');
    expect(await statesOf(one, control().remove(app, 'ann'))).toEqual(['fulfilled', 'fulfilled']);
    expect(cluster.records.direct).toEqual({});
  });

  it('has nothing to do with a service of it that the disk refuses', async () => {
    await begin();
    refuseOnce();
    const another = control().deploy({ documents: documents(db) });
    expect(await statesOf(another, control().remove(app, 'ann'))).toEqual(['rejected', 'fulfilled']);
    expect(cluster.records.direct).toEqual({});
  });
});

describe('who asks for the same as one whom the disk refuses has it', () => {
  const name = service('web');
  const stop = () => control().stop(name, { actor: 'ann' });
  const start = () => control().start(name, 'ann');
  const begin = async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    await control().deploy({ documents: documents(web) });
    await settled('web');
  };

  it('a stop', async () => {
    await begin();
    refuseOnce();
    expect(await statesOf(stop(), stop())).toEqual(['rejected', 'fulfilled']);
    await count('web', 0);
  });

  it('a start', async () => {
    await begin();
    await stop();
    await count('web', 0);
    refuseOnce();
    expect(await statesOf(start(), start())).toEqual(['rejected', 'fulfilled']);
    await count('web', 1);
  });

  it('a restart', async () => {
    await begin();
    const [before] = cluster.running();
    const restart = () => control().restart(name, undefined, 'ann');
    refuseOnce();
    expect(await statesOf(restart(), restart())).toEqual(['rejected', 'fulfilled']);
    await cluster.clock.until(() => !cluster.running().includes(before ?? ''), 60_000, 'made anew');
  });

  it('to undo a removal by git', async () => {
    cluster = await createMemoryCluster({});
    const files = { 'api.yaml': descriptor([{ microservice_name: 'api' }]) };
    await cluster.push({ ...files, 'web.yaml': descriptor([web]) });
    await settled('web', 'api');
    await cluster.push(files);
    await count('web', 0);
    refuseOnce();
    const undelete = () => control().undelete(name, { actor: 'ann' });
    expect(await statesOf(undelete(), undelete())).toEqual(['rejected', 'fulfilled']);
    await count('web', 1);
  });
});

it('an override whose end the disk refuses gives way to the one that is asked for behind it', async () => {
  cluster = await createMemoryCluster({});
  await cluster.push({ 'web.yaml': descriptor([web]) });
  await settled('web');
  const { override } = await control().scale(service('web'), 2, { actor: 'ann' });
  refuseOnce();
  const end = control().removeOverride(override?.id ?? '', 'ann');
  expect(await statesOf(end, control().scale(service('web'), 3, { actor: 'bob' }))).toEqual(['rejected', 'fulfilled']);
  await count('web', 3);
  expect(control().overrides()).toHaveLength(1);
});

describe('what a full disk refuses to both of two who ask of one', () => {
  const refused = async (...asked: readonly (() => Promise<unknown>)[]) => {
    cluster = await createMemoryCluster({ workers: 1 });
    cluster.disk.full = true;
    expect(await statesOf(...asked.map((ask) => ask()))).toEqual(asked.map(() => 'rejected'));
    cluster.disk.full = false;
    await cluster.clock.advance(5_000);
  };

  it('cluster leaves it going', async () => {
    await refused(
      () => control().suspend('cluster', { actor: 'ann' }),
      () => control().resume('cluster', 'bob'),
    );
    expect(cluster.records.suspends).toEqual({});
  });

  it('node leaves it open', async () => {
    const id = () => cluster.nodes[0]?.id ?? '';
    await refused(
      () => control().drain(id(), { actor: 'ann' }),
      () => control().uncordon(id(), 'bob'),
    );
    expect(cluster.records.nodes[id()]?.cordon).toBeUndefined();
  });
});
