import { describe, expect, test } from 'vitest';
import { changePart, hashPart } from '../../../schemas/assignment.ts';
import type { OnlineMessage } from '../../../schemas/messages.ts';
import { topic } from '../../../schemas/topics.ts';
import { assignmentOf, container, controlOf, createRig, emptyPart, jobOf, node, partOf, type Rig } from './support.ts';

const web = 'shop.default.web.default.instance.0';
const db = 'shop.default.db.default.instance.0';
const v1 = container('web:1');
const v2 = container('web:2');
const by = 'rec';

async function started(): Promise<Rig> {
  const rig = createRig();
  await rig.boot();
  return rig;
}

const steps = (rig: Rig): string[] => rig.runtime.calls.filter((call) => !/^(list|probe)/.test(call));

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

describe('restarts in place', () => {
  test('the first crash restarts at once, the next ones wait 10 s, 20 s ..., the fifth is a crash loop', async () => {
    const rig = await started();
    rig.assign(partOf({ epoch: 1, gen: 1, by }, [[jobOf(web, '1.1', v1), v1]]));
    await rig.clock.advance(1_000);
    const key = { instance: web, copy: '1.1' };
    const waits: number[] = [];
    const seen: (string | undefined)[] = [];
    for (let crash = 1; crash <= 8; crash += 1) {
      rig.runtime.exit(key, 1);
      await rig.clock.advance(300);
      seen.push(rig.status('1.1'));
      waits.push(await rig.clock.until(() => rig.runtime.copies.get(`${web}/1.1`)?.state === 'running', 400_000));
      await rig.clock.advance(1_000);
    }
    expect(waits.map((ms) => Math.round(ms / 10_000) * 10)).toEqual([0, 10, 20, 40, 80, 160, 300, 300]);
    expect(seen).toEqual(['running', ...Array(3).fill('backing_off'), ...Array(4).fill('crash_loop')]);
    expect(rig.report()?.copies[0]?.restarts).toBe(8);
  });

  test('an engine whose list lags behind its events does not delay the restart', async () => {
    const rig = createRig({ endedLag: 400 });
    await rig.boot();
    rig.assign(partOf({ epoch: 1, gen: 1, by }, [[jobOf(web, '1.1', v1), v1]]));
    await rig.clock.advance(1_000);
    rig.runtime.exit({ instance: web, copy: '1.1' }, 1);
    await rig.clock.advance(1_500);
    expect(steps(rig).filter((call) => call.startsWith('start'))).toHaveLength(2);
    const lists = rig.runtime.calls.filter((call) => call === 'list').length;
    await rig.clock.advance(25_000);
    expect(rig.runtime.calls.filter((call) => call === 'list').length - lists).toBeLessThan(3);
  });

  test('ten minutes of running are forgiveness', async () => {
    const rig = await started();
    rig.assign(partOf({ epoch: 1, gen: 1, by }, [[jobOf(web, '1.1', v1), v1]]));
    await rig.clock.advance(1_000);
    const key = { instance: web, copy: '1.1' };
    rig.runtime.exit(key, 1);
    await rig.clock.advance(600_000);
    rig.runtime.exit(key, 1);
    await rig.clock.advance(300);
    expect(rig.status('1.1')).toBe('running');
  });

  test('a one-shot that ended well is completed and stays so, also over a restart of the agent', async () => {
    const rig = await started();
    const run = container('job:1', { one_shot: true });
    rig.assign(partOf({ epoch: 1, gen: 1, by }, [[jobOf(web, '1.1', run), run]]));
    await rig.clock.advance(1_000);
    rig.runtime.exit({ instance: web, copy: '1.1' }, 0);
    await rig.clock.advance(1_000);
    expect(rig.status('1.1')).toBe('completed');
    rig.agent.halt();
    await rig.boot();
    await rig.clock.advance(60_000);
    expect(rig.status('1.1')).toBe('completed');
    expect(steps(rig).filter((call) => call.startsWith('start'))).toHaveLength(1);
  });

  test('a copy that somebody removed is made again', async () => {
    const rig = await started();
    rig.assign(partOf({ epoch: 1, gen: 1, by }, [[jobOf(web, '1.1', v1), v1]]));
    await rig.clock.advance(1_000);
    rig.runtime.vanish({ instance: web, copy: '1.1' });
    await rig.clock.advance(1_000);
    expect(rig.status('1.1')).toBe('running');
  });
});

describe('without a network', () => {
  test('a machine that reboots starts what its ledger says', async () => {
    const rig = await started();
    const once = container('job:1', { one_shot: true });
    rig.assign(
      partOf({ epoch: 1, gen: 2, by }, [
        [jobOf(web, '1.1', v1), v1],
        [jobOf(db, '1.2', once), once],
      ]),
    );
    await rig.clock.advance(1_000);
    rig.runtime.exit({ instance: db, copy: '1.2' }, 0);
    await rig.clock.advance(1_000);
    rig.agent.halt();
    rig.broker.kill(node);
    rig.runtime.powerCut();
    rig.broker.fate = () => [];
    await rig.boot();
    await rig.clock.advance(1_100);
    expect(rig.runtime.copies.get(`${web}/1.1`)?.state).toBe('running');
    expect(rig.runtime.copies.get(`${db}/1.2`)?.state).toBe('exited');
  });
});

describe('with a network', () => {
  test('a machine that returns hears what is still wanted before it starts what it had', async () => {
    const rig = await started();
    const both = [
      [jobOf(web, '1.1', v1), v1],
      [jobOf(db, '1.2', v1), v1],
    ] as const;
    rig.assign(partOf({ epoch: 1, gen: 2, by }, both));
    await rig.clock.advance(1_000);
    rig.agent.halt();
    rig.broker.kill(node);
    rig.runtime.powerCut();
    await rig.boot();
    await rig.clock.advance(300);
    expect(rig.status('1.1')).toBe('waiting');
    const before = steps(rig).length;
    rig.assign(partOf({ epoch: 1, gen: 3, by }, both.slice(1)));
    await rig.clock.advance(2_000);
    expect(rig.runtime.copies.has(`${web}/1.1`)).toBe(false);
    expect(rig.status('1.2')).toBe('running');
    expect(steps(rig).slice(before)).not.toContainEqual(expect.stringMatching(/start.*1\.1/));
  });
});

describe('an engine that does not answer', () => {
  test.each(['down', 'hung'] as const)(
    '%s: copies are unknown, beats go on, and nothing restarts afterwards',
    async (how) => {
      const rig = await started();
      rig.assign(partOf({ epoch: 1, gen: 1, by }, [[jobOf(web, '1.1', v1), v1]]));
      await rig.clock.advance(1_000);
      const before = steps(rig).length;
      rig.runtime.engine(how);
      await rig.clock.advance(60_000);
      expect(rig.report()?.copies[0]).toMatchObject({ status: 'unknown', reason: { code: 'RUNTIME_UNAVAILABLE' } });
      const information = rig.broker.log.filter((entry) => entry.topic === topic(node, 'information'));
      expect(information.length).toBeGreaterThan(12);
      expect(JSON.parse(information.at(-1)?.payload ?? '')).toMatchObject({
        runtimes: [{ name: 'docker' }],
        problems: [{ code: 'RUNTIME_UNAVAILABLE' }],
      });
      rig.runtime.engine('up');
      await rig.clock.advance(60_000);
      expect(rig.status('1.1')).toBe('running');
      expect(steps(rig)).toHaveLength(before);
      const last = rig.broker.log.filter((entry) => entry.topic === topic(node, 'information')).at(-1);
      expect(JSON.parse(last?.payload ?? '')).not.toHaveProperty('problems');
    },
  );

  test('a step that fails with the engine tells at once that it is silent, and goes on when it is back', async () => {
    const rig = await started();
    rig.assign(partOf({ epoch: 1, gen: 1, by }, [[jobOf(db, '1.1', v1), v1]]));
    await rig.clock.advance(1_000);
    rig.runtime.engine('down');
    rig.assign(partOf({ epoch: 1, gen: 2, by }, [[jobOf(web, '1.2', v1), v1]]));
    await rig.clock.advance(500);
    expect(rig.report()?.copies.map((copy) => copy.status)).toEqual(['unknown']);
    rig.runtime.engine('up');
    await rig.clock.advance(2_500);
    expect(rig.report()?.copies.map((copy) => copy.status)).toEqual(['running']);
  });

  test('what ends while the engine is silent is started at once, and is no crash', async () => {
    const rig = await started();
    rig.assign(partOf({ epoch: 1, gen: 1, by }, [[jobOf(web, '1.1', v1), v1]]));
    await rig.clock.advance(1_000);
    for (let outage = 0; outage < 4; outage += 1) {
      rig.runtime.engine('down');
      await rig.clock.advance(40_000);
      rig.runtime.exit({ instance: web, copy: '1.1' }, 137);
      rig.runtime.engine('up');
      await rig.clock.until(() => rig.status('1.1') === 'running', 31_000);
    }
    expect(rig.report()?.copies[0]?.restarts).toBe(0);
  });

  test('a list that was asked for before a step ended does not undo what is known of it', async () => {
    const rig = createRig({ delays: { list: 100, start: 130 } });
    await rig.boot();
    await rig.clock.advance(150);
    const jobs = Array.from({ length: 30 }, (_, slot) => jobOf(`a.default.s.default.instance.${slot}`, '1.1', v1));
    rig.assign(
      partOf(
        { epoch: 1, gen: 1, by },
        jobs.map((job) => [job, v1]),
      ),
    );
    await rig.clock.advance(5_000);
    expect(steps(rig).filter((call) => call.startsWith('start'))).toHaveLength(30);
    expect(steps(rig).filter((call) => call.startsWith('create'))).toHaveLength(30);
  });

  test('a call that hangs holds up no other instance', async () => {
    const rig = await started();
    const undo = rig.runtime.script('create', web, 'hang');
    rig.assign(
      partOf({ epoch: 1, gen: 2, by }, [
        [jobOf(web, '1.1', v1), v1],
        [jobOf(db, '1.2', v2), v2],
      ]),
    );
    await rig.clock.advance(200);
    expect(rig.status('1.2')).toBe('running');
    undo();
    await rig.clock.advance(90_000);
    expect(rig.status('1.1')).toBe('running');
  });
});

describe('what the ledger does not explain', () => {
  const planted = (copy: string) =>
    ({
      instance: web,
      copy,
      runtime: 'docker',
      digest: `1:${'0'.repeat(64)}`,
      state: 'running',
      handle: 'x',
      addresses: [],
    }) as const;

  test('own copies that are older than the ledger are stopped and removed', async () => {
    const rig = createRig();
    rig.runtime.plant(planted('1.3'));
    await rig.boot();
    rig.assign(partOf({ epoch: 1, gen: 9, by }, []));
    await rig.clock.advance(1_000);
    expect(rig.runtime.copies.size).toBe(0);
    expect(steps(rig)).toEqual([`stop ${web}/1.3`, `remove ${web}/1.3`]);
  });

  test('copies that the ledger cannot know yet are left alone and reported as they are', async () => {
    const rig = createRig();
    rig.runtime.plant(planted('1.3'));
    await rig.boot();
    rig.assign(partOf({ epoch: 1, gen: 2, by }, []));
    await rig.clock.advance(60_000);
    expect(steps(rig)).toEqual([]);
    expect(rig.report()?.copies[0]).toMatchObject({ copy: '1.3', status: 'running', want: 'run' });
  });

  test('a damaged ledger is unknown and never empty: nothing is touched until an assignment comes', async () => {
    const rig = createRig();
    rig.files.content.set('ledger-0', '{"v":1,"jobs":[]');
    rig.runtime.plant(planted('1.3'));
    await rig.boot();
    await rig.clock.advance(60_000);
    expect(steps(rig)).toEqual([]);
    expect(rig.report()).toMatchObject({ hash: '', copies: [{ status: 'running' }] });
    rig.control(
      controlOf(emptyPart, { kind: 'upsert', job: jobOf(db, '1.4', v1), document: v1 }, { epoch: 1, gen: 4, by }),
    );
    await rig.clock.advance(1_000);
    expect(steps(rig)).toEqual([]);
    rig.assign(partOf({ epoch: 1, gen: 5, by }, [[jobOf(db, '1.4', v1), v1]]));
    await rig.clock.advance(1_000);
    expect([...rig.runtime.copies.keys()]).toEqual([`${db}/1.4`]);
  });
});

describe('messages that change nothing', () => {
  test.each([
    ['another node', { node: '00000000000000bb' }],
    ['another cluster', { cluster: 'other' }],
    ['no signature of the cluster', { sig: 'bad' }],
    ['another part', { part: 1, parts: 2 }],
  ])('%s', async (_name, more) => {
    const rig = await started();
    const part = partOf({ epoch: 1, gen: 1, by }, [[jobOf(web, '1.1', v1), v1]]);
    const text = JSON.stringify(assignmentOf(part, more));
    rig.reconciler.publish(topic(node, 'assignment'), text, { qos: 1, retain: true });
    rig.reconciler.publish(topic(node, 'assignment'), '{"v":1', { qos: 1, retain: true });
    await rig.clock.advance(1_000);
    expect(steps(rig)).toEqual([]);
    expect(rig.report()?.gen).toBe(0);
    expect(rig.events.filter((event) => event.kind === 'message_refused')).toHaveLength(2);
  });

  test('two contents under one pair: the second is refused and reported', async () => {
    const rig = await started();
    rig.assign(partOf({ epoch: 1, gen: 1, by }, [[jobOf(web, '1.1', v1), v1]]));
    await rig.clock.advance(100);
    rig.assign(partOf({ epoch: 1, gen: 1, by: 'rival' }, []));
    await rig.clock.advance(6_000);
    expect(rig.status('1.1')).toBe('running');
    const beat = rig.broker.log.filter((entry) => entry.topic === topic(node, 'information')).at(-1);
    expect(JSON.parse(beat?.payload ?? '')).toMatchObject({ problems: [{ code: 'RIVAL_RECONCILER' }] });
  });
});

describe('streams', () => {
  const request = (rig: Rig, more: object): void =>
    rig.reconciler.publish(topic(node, 'requests'), JSON.stringify({ v: 1, action: 'open', ...more }), {
      qos: 0,
      retain: false,
    });

  test('the ledger is read back as it is on disk', async () => {
    const rig = await started();
    const part = partOf({ epoch: 1, gen: 1, by }, [[jobOf(web, '1.1', v1), v1]]);
    rig.assign(part);
    await rig.clock.advance(100);
    request(rig, { stream: 's1', kind: 'ledger' });
    await rig.clock.advance(100);
    expect(JSON.parse(rig.streams.get('s1')?.join('') ?? '')).toEqual({ parts: [part] });
  });

  test('logs of the running copy, line by line', async () => {
    const rig = await started();
    rig.assign(partOf({ epoch: 1, gen: 1, by }, [[jobOf(web, '1.1', v1), v1]]));
    await rig.clock.advance(100);
    rig.runtime.logText.set(`${web}/1.1`, [
      { stream: 'stdout', text: 'one' },
      { stream: 'stderr', text: 'two' },
    ]);
    request(rig, { stream: 's2', kind: 'logs', instance: web });
    await rig.clock.advance(100);
    expect(rig.streams.get('s2')).toEqual(['one\n', 'two\n']);
  });
});
