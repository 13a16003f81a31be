/** Our own agent as its own authority: it registers and speaks as seed 000 has it, and the reconciler takes it for a seed node. */
import { afterEach, describe, expect, it } from 'vitest';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { createOperator } from '../support/seed-node.ts';

let cluster: MemoryCluster;
afterEach(async () => {
  expect(cluster.fatal).toEqual([]);
  expect(cluster.broker.denied).toEqual([]);
  expect(cluster.log.filter((line) => line.includes('bad_message'))).toEqual([]);
  await cluster.close();
});

const web = 'shop.default.web.default';
const one = `${web}.instance.0`;
const deploy = (service: object) =>
  cluster.reconciler.control.deploy({
    documents: [{ file: 'a.yaml', text: descriptor([{ microservice_name: 'web', ...service }]) }],
  });
const on = (...nodes: string[]) => ({ constraints: [{ type: 'direct', node: nodes.join(';') }] });
const places = (): string[] => cluster.running().map((line) => line.split('/')[0] ?? '');
const see = (...wanted: string[]) =>
  cluster.clock.until(() => JSON.stringify(places()) === JSON.stringify(wanted.sort()), 60_000, wanted.join());

describe('an agent that is its own authority', () => {
  it('says two keys, carries out what the seed has, and keeps it over its own restarts', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    const field = await cluster.joinLocal('field');
    const yard = await cluster.joinLocal('yard');
    await deploy({ ...on('field', 'yard'), replicas: 1 });
    await see(`field ${one}`);
    const beats = cluster.broker.log.filter(({ topic }) => topic === `nodes/${field.id}/information`);
    expect(JSON.parse(beats[0]?.payload ?? '')).toEqual({ cpu: 1, memory: 10 });
    const own = cluster.broker.log.filter(({ topic }) => topic.startsWith(`nodes/${field.id}/`));
    expect([...new Set(own.map(({ topic }) => topic.split('/')[2]))].sort()).toEqual(['controls', 'information']);
    const { control } = cluster.reconciler;
    await control.replicate(one, yard.id, 'me');
    await see(`field ${one}`, `yard ${web}.instance.1`);
    await cluster.clock.until(() => control.services()[0]?.healthy === 2, 60_000, 'two healthy');
    await control.move(one, yard.id, 'me');
    await see(`yard ${one}`, `yard ${web}.instance.1`);
    const before = cluster.handles();
    yard.kill();
    await cluster.clock.advance(8_000);
    await yard.start();
    await cluster.restartReconciler();
    await cluster.clock.advance(60_000);
    expect(cluster.handles()).toEqual(before);
    await cluster.reconciler.control.remove({ services: [web] }, 'me');
    await see();
  });

  it('hears when it is back what it missed while it was away', async () => {
    cluster = await createMemoryCluster({ workers: 0 });
    const field = await cluster.joinLocal('field');
    await deploy({ ...on('field'), replicas: 2 });
    await see(`field ${one}`, `field ${web}.instance.1`);
    field.kill();
    await cluster.reconciler.control.remove({ services: [web] }, 'me');
    await cluster.clock.advance(1_000);
    await field.start();
    await see();
    await cluster.clock.advance(20_000);
    expect(field.runtime.copies.size).toBe(0);
  });

  it('restarts what ends, and replaces what changes its image', async () => {
    cluster = await createMemoryCluster({ workers: 0 });
    const field = await cluster.joinLocal('field');
    await deploy(on('field'));
    await see(`field ${one}`);
    const [first] = field.runtime.copies.values();
    if (!first) throw new Error('nothing runs');
    field.runtime.exit(first, 1);
    await see();
    await see(`field ${one}`);
    await deploy({ ...on('field'), code: 'oakctl/test:2' });
    await cluster.clock.until(() => !cluster.running().includes(`field ${one}/${first.copy}`), 60_000, 'the new copy');
    await see(`field ${one}`);
    expect(field.runtime.copies.size).toBe(1);
  });

  it('changes nothing when it is told everything again', async () => {
    cluster = await createMemoryCluster({ workers: 0 });
    const field = await cluster.joinLocal('field');
    const say = await createOperator(cluster);
    await say({ command: 'deploy', job: { id: 1, name: 'hello', image: 'oakctl/test:1' }, worker: 'field' });
    await say({ command: 'replicate', job: { id: 1, name: 'hello' }, worker: 'field' });
    const hello = 'hello.default.hello.default.instance';
    await see(`field ${hello}.0`, `field ${hello}.1`);
    const before = cluster.handles();
    const { token } = await cluster.reconciler.control.createToken({});
    const { password } = await cluster.reconciler.control.register(
      { id: '', name: 'spare', ip: field.ip, port: 0 },
      token,
    );
    expect(password).toMatch(/^1\./);
    await cluster.reconciler.control.register({ id: '', name: 'field', ip: field.ip, port: 0 }, `1.${field.id}`);
    const told = () => cluster.broker.log.filter(({ topic }) => topic === `nodes/${field.id}/controls`).length;
    await cluster.clock.until(() => told() === 4, 30_000, 'everything is told again');
    await cluster.clock.advance(30_000);
    expect(cluster.handles()).toEqual(before);
  });
});
