/** The seeds' wire on the memory cluster: assumed copies, one control per change, operators. */
import { afterEach, describe, expect, it } from 'vitest';
import { jobNumber } from '../../schemas/assignment.ts';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { toldOf } from '../support/memory-story.ts';
import { createOperator, joinSeed } from '../support/seed-node.ts';

let cluster: MemoryCluster;
afterEach(async () => {
  expect(cluster.fatal).toEqual([]);
  expect(cluster.broker.denied).toEqual([]);
  await cluster.close();
});

const web = 'shop.default.web.default';
const one = `${web}.instance.0`;
const two = `${web}.instance.1`;
const on = (...nodes: string[]) => ({ constraints: [{ type: 'direct', node: nodes.join(';') }] });
const deploy = (service: object) =>
  cluster.reconciler.control.deploy({
    documents: [{ file: 'a.yaml', text: descriptor([{ microservice_name: 'web', ...service }]) }],
  });
const outcomeOf = (name: string) => cluster.reconciler.control.services().find((s) => s.name === name)?.outcome;
const reach = (name: string, outcome: string, ms = 60_000) =>
  cluster.clock.until(() => outcomeOf(name) === outcome, ms, `${name} ${outcome}`);

describe('a seed node', () => {
  it('is told once, is believed after the settle time, and is unconfirmed', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    const plant = await joinSeed(cluster, 'plant', '42');
    expect(plant.id).toBe('42');
    expect(cluster.reconciler.control.nodes().find(({ name }) => name === 'plant')).toMatchObject({
      state: 'online',
      dialect: 'seed',
      usage: { cpu: 12.5, memory: 40 },
    });
    await deploy({ ...on('plant'), cmd: ['httpd', '-f'], environment: ['A=b'], port: '8080:80' });
    await reach(web, 'unconfirmed');
    expect(plant.heard).toEqual([
      {
        command: 'deploy',
        job: {
          id: jobNumber(one),
          name: one,
          image: 'oakctl/test:1',
          technology: 'docker',
          cmd: ['httpd', '-f'],
          environment: ['A=b'],
          port: '8080:80/tcp',
          memory: 64,
          vcpus: 1,
        },
        cluster: 'test',
        worker: '42',
      },
    ]);
    expect(Number.isSafeInteger(plant.heard[0]?.job.id)).toBe(true);
    expect(cluster.reconciler.control.instances()).toMatchObject([{ name: one, assumed: true, healthy: true }]);
    expect(await toldOf(cluster.reconciler, 'control_sent')).toEqual([
      `${one} deploy of job ${jobNumber(one)} to plant`,
    ]);
    expect([...cluster.broker.retained.keys()].filter((key) => key.startsWith('nodes/42/'))).toEqual([]);
    await cluster.clock.advance(120_000);
    expect(plant.heard).toHaveLength(1);
  });

  it('takes nothing that does not name it while its size is unknown, and counts its room when nodes.yaml gives it', async () => {
    cluster = await createMemoryCluster({ workers: 0 });
    const plant = await joinSeed(cluster, 'plant');
    await deploy({});
    await cluster.clock.advance(20_000);
    expect(plant.heard).toEqual([]);
    expect(outcomeOf(web)).toBe('held');
    expect(cluster.reconciler.control.holds().map(({ code }) => code)).toEqual(['NO_CAPACITY']);
    await cluster.push({ 'nodes.yaml': '- node:\n    hostname: plant\n    capacity: {cpu: 2, memory: 100}\n' });
    await reach(web, 'unconfirmed');
    await deploy({ replicas: 2 });
    await cluster.clock.advance(20_000);
    expect(plant.news()).toEqual([`deploy ${one}`]);
    expect(cluster.reconciler.control.holds()).toMatchObject([{ code: 'NO_CAPACITY', subject: two }]);
  });

  it('frees before it deploys when the image changes, and when all goes', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    const plant = await joinSeed(cluster, 'plant');
    await deploy(on('plant'));
    await reach(web, 'unconfirmed');
    plant.news();
    await deploy({ ...on('plant'), code: 'oakctl/test:2' });
    await reach(web, 'unconfirmed');
    await cluster.clock.advance(30_000);
    expect(plant.news()).toEqual([`delete ${one}`, `deploy ${one}`]);
    expect(plant.heard.at(-1)?.job.image).toBe('oakctl/test:2');
    await cluster.reconciler.control.remove({ services: [web] }, 'test');
    await cluster.clock.advance(1_000);
    expect(plant.news()).toEqual([`delete ${one}`]);
    expect(cluster.reconciler.control.services()).toEqual([]);
  });

  it('is told nothing twice over restarts and silence, and everything after it registered again', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    const plant = await joinSeed(cluster, 'plant');
    await deploy({ ...on('plant'), replicas: 2 });
    await reach(web, 'unconfirmed');
    expect(plant.news()).toEqual([`deploy ${one}`, `deploy ${two}`]);
    await cluster.restartReconciler();
    await cluster.clock.advance(60_000);
    expect(outcomeOf(web)).toBe('unconfirmed');
    cluster.broker.restart(500);
    await cluster.clock.advance(60_000);
    expect(plant.news()).toEqual([]);
    await plant.register();
    expect(outcomeOf(web)).toBe('progressing');
    await cluster.clock.advance(5_000);
    expect(plant.news()).toEqual([`deploy ${one}`, `deploy ${two}`]);
    await reach(web, 'unconfirmed', 15_000);
  });

  it('is told nothing of what was decided while the disk was full, and taken back', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    const { control } = cluster.reconciler;
    const plant = await joinSeed(cluster, 'plant');
    await control.cordon(plant.id, { actor: 'ann' });
    await deploy(on('plant'));
    await reach(web, 'held');
    cluster.disk.full = true;
    // It counts until the disk refuses it: the planner decides in between.
    await expect(control.uncordon(plant.id, 'ann')).rejects.toThrow('no space');
    await cluster.clock.advance(3_000);
    cluster.disk.full = false;
    await cluster.clock.advance(60_000);
    expect(plant.heard).toEqual([]);
    expect(cluster.records.assumed[plant.id]?.part.jobs ?? []).toEqual([]);
    expect(outcomeOf(web)).toBe('held');
    await control.uncordon(plant.id, 'ann');
    await reach(web, 'unconfirmed');
    expect(plant.news()).toEqual([`deploy ${one}`]);
  });

  it('lets nobody look into it, and says so at once', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    await joinSeed(cluster, 'plant', '42');
    await deploy(on('plant'));
    await reach(web, 'unconfirmed');
    const { logs, exec } = cluster.reconciler.control;
    const { signal } = new AbortController();
    const refused = { problem: { code: 'REFUSED', message: expect.stringContaining('plant') } };
    await expect(logs(one, {}, signal)[Symbol.asyncIterator]().next()).rejects.toMatchObject(refused);
    await expect(exec(one, 'me', signal)).rejects.toMatchObject(refused);
  });

  it('gives its id free when it is removed, but never its password', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    const plant = await joinSeed(cluster, 'plant', '42');
    const { control } = cluster.reconciler;
    const wish = { name: 'other', id: '42', ip: '10.0.0.8', port: 0 };
    expect((await control.register(wish, (await control.createToken({})).token)).id).not.toBe('42');
    plant.silence();
    await control.removeNode('plant', {});
    const request = { name: 'plant', id: '42', ip: '10.0.0.9', port: 0 };
    await expect(control.register(request, plant.password)).rejects.toMatchObject({
      problem: { code: 'TOKEN_INVALID' },
    });
    const next = await control.register(request, (await control.createToken({})).token);
    expect(next.id).toBe('42');
    const serialOf = (password: string): number => Number(password.split('.')[0]);
    expect(serialOf(next.password)).toBeGreaterThan(serialOf(plant.password));
    await cluster.restartReconciler();
    const again = cluster.reconciler.control.register(request, plant.password);
    await expect(again).rejects.toMatchObject({ problem: { code: 'TOKEN_INVALID' } });
    await expect(cluster.reconciler.control.register(request, next.password)).resolves.toEqual(next);
  });

  it('proves itself with a token of its own, not with one that others have, too', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    const { control } = cluster.reconciler;
    const wish = { name: 'plant', id: '42', ip: '10.0.0.8', port: 0 };
    const shared = await control.createToken({ uses: 2 });
    const first = await control.register(wish, shared.token);
    await control.register({ ...wish, name: 'mill', id: '43' }, shared.token);
    await expect(control.register(wish, shared.token)).rejects.toMatchObject({ problem: { code: 'TOKEN_INVALID' } });
    await expect(control.register(wish, first.password)).resolves.toEqual(first);
    const own = await control.createToken({ uses: 2, name: 'barn' });
    const barn = await control.register({ ...wish, name: 'barn', id: '44' }, own.token);
    await expect(control.register({ ...wish, name: 'barn' }, own.token)).resolves.toEqual(barn);
  });

  it('is no node that was revoked because somebody cordons it while its registration is written', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    const plant = await joinSeed(cluster, 'plant', '42');
    const { control } = cluster.reconciler;
    const again = control.register({ id: '42', name: 'plant', ip: '10.0.0.10', port: 3_000 }, plant.password);
    const cordoned = control.cordon('42', { actor: 'ann' });
    await expect(again).resolves.toMatchObject({ id: '42' });
    await cordoned;
    expect(control.node('plant')?.cordoned).toMatchObject({ actor: 'ann' });
    expect(cluster.records.nodes['42']).toMatchObject({ registered: { ip: '10.0.0.10' }, cordon: { actor: 'ann' } });
  });

  it('gets no id that every object has as a name: records would never be read again', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    const strange = await joinSeed(cluster, 'strange', 'constructor');
    expect(strange.id).not.toBe('constructor');
    await cluster.restartReconciler();
    await expect(strange.register()).resolves.toBeUndefined();
  });

  it('gets no id that is the name of another node', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    const { control } = cluster.reconciler;
    const { token } = await control.createToken({ uses: 3 });
    const wish = { name: 'plant', id: 'worker-1', ip: '10.0.0.8', port: 0 };
    expect((await control.register(wish, token)).id).not.toBe('worker-1');
    expect((await control.register({ ...wish, name: 'mill', id: 'mill' }, token)).id).toBe('mill');
    const barn = await control.register({ ...wish, name: 'barn', id: 'stable' }, token);
    expect(barn.id).toBe('stable');
    const own = (await control.createToken({})).token;
    const join = control.join({ token: own, name: 'stable', ip: '10.0.0.9', version: '1' }, '10.0.0.9');
    await expect(join).rejects.toMatchObject({ problem: { code: 'NAME_TAKEN' } });
  });

  it('is told at the next connection what was decided while the broker was away or the process died', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    const plant = await joinSeed(cluster, 'plant');
    cluster.broker.restart(3_000);
    await deploy(on('plant'));
    await cluster.clock.advance(1_000);
    await cluster.restartReconciler();
    await reach(web, 'unconfirmed');
    expect(plant.news()).toEqual([`deploy ${one}`]);
  });

  it('is lost when it is silent, and gives up what was replaced when it is back', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    const plant = await joinSeed(cluster, 'plant');
    await deploy(on('plant', 'worker-1'));
    await cluster.clock.until(() => ['settled', 'unconfirmed'].includes(outcomeOf(web) ?? ''), 60_000, 'it runs');
    if (cluster.running().length > 0) {
      await cluster.reconciler.control.move(one, plant.id, 'test');
      await reach(web, 'unconfirmed');
    }
    plant.news();
    plant.silence();
    await reach(web, 'settled', 120_000);
    expect(cluster.running()).toHaveLength(1);
    plant.begin();
    await cluster.clock.advance(5_000);
    expect(plant.news()).toEqual([`delete ${one}`]);
    expect(outcomeOf(web)).toBe('settled');
  });

  it('sees moves and replicas by their own names', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    const plant = await joinSeed(cluster, 'plant');
    const mill = await joinSeed(cluster, 'mill');
    await deploy(on('plant', 'mill', 'worker-1'));
    await cluster.clock.until(() => ['settled', 'unconfirmed'].includes(outcomeOf(web) ?? ''), 60_000, 'it runs');
    const { control } = cluster.reconciler;
    await control.move(one, plant.id, 'test');
    await reach(web, 'unconfirmed');
    await cluster.clock.advance(15_000);
    plant.news();
    mill.news();
    await control.replicate(one, mill.id, 'test');
    await cluster.clock.advance(15_000);
    expect(mill.heard.at(-1)).toMatchObject({ command: 'replicate', job: { name: two, from: one }, worker: mill.id });
    expect(mill.news()).toEqual([`replicate ${two}`]);
    await control.move(one, mill.id, 'test');
    await cluster.clock.advance(15_000);
    expect(plant.heard.at(-1)).toMatchObject({ command: 'move', job: { name: one }, worker: mill.id });
    expect([plant.news(), mill.news()]).toEqual([[`move ${one}`], [`deploy ${one}`]]);
    await control.move(two, cluster.nodes[0]?.id ?? '', 'test');
    await cluster.clock.advance(15_000);
    expect(mill.news()).toEqual([`move ${two}`]);
    expect(cluster.running()).toMatchObject([expect.stringContaining(`worker-1 ${two}/`)]);
    expect(cluster.records.direct[web]?.seats).toBeUndefined();
    await expect(control.move(one, 'nobody', 'test')).rejects.toThrow('not on nobody');
  });
});

describe('moves between our agents', () => {
  it('starts there first and frees when that is healthy; what cannot run twice is freed first', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    await cluster.push({ 'api.yaml': descriptor([{ microservice_name: 'api' }]) });
    await deploy({});
    await reach(web, 'settled');
    const from = cluster
      .running()
      .find((line) => line.includes(one))
      ?.split(' ')[0];
    const to = cluster.nodes.find(({ name }) => name !== from);
    const counts = new Set<number>();
    const watch = async (): Promise<number[]> => {
      counts.clear();
      for (let i = 0; i < 300; i += 1) {
        await cluster.clock.advance(100);
        counts.add(cluster.running().filter((line) => line.includes(one)).length);
      }
      return [...counts].sort();
    };
    await cluster.reconciler.control.move(one, to?.id ?? '', 'test');
    expect(await watch()).toEqual([1, 2]);
    expect(cluster.running().find((line) => line.includes(one))).toContain(`${to?.name} `);
    expect(outcomeOf(web)).toBe('settled');
    await deploy({ update: { order: 'stop_first' } });
    await reach(web, 'settled');
    await cluster.reconciler.control.move(one, cluster.nodes.find((node) => node !== to)?.id ?? '', 'test');
    expect(await watch()).not.toContain(2);
    expect(cluster.running().find((line) => line.includes(one))).not.toContain(`${to?.name} `);
    const owned = 'shop.default.api.default.instance.0';
    const elsewhere = cluster.nodes.find(
      ({ name }) => !cluster.running().some((line) => line.startsWith(`${name} ${owned}`)),
    );
    const answer = await cluster.reconciler.control.move(owned, elsewhere?.id ?? '', 'test');
    expect(answer).toMatchObject({ instance: owned, override: { kind: 'move' } });
  });
});

describe('an operator', () => {
  const cat = 'cat.default.cat.default';
  const slot = (n: number) => `${cat}.instance.${n}`;
  const job = (more: object = {}) => ({ id: 7, name: 'cat', image: 'oakctl/test:1', technology: 'docker', ...more });
  const lines = () => cluster.running().map((line) => line.replace(/\/.*/, ''));

  it('deletes with the last instance all that was asked for of the service, and frees its name', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    const say = await createOperator(cluster);
    const { control } = cluster.reconciler;
    const removed = async () => {
      await say({ command: 'delete', job: job({ name: slot(0) }) });
      await cluster.clock.advance(5_000);
      expect(cluster.records.direct).toEqual({});
    };
    await say({ command: 'deploy', job: job() });
    await reach(cat, 'settled');
    await control.stop(cat, { actor: 'ann' });
    await removed();
    await say({ command: 'deploy', job: job() });
    await reach(cat, 'settled');

    await cluster.push({ 'cat.yaml': descriptor([{ microservice_name: 'cat' }], 'cat') });
    expect(control.holds().map(({ code }) => code)).toEqual(['SOURCE_CONFLICT']);
    await removed();
    expect(control.holds().map(({ code }) => code)).not.toContain('SOURCE_CONFLICT');
    expect(control.services().map(({ name, source }) => [name, source])).toEqual([[cat, 'fleet']]);
  });

  it('deploys, adds, replicates, moves and deletes with plain controls', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    const say = await createOperator(cluster);
    await say({ command: 'deploy', job: job(), worker: 'worker-1' });
    await reach(cat, 'settled');
    expect(lines()).toEqual([`worker-1 ${slot(0)}`]);
    await say({ command: 'deploy', job: job(), worker: 'worker-2' });
    await cluster.clock.advance(20_000);
    expect(lines()).toEqual([`worker-1 ${slot(0)}`, `worker-2 ${slot(1)}`]);
    await say({ command: 'replicate', job: job(), worker: 'worker-2', cluster: 'test' });
    await cluster.clock.advance(20_000);
    expect(lines()).toEqual([`worker-1 ${slot(0)}`, `worker-2 ${slot(1)}`, `worker-2 ${slot(2)}`]);
    await say({ command: 'move', job: job({ name: slot(2) }), worker: 'worker-1' });
    await cluster.clock.advance(20_000);
    expect(lines()).toEqual([`worker-1 ${slot(0)}`, `worker-1 ${slot(2)}`, `worker-2 ${slot(1)}`]);
    await say({ command: 'delete', job: job(), worker: 'worker-2' });
    await say({ command: 'delete', job: job({ name: slot(0) }) });
    await cluster.clock.advance(5_000);
    expect(lines()).toEqual([`worker-1 ${slot(2)}`]);
    expect(outcomeOf(cat)).toBe('settled');
    await say({ command: 'delete', job: job() });
    await cluster.clock.advance(5_000);
    expect(cluster.running()).toEqual([]);
    expect(cluster.reconciler.control.services()).toEqual([]);
    expect(
      (await toldOf(cluster.reconciler, 'control_taken')).map((line) => line.split(' ').slice(0, 2).join(' ')),
    ).toEqual([
      `${slot(0)} deploy`,
      `${slot(1)} deploy`,
      `${slot(2)} replicate`,
      `${slot(2)} move`,
      `${slot(1)} delete`,
      `${slot(0)} delete`,
      `${slot(2)} delete`,
    ]);
  });

  it('is not lost on a reconciler that has just started: it waits until that knows what runs', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    const say = await createOperator(cluster);
    await say({ command: 'deploy', job: job(), worker: 'worker-1' });
    await reach(cat, 'settled');
    // One node stays away, so that the others are waited for.
    cluster.killReconciler();
    cluster.nodes[1]?.kill();
    await cluster.startReconciler();
    await cluster.clock.advance(2_000);
    await say({ command: 'deploy', job: job({ name: 'dog' }), worker: 'worker-1' });
    await say({ command: 'delete', job: job(), worker: 'worker-1' });
    expect(cluster.reconciler.control.status().phase).toBe('recovering');
    expect(lines()).toEqual([`worker-1 ${slot(0)}`]);
    await cluster.clock.advance(60_000);
    expect(lines()).toEqual(['worker-1 dog.default.dog.default.instance.0']);
  });

  it('keeps what it bound to a worker for that worker', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    const say = await createOperator(cluster);
    await say({ command: 'deploy', job: job(), worker: 'worker-1' });
    await reach(cat, 'settled');
    cluster.nodes[0]?.kill(true);
    await cluster.clock.advance(60_000);
    expect(cluster.running()).toEqual([]);
    expect(cluster.reconciler.control.holds().map(({ code }) => code)).toEqual(['NODES_AWAY']);
    await cluster.nodes[0]?.start();
    await cluster.clock.advance(30_000);
    expect(lines()).toEqual([`worker-1 ${slot(0)}`]);
  });

  it('makes overrides of what git owns', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    const say = await createOperator(cluster);
    await cluster.push({ 'cat.yaml': descriptor([{ microservice_name: 'web' }]) });
    await reach(web, 'settled');
    const from = cluster.running()[0]?.split(' ')[0];
    const to = from === 'worker-1' ? 'worker-2' : 'worker-1';
    await say({ command: 'move', job: job({ name: one }), worker: to });
    await cluster.clock.advance(30_000);
    expect(lines()).toEqual([`${to} ${one}`]);
    await say({ command: 'replicate', job: job({ name: web }), worker: from });
    await cluster.clock.advance(30_000);
    expect(lines().sort()).toEqual([`${from} ${two}`, `${to} ${one}`].sort());
    expect(cluster.reconciler.control.overrides()).toMatchObject([
      { kind: 'move', actor: 'operator' },
      { kind: 'scale', actor: 'operator' },
    ]);
    await say({ command: 'delete', job: job({ name: two }) });
    await cluster.clock.advance(30_000);
    expect(lines()).toEqual([`${to} ${one}`]);
  });

  it('changes nothing with what is wrong', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    const say = await createOperator(cluster);
    await cluster.push({ 'cat.yaml': descriptor([{ microservice_name: 'web' }]) });
    await reach(web, 'settled');
    const before = { running: cluster.running(), records: cluster.records };
    const bad: (object | string)[] = [
      'not json',
      { command: 'explode', job: job() },
      { command: 'deploy', job: { ...job(), image: 7 } },
      { command: 'deploy', job: { name: 'cat' }, worker: 'worker-1' },
      { command: 'deploy', job: job(), worker: 'nobody' },
      { command: 'deploy', job: job(), cluster: 'another' },
      { command: 'deploy', job: job({ name: 'not a name' }) },
      { command: 'deploy', job: job({ technology: 'unikernel' }) },
      { command: 'delete', job: job() },
      { command: 'move', job: job({ name: `${web}.instance.7` }), worker: 'worker-2' },
      { command: 'replicate', job: job({ name: 'nobody' }) },
    ];
    for (const control of bad) await say(control);
    await cluster.clock.advance(60_000);
    expect(cluster.running()).toEqual(before.running);
    expect(cluster.records.direct).toEqual(before.records.direct);
    expect(await toldOf(cluster.reconciler, 'control_taken')).toEqual([]);
    expect(cluster.log.filter((line) => line.includes('bad_control')).length).toBeGreaterThan(0);
  });
});
