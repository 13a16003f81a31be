/** What people wait for waits for the disk: how often that is. */
import { afterEach, describe, expect, it } from 'vitest';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { statesOf, tell } from '../support/memory-story.ts';

let cluster: MemoryCluster;
const { service, settled, count, refuseOnce } = tell(() => cluster);
const control = () => cluster.reconciler.control;
const deploy = (more: object = {}) =>
  control().deploy({ documents: [{ file: 'a.yaml', text: descriptor([{ microservice_name: 'web', ...more }]) }] });
/** Records that were saved from `work` until its copies are as it wants them. */
const saves = async (work: () => Promise<unknown>, copies: number): Promise<number> => {
  const before = cluster.disk.saves;
  await work();
  await count('web', copies);
  return cluster.disk.saves - before;
};

afterEach(async () => {
  expect(cluster.fatal).toEqual([]);
  await cluster.close();
});

it('a deployment, an update and a deletion write the records once before anything is done', async () => {
  cluster = await createMemoryCluster({ workers: 1 });
  expect(await saves(() => deploy({ replicas: 3 }), 3)).toBe(1);
  await settled('web');
  const update = { replicas: 3, code: 'oakctl/test:2' };
  expect(await saves(() => deploy(update), 4)).toBe(1);
  await settled('web');
  expect(cluster.records.rollouts[service('web')]).toMatchObject({ phase: 'settled' });
  expect(await saves(() => control().remove({ services: [service('web')] }, 'ann'), 0)).toBe(1);
  expect(cluster.records).toMatchObject({ direct: {}, rollouts: {} });
});

it('a deployment behind a deletion that a full disk refuses reuses no slot number', async () => {
  cluster = await createMemoryCluster({ workers: 1 });
  await deploy({ replicas: 2 });
  await settled('web');
  refuseOnce();
  const removed = control().remove({ services: [service('web')] }, 'ann');
  const [deletion] = await Promise.allSettled([removed, deploy({ code: 'oakctl/test:2' })]);
  expect(deletion.status).toBe('rejected');
  expect(cluster.records.direct[service('web')]).toMatchObject({ slots: [0], counter: 2 });
});

it('a deletion and a deployment behind it that a full disk refuses both leave all as it was', async () => {
  cluster = await createMemoryCluster({ workers: 1 });
  await deploy({ replicas: 2 });
  await settled('web');
  const { direct, rollouts } = cluster.records;
  cluster.disk.full = true;
  const removed = control().remove({ services: [service('web')] }, 'ann');
  const states = await statesOf(removed, deploy({ code: 'oakctl/test:2' }));
  expect(states).toEqual(['rejected', 'rejected']);
  cluster.disk.full = false;
  await cluster.clock.advance(30_000);
  await cluster.restartReconciler();
  expect(cluster.records).toMatchObject({ direct, rollouts });
  await settled('web');
  expect(cluster.running()).toHaveLength(2);
});

it('a deployment and a deletion that a full disk refuses leave no trace in what is known of updates', async () => {
  cluster = await createMemoryCluster({ workers: 1 });
  await deploy();
  await settled('web');
  const before = cluster.records;
  cluster.disk.full = true;
  await expect(deploy({ code: 'oakctl/test:2' })).rejects.toThrow();
  await expect(control().remove({ services: [service('web')] }, 'ann')).rejects.toThrow();
  cluster.disk.full = false;
  await cluster.clock.advance(30_000);
  await settled('web');
  await cluster.restartReconciler();
  await settled('web');
  expect(cluster.records.rollouts).toEqual(before.rollouts);
  expect(Object.keys(cluster.records.direct)).toEqual([service('web')]);
});

describe('while a version is on its way to a slow disk, an instance arrives where it was asked for', () => {
  const begin = async (
    workers = 2,
    ask = (): Promise<unknown> => deploy({ replicas: 2, code: 'oakctl/test:2' }),
  ): Promise<{ answer: Promise<unknown>; end: () => void }> => {
    cluster = await createMemoryCluster({ workers });
    await deploy();
    await settled('web');
    const { node, name: instance } = control().instances()[0] ?? { name: '' };
    const to = cluster.nodes.find(({ name }) => name !== node);
    await control().replicate(instance, to?.id ?? '', 'ann');
    await cluster.clock.until(() => cluster.running().length === 2, 60_000, 'it runs there');
    // All but the last second that it has to run for.
    await cluster.clock.advance(9_000);
    let end = (): void => undefined;
    cluster.disk.busy = new Promise((resolve) => {
      end = resolve;
    });
    const answer = ask();
    answer.catch(() => undefined);
    await cluster.clock.advance(20_000);
    return { answer, end };
  };

  const placeOf = (slot: number): string | undefined =>
    control()
      .instances()
      .find(({ name }) => name.endsWith(`.${slot}`))?.node;
  const beginMove = async (slot: number) => {
    let moved: Promise<unknown> = Promise.resolve();
    let move = { to: '', name: '', from: '' };
    const { end } = await begin(3, () => {
      const used = new Set(
        control()
          .instances()
          .map(({ node }) => node),
      );
      const free = cluster.nodes.find(({ name }) => !used.has(name));
      move = { to: free?.id ?? '', name: free?.name ?? '', from: placeOf(slot) ?? '' };
      moved = control().move(`${service('web')}.instance.${slot}`, move.to, 'ann');
      return moved;
    });
    return { move: { ...move, answer: moved }, end };
  };

  it('the version is in force once it is there', async () => {
    const { answer, end } = await begin();
    end();
    await answer;
    await cluster.clock.until(() => control().services()[0]?.image === 'oakctl/test:2', 10_000, 'wanted');
    await settled('web');
  });

  it.each([0, 1])('a move of instance %i that was asked for meanwhile is carried out', async (slot) => {
    const { move, end } = await beginMove(slot);
    end();
    await move.answer;
    expect(cluster.records.direct[service('web')]?.seats?.[slot]).toMatchObject({ to: move.to, command: 'move' });
    await cluster.clock.until(() => placeOf(slot) === move.name, 60_000, 'moved');
  });

  it.each([0, 1])('a move of instance %i that the disk refuses is not carried out', async (slot) => {
    const { move, end } = await beginMove(slot);
    cluster.disk.full = true;
    end();
    await expect(move.answer).rejects.toThrow('no space');
    cluster.disk.full = false;
    await cluster.clock.advance(60_000);
    expect(placeOf(slot)).toBe(move.from);
    expect(cluster.records.direct[service('web')]).not.toHaveProperty('seats');
    await cluster.restartReconciler();
    await settled('web');
    expect(placeOf(slot)).toBe(move.from);
  });

  it('a version that the disk refuses is forgotten, and the place is free', async () => {
    const { answer, end } = await begin();
    cluster.disk.full = true;
    end();
    await expect(answer).rejects.toThrow('no space');
    cluster.disk.full = false;
    await cluster.clock.advance(30_000);
    const { direct } = cluster.records;
    expect(direct[service('web')]?.spec.run.code).toBe('oakctl/test:1');
    expect(direct[service('web')]).not.toHaveProperty('seats');
    await cluster.restartReconciler();
    await settled('web');
    expect(control().services()[0]?.image).toBe('oakctl/test:1');
  });
});

it('who asks for what another asked for is answered for himself: what is on disk for one of them is in force', async () => {
  cluster = await createMemoryCluster({ workers: 1 });
  await deploy();
  await settled('web');
  refuseOnce();
  const version = { code: 'oakctl/test:2' };
  const states = await statesOf(deploy(version), deploy(version));
  expect(states).toEqual(['rejected', 'fulfilled']);
  await cluster.clock.until(() => control().services()[0]?.image === 'oakctl/test:2', 10_000, 'in force');
  await settled('web');
});

it.each([
  ['of another version', () => deploy({ code: 'oakctl/test:3' })],
  ['of another number', () => deploy({ replicas: 3 })],
  ['that removes it', () => control().remove({ services: [service('web')] }, 'ann')],
])('a version and, behind it, a request %s that a full disk refuses both leave all as it was', async (_, second) => {
  cluster = await createMemoryCluster({ workers: 1 });
  await deploy();
  await settled('web');
  const { direct, rollouts } = cluster.records;
  cluster.disk.full = true;
  const first = deploy({ code: 'oakctl/test:2' });
  const states = await statesOf(first, second());
  expect(states).toEqual(['rejected', 'rejected']);
  cluster.disk.full = false;
  await cluster.clock.advance(30_000);
  await cluster.restartReconciler();
  expect(cluster.records).toMatchObject({ direct, rollouts });
  await settled('web');
  expect(control().services()[0]?.image).toBe('oakctl/test:1');
});

describe('a request behind another one for the same service begins from what is on disk of that', () => {
  const image = () => control().services()[0]?.image;
  const second = () => deploy({ code: 'oakctl/test:2' });
  const replicate = () => control().replicate(`${service('web')}.instance.0`, undefined, 'ann');
  const begin = async (): Promise<void> => {
    cluster = await createMemoryCluster({ workers: 2 });
    await deploy();
    await settled('web');
  };

  it('what was answered is shown at once, though the next one is still to be written', async () => {
    await begin();
    const first = second();
    const behind = replicate();
    await first;
    expect(image()).toBe('oakctl/test:2');
    await behind;
    await count('web', 2);
  });

  it.each([
    ['one more instance', replicate],
    ['another version', () => deploy({ code: 'oakctl/test:3' })],
    ['its removal', () => control().remove({ services: [service('web')] }, 'ann')],
  ])('%s that the disk refuses leaves the one before in force', async (_what, next) => {
    await begin();
    refuseOnce(2);
    const states = await statesOf(second(), next());
    cluster.disk.full = false;
    expect(states).toEqual(['fulfilled', 'rejected']);
    expect(image()).toBe('oakctl/test:2');
    await settled('web');
    expect(cluster.running()).toHaveLength(1);
  });

  it('a version that the disk refuses is not carried along by one more instance', async () => {
    await begin();
    refuseOnce();
    const states = await statesOf(second(), replicate());
    expect(states).toEqual(['rejected', 'fulfilled']);
    await count('web', 2);
    await cluster.restartReconciler();
    await settled('web');
    expect(image()).toBe('oakctl/test:1');
  });

  it('a number for what the disk refused altogether has nothing to change', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    refuseOnce();
    const answers = await Promise.allSettled([deploy(), control().scale(service('web'), 2, { actor: 'ann' })]);
    expect(answers).toMatchObject([{ status: 'rejected' }, { reason: { problem: { code: 'NOT_FOUND' } } }]);
    expect(cluster.records.direct).toEqual({});
  });

  it('requests for other services do not wait for it', async () => {
    await begin();
    let end = (): void => undefined;
    cluster.disk.busy = new Promise((resolve) => {
      end = resolve;
    });
    const order: string[] = [];
    const asked = [second().then(() => order.push('web')), replicate().then(() => order.push('web again'))];
    const other = control()
      .deploy({ documents: [{ file: 'b.yaml', text: descriptor([{ microservice_name: 'db' }]) }] })
      .then(() => order.push('db'));
    end();
    await Promise.all([...asked, other]);
    expect(order.at(-1)).toBe('web again');
  });
});

it('a full disk is asked every now and then, however much happens meanwhile', async () => {
  cluster = await createMemoryCluster({});
  await deploy({ replicas: 3 });
  await settled('web');
  cluster.disk.full = true;
  await expect(deploy({ replicas: 4 })).rejects.toThrow('no space');
  const [lost = '', shaky = ''] = cluster.nodes.map(({ id }) => id);
  cluster.broker.cut(lost);
  await cluster.clock.advance(20_000);
  const before = cluster.disk.saves;
  for (let round = 0; round < 50; round += 1) {
    cluster.broker.cut(shaky);
    await cluster.clock.advance(50);
    cluster.broker.heal(shaky);
    await cluster.clock.advance(50);
  }
  expect(cluster.disk.saves - before).toBeLessThan(40);
  cluster.broker.heal(lost);
  await cluster.clock.advance(10_000);
  cluster.disk.full = false;
  await cluster.clock.advance(30_000);
  await settled('web');
  await count('web', 3);
});

it('a stop that the disk refuses stops nothing, also where another override of the service ends meanwhile', async () => {
  cluster = await createMemoryCluster({ workers: 1 });
  await cluster.push({ 'web.yaml': descriptor([{ microservice_name: 'web' }]) });
  await settled('web');
  await control().scale(service('web'), 2, { actor: 'ann', for: 60_000 });
  let end = (): void => undefined;
  cluster.disk.busy = new Promise((resolve) => {
    end = resolve;
  });
  const stop = control().stop(service('web'), { actor: 'ann' });
  const refused = statesOf(stop);
  await cluster.clock.advance(90_000);
  cluster.disk.full = true;
  end();
  expect(await refused).toEqual(['rejected']);
  cluster.disk.full = false;
  await cluster.clock.advance(60_000);
  expect(cluster.running()).toHaveLength(1);
  expect(control().overrides()).toEqual([]);
});
