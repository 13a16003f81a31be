import { describe, expect, test } from 'vitest';
import { changePart, hashPart } from '../../../schemas/assignment.ts';
import type { OnlineMessage } from '../../../schemas/messages.ts';
import { topic } from '../../../schemas/topics.ts';
import { started, steps } from './loop-support.ts';
import { container, controlOf, createRig, emptyPart, jobOf, node, partOf } from './support.ts';

const web = 'shop.default.web.default.instance.0';
const v1 = container('web:1');
const v2 = container('web:2');
const by = 'rec';

describe('at every connect', () => {
  test('online, information and instances are published, and the will says offline', async () => {
    const rig = await started();
    const rows = rig.broker.log.filter((entry) => entry.from === node).map((entry) => entry.topic);
    expect(rows).toEqual([topic(node, 'online'), topic(node, 'information'), topic(node, 'instances')]);
    expect(rig.report()).toMatchObject({ hash: hashPart(emptyPart), copies: [], epoch: 0, gen: 0 });
    rig.broker.kill(node);
    const online = JSON.parse(rig.broker.retained.get(topic(node, 'online')) ?? '') as OnlineMessage;
    expect(online).toMatchObject({ online: false, boot: 'boot-1' });
  });

  test('a restarted broker is filled again', async () => {
    const rig = await started();
    rig.broker.restart(1_000);
    await rig.clock.advance(1_100);
    expect([...rig.broker.retained.keys()].sort()).toEqual([topic(node, 'instances'), topic(node, 'online')]);
  });

  test('information comes with each beat', async () => {
    const rig = await started();
    await rig.clock.advance(20_000);
    const beats = rig.broker.log.filter((entry) => entry.topic === topic(node, 'information'));
    expect(beats).toHaveLength(5);
  });

  test('a goodbye says why, and sends no will', async () => {
    const rig = await started();
    await rig.agent.stop('upgrade');
    const online = JSON.parse(rig.broker.retained.get(topic(node, 'online')) ?? '') as OnlineMessage;
    expect(online).toMatchObject({ online: false, reason: 'upgrade' });
  });
});

describe('from assignment to running', () => {
  test('a control is persisted, carried out and reported with addresses and handle', async () => {
    const rig = await started();
    const run = container('web:1', { ports: [{ host: 8080, container: 80, protocol: 'tcp' }] });
    const fence = { epoch: 1, gen: 1, by };
    rig.control(controlOf(emptyPart, { kind: 'upsert', job: jobOf(web, '1.1', run), document: run }, fence));
    await rig.clock.advance(60);
    expect(steps(rig)).toEqual(['prepare web:1', `create ${web}/1.1`, `start ${web}/1.1`]);
    expect(rig.status('1.1')).toBe('running');
    await rig.clock.advance(300);
    expect(rig.report()).toMatchObject({ epoch: 1, gen: 1, by });
    expect(rig.report()?.copies[0]).toMatchObject({ addresses: ['127.0.0.1:8080'], handle: 'h1', restarts: 0 });
  });

  test('nothing is done that is not on disk', async () => {
    const rig = createRig();
    let release = (): void => undefined;
    const write = rig.files.write.bind(rig.files);
    rig.files.write = async (name, text) => {
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      await write(name, text);
    };
    await rig.boot();
    rig.assign(partOf({ epoch: 1, gen: 1, by }, [[jobOf(web, '1.1', v1), v1]]));
    await rig.clock.advance(100);
    expect(steps(rig)).toEqual([]);
    expect(rig.report()?.gen).toBe(0);
    release();
    await rig.clock.advance(100);
    expect(rig.status('1.1')).toBe('running');
  });

  test('a burst of controls costs two writes', async () => {
    const rig = createRig();
    let writes = 0;
    const write = rig.files.write.bind(rig.files);
    rig.files.write = async (name, text) => {
      writes += 1;
      await new Promise<void>((resolve) => rig.clock.after(5, resolve));
      await write(name, text);
    };
    await rig.boot();
    let part = emptyPart;
    for (let gen = 1; gen <= 20; gen += 1) {
      const fence = { epoch: 1, gen, by };
      const job = jobOf(`shop.default.web.default.instance.${gen}`, `1.${gen}`, v1);
      rig.control(controlOf(part, { kind: 'upsert', job, document: v1 }, fence));
      part = changePart(part, { kind: 'upsert', job, document: v1 }, fence);
    }
    rig.assign(part);
    await rig.clock.advance(200);
    expect(rig.report()?.copies.map((copy) => copy.status)).toEqual(Array(20).fill('running'));
    expect(writes).toBe(2);
    expect(rig.runtime.peak()).toBe(8);
  });

  test('an unchanged assignment, a reconnect and a restart of the agent restart no copy', async () => {
    const rig = await started();
    const part = partOf({ epoch: 1, gen: 1, by }, [[jobOf(web, '1.1', v1), v1]]);
    rig.assign(part);
    await rig.clock.advance(100);
    const before = steps(rig).length;
    rig.assign({ ...part, fence: { epoch: 2, gen: 7, by: 'other' } });
    await rig.clock.advance(1_000);
    rig.broker.restart(100);
    await rig.clock.advance(1_000);
    rig.agent.halt();
    await rig.boot();
    await rig.clock.advance(40_000);
    expect(steps(rig)).toHaveLength(before);
    expect(rig.report()).toMatchObject({ epoch: 2, gen: 7, by: 'other' });
    expect(rig.status('1.1')).toBe('running');
  });

  test('a copy adopted by a new agent process is as old as its runtime says', async () => {
    const rig = await started();
    rig.assign(partOf({ epoch: 1, gen: 1, by }, [[jobOf(web, '1.1', v1), v1]]));
    await rig.clock.advance(20_000);
    rig.agent.halt();
    await rig.boot();
    expect(rig.report()?.copies[0]?.age).toBeGreaterThan(19_000);
  });
});

describe('updates', () => {
  test('stop first: prepared beside the old one, then swapped without two at once', async () => {
    const port = { ports: [{ host: 80, container: 80, protocol: 'tcp' as const }] };
    const [old, next] = [container('web:1', port), container('web:2', port)];
    const rig = await started();
    rig.assign(partOf({ epoch: 1, gen: 1, by }, [[jobOf(web, '1.1', old), old]]));
    await rig.clock.advance(100);
    rig.assign(
      partOf({ epoch: 1, gen: 2, by }, [
        [jobOf(web, '1.1', old), old],
        [jobOf(web, '1.2', next, 'prepared'), next],
      ]),
    );
    await rig.clock.advance(100);
    expect([rig.status('1.1'), rig.status('1.2')]).toEqual(['running', 'prepared']);
    rig.assign(
      partOf({ epoch: 1, gen: 4, by }, [
        [jobOf(web, '1.1', old, 'stopped'), old],
        [jobOf(web, '1.2', next), next],
      ]),
    );
    await rig.clock.advance(100);
    expect([rig.status('1.1'), rig.status('1.2')]).toEqual(['stopped', 'running']);
    rig.assign(partOf({ epoch: 1, gen: 5, by }, [[jobOf(web, '1.1', old), old]]));
    await rig.clock.advance(100);
    expect([rig.status('1.1'), rig.status('1.2')]).toEqual(['running', undefined]);
    expect(steps(rig).slice(3)).toEqual([
      'prepare web:2',
      `create ${web}/1.2`,
      `stop ${web}/1.1`,
      `start ${web}/1.2`,
      `stop ${web}/1.2`,
      `start ${web}/1.1`,
      `remove ${web}/1.2`,
    ]);
  });

  test('a stop that fails keeps the next copy from starting beside it', async () => {
    const rig = await started();
    rig.assign(partOf({ epoch: 1, gen: 1, by }, [[jobOf(web, '1.1', v1), v1]]));
    await rig.clock.advance(100);
    rig.runtime.script('stop', '1.1', { fail: 'RUNTIME_UNAVAILABLE', times: 1 });
    rig.assign(
      partOf({ epoch: 1, gen: 2, by }, [
        [jobOf(web, '1.1', v1, 'stopped'), v1],
        [jobOf(web, '1.2', v2), v2],
      ]),
    );
    await rig.clock.advance(5_000);
    expect([rig.status('1.1'), rig.status('1.2')]).toEqual(['stopping', 'prepared']);
    await rig.clock.advance(10_000);
    expect([rig.status('1.1'), rig.status('1.2')]).toEqual(['stopped', 'running']);
  });

  test('what was stopped for an update runs again on rollback, whatever its restart policy', async () => {
    const rig = await started();
    const never = container('web:1', { restart: 'never' });
    rig.assign(partOf({ epoch: 1, gen: 1, by }, [[jobOf(web, '1.1', never), never]]));
    await rig.clock.advance(100);
    rig.assign(partOf({ epoch: 1, gen: 2, by }, [[jobOf(web, '1.1', never, 'stopped'), never]]));
    await rig.clock.advance(1_000);
    expect(rig.status('1.1')).toBe('stopped');
    rig.assign(partOf({ epoch: 1, gen: 3, by }, [[jobOf(web, '1.1', never), never]]));
    await rig.clock.advance(1_000);
    expect(rig.status('1.1')).toBe('running');
  });

  test('a start under way is not cut off by a newer ledger: the copy is stopped before the next one starts', async () => {
    const rig = createRig({ delays: { start: 300 } });
    await rig.boot();
    const port = { ports: [{ host: 80, container: 80, protocol: 'tcp' as const }] };
    const [old, next] = [container('web:1', port), container('web:2', port)];
    rig.assign(partOf({ epoch: 1, gen: 1, by }, [[jobOf(web, '1.1', next), next]]));
    await rig.clock.advance(100);
    expect(rig.status('1.1')).toBe('starting');
    rig.assign(partOf({ epoch: 1, gen: 2, by }, [[jobOf(web, '1.2', old), old]]));
    await rig.clock.advance(2_000);
    expect(rig.report()?.copies.map((copy) => [copy.copy, copy.status])).toEqual([['1.2', 'running']]);
    const order = steps(rig).filter((call) => /^(start|stop)/.test(call));
    expect(order).toEqual([`start ${web}/1.1`, `stop ${web}/1.1`, `start ${web}/1.2`]);
  });

  test('a failed pull leaves the old copy running, tells why, and is tried again', async () => {
    const rig = await started();
    rig.assign(partOf({ epoch: 1, gen: 1, by }, [[jobOf(web, '1.1', v1), v1]]));
    await rig.clock.advance(100);
    rig.runtime.script('prepare', 'web:2', { fail: 'IMAGE_NOT_FOUND', times: 2 });
    rig.assign(
      partOf({ epoch: 1, gen: 2, by }, [
        [jobOf(web, '1.1', v1), v1],
        [jobOf(web, '1.2', v2), v2],
      ]),
    );
    await rig.clock.advance(100);
    expect(rig.status('1.1')).toBe('running');
    expect(rig.report()?.copies[1]).toMatchObject({ status: 'failed', reason: { code: 'IMAGE_NOT_FOUND' } });
    await rig.clock.advance(8_000 - 200);
    expect(steps(rig).filter((call) => call === 'prepare web:2')).toHaveLength(1);
    await rig.clock.advance(40_000);
    expect(rig.status('1.2')).toBe('running');
    expect(rig.report()?.copies[1]?.reason).toBeUndefined();
  });

  test('a new wish does not wait for the back-off of the old one', async () => {
    const rig = await started();
    rig.runtime.script('prepare', 'web:1', { fail: 'IMAGE_PULL_FAILED', times: 5 });
    rig.assign(partOf({ epoch: 1, gen: 1, by }, [[jobOf(web, '1.1', v1, 'prepared'), v1]]));
    await rig.clock.advance(120_000);
    expect(rig.status('1.1')).toBe('failed');
    rig.assign(partOf({ epoch: 1, gen: 2, by }, [[jobOf(web, '1.1', v1), v1]]));
    const before = steps(rig).length;
    await rig.clock.advance(100);
    expect(steps(rig)).toHaveLength(before + 1);
  });

  test('a newer ledger aborts a pull that hangs', async () => {
    const rig = await started();
    rig.runtime.script('prepare', 'web:1', 'hang');
    rig.assign(partOf({ epoch: 1, gen: 1, by }, [[jobOf(web, '1.1', v1), v1]]));
    await rig.clock.advance(100);
    expect(rig.status('1.1')).toBe('pulling');
    rig.assign(partOf({ epoch: 1, gen: 2, by }, [[jobOf(web, '1.2', v2), v2]]));
    await rig.clock.advance(100);
    expect(rig.report()?.copies.map((copy) => [copy.copy, copy.status])).toEqual([['1.2', 'running']]);
    expect(rig.events.some((event) => event.kind === 'step_aborted')).toBe(true);
  });

  test('a pull of the next copy does not keep a crashed one from its restart', async () => {
    const rig = await started();
    rig.assign(partOf({ epoch: 1, gen: 1, by }, [[jobOf(web, '1.1', v1), v1]]));
    await rig.clock.advance(100);
    rig.runtime.script('prepare', 'web:2', 'hang');
    rig.assign(
      partOf({ epoch: 1, gen: 2, by }, [
        [jobOf(web, '1.1', v1), v1],
        [jobOf(web, '1.2', v2), v2],
      ]),
    );
    await rig.clock.advance(100);
    rig.runtime.exit({ instance: web, copy: '1.1' }, 1);
    await rig.clock.advance(400);
    expect(rig.status('1.1')).toBe('running');
  });
});
