import { describe, expect, test } from 'vitest';
import { topic } from '../../../schemas/topics.ts';
import { started, steps } from './loop-support.ts';
import { container, createRig, jobOf, node, partOf, type Rig } from './support.ts';

const web = 'shop.default.web.default.instance.0';
const db = 'shop.default.db.default.instance.0';
const v1 = container('web:1');
const v2 = container('web:2');
const by = 'rec';

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

  test('a copy that is killed for want of memory says so, and its limit, until it starts again', async () => {
    const rig = await started();
    const small = container('web:1', { limits: { memory: 64 } });
    rig.assign(partOf({ epoch: 1, gen: 1, by }, [[jobOf(web, '1.1', small), small]]));
    await rig.clock.advance(1_000);
    const key = { instance: web, copy: '1.1' };
    const reason = () => rig.report()?.copies[0]?.reason?.message;
    for (let crash = 1; crash <= 2; crash += 1) {
      rig.runtime.starve(key);
      await rig.clock.advance(1_000);
    }
    expect(reason()).toBe('it was killed for want of memory (exit code 137; its limit is 64 MB), 2 times in a row');
    await rig.clock.until(() => rig.runtime.copies.get(`${web}/1.1`)?.state === 'running', 60_000);
    rig.runtime.exit(key, 137);
    await rig.clock.advance(1_000);
    expect(reason()).toBe('it ended with exit code 137, 3 times in a row');
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

  test('an end that the engine tells of is believed at once, and once', async () => {
    const rig = createRig({ endedLag: 400, delays: { list: 100 } });
    await rig.boot();
    const once = container('job:1', { one_shot: true });
    rig.assign(
      partOf({ epoch: 1, gen: 1, by }, [
        [jobOf(web, '1.1', v1), v1],
        [jobOf(db, '1.2', once), once],
      ]),
    );
    await rig.clock.advance(5_000);
    const starts = () => steps(rig).filter((call) => call === `start ${web}/1.1`).length;
    rig.runtime.exit({ instance: web, copy: '1.1' }, 1);
    rig.runtime.exit({ instance: db, copy: '1.2' }, 0);
    await rig.clock.advance(60);
    expect(starts()).toBe(2);
    expect(rig.status('1.2')).toBe('completed');
    const seen = new Set<string | undefined>();
    for (let tick = 0; tick < 100; tick += 1) {
      await rig.clock.advance(100);
      seen.add(rig.status('1.1')).add(rig.status('1.2'));
    }
    expect(seen).toEqual(new Set(['running', 'completed']));
    expect(starts()).toBe(2);
    expect(rig.report()?.copies.find(({ copy }) => copy === '1.1')?.restarts).toBe(1);
  });

  test('an end that nobody else sees is not believed for long', async () => {
    const rig = createRig({ endedLag: 3_600_000 });
    await rig.boot();
    const once = container('job:1', { one_shot: true });
    rig.assign(partOf({ epoch: 1, gen: 1, by }, [[jobOf(web, '1.1', once), once]]));
    await rig.clock.advance(5_000);
    rig.runtime.exit({ instance: web, copy: '1.1' }, 0);
    await rig.clock.advance(100);
    expect(rig.status('1.1')).toBe('completed');
    await rig.clock.advance(40_000);
    expect(rig.status('1.1')).toBe('running');
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

  test('a one-shot that ended well is not run again when somebody clears its container away', async () => {
    const rig = await started();
    const run = container('job:1', { one_shot: true });
    rig.assign(partOf({ epoch: 1, gen: 1, by }, [[jobOf(web, '1.1', run), run]]));
    await rig.clock.advance(1_000);
    rig.runtime.exit({ instance: web, copy: '1.1' }, 0);
    await rig.clock.advance(1_000);
    rig.runtime.vanish({ instance: web, copy: '1.1' });
    await rig.clock.advance(120_000);
    expect(rig.status('1.1')).toBe('completed');
    expect(rig.report()?.copies[0]?.drift).toBeUndefined();
    expect(steps(rig).filter((call) => call.startsWith('start'))).toHaveLength(1);
    rig.agent.halt();
    await rig.boot();
    await rig.clock.advance(60_000);
    expect(rig.status('1.1')).toBe('completed');
    expect(steps(rig).filter((call) => call.startsWith('start'))).toHaveLength(1);
    // Another copy of it is another run.
    rig.assign(partOf({ epoch: 1, gen: 2, by }, [[jobOf(web, '1.2', run), run]]));
    await rig.clock.advance(1_000);
    expect(rig.status('1.2')).toBe('running');
  });

  test.each(['up', 'down'] as const)(
    'what was removed by hand is told once it is not wanted any more, so that nothing of it stays: engine %s',
    async (how) => {
      const rig = await started();
      const run = container('job:1', { one_shot: true });
      const jobs = [jobOf(web, '1.1', v1), jobOf(db, '1.2', run)] as const;
      rig.assign(
        partOf({ epoch: 1, gen: 1, by }, [
          [jobs[0], v1],
          [jobs[1], run],
        ]),
      );
      await rig.clock.advance(1_000);
      rig.runtime.exit({ instance: db, copy: '1.2' }, 0);
      await rig.clock.advance(1_000);
      rig.runtime.vanish({ instance: db, copy: '1.2' });
      await rig.clock.advance(60_000);
      expect(rig.gone).toEqual([]);
      rig.runtime.engine(how);
      await rig.clock.advance(40_000);
      rig.assign(partOf({ epoch: 1, gen: 2, by }, [[jobs[0], v1]]));
      await rig.clock.advance(40_000);
      expect(rig.gone).toEqual(how === 'up' ? [`${db}/1.2`] : []);
      rig.runtime.engine('up');
      await rig.clock.advance(60_000);
      expect(rig.gone).toEqual([`${db}/1.2`]);
    },
  );

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

  test.each([[30_000], [0]])(
    'a job whose start was not answered, and which came to its end after %i ms, has completed',
    async (ms) => {
      let slow = true;
      const rig: Rig = createRig({
        delays: { start: () => (slow ? 62_000 : 0) },
        goesOn: () => true,
        onStarted: (key) => {
          if (ms === 0) rig.clock.after(0, () => rig.runtime.exit(key, 0));
        },
      });
      await rig.boot();
      const run = container('job:1', { one_shot: true });
      rig.assign(partOf({ epoch: 1, gen: 1, by }, [[jobOf(db, '1.1', run), run]]));
      await rig.clock.advance(61_000);
      expect(rig.status('1.1')).toBe('failed');
      slow = false;
      await rig.clock.advance(2_000);
      if (ms > 0) {
        expect(rig.status('1.1')).toBe('running');
        await rig.clock.advance(ms);
        rig.runtime.exit({ instance: db, copy: '1.1' }, 0);
        await rig.clock.advance(1_000);
      }
      await rig.clock.advance(60_000);
      expect(rig.status('1.1')).toBe('completed');
      expect(steps(rig).filter((call) => call.startsWith('start'))).toHaveLength(1);
    },
  );

  test('a job that was stopped before such a start is not begun a second time', async () => {
    let slow = 0;
    const rig = createRig({ delays: { start: () => slow }, goesOn: () => true });
    await rig.boot();
    const run = container('job:1', { one_shot: true });
    const want = (gen: number, wanted: 'run' | 'stopped') =>
      rig.assign(partOf({ epoch: 1, gen, by }, [[jobOf(db, '1.1', run, wanted), run]]));
    want(1, 'run');
    await rig.clock.advance(1_000);
    want(2, 'stopped');
    await rig.clock.advance(1_000);
    slow = 62_000;
    want(3, 'run');
    await rig.clock.advance(61_000);
    slow = 0;
    await rig.clock.advance(2_000);
    expect(rig.status('1.1')).toBe('running');
    rig.runtime.exit({ instance: db, copy: '1.1' }, 0);
    await rig.clock.advance(60_000);
    expect(rig.status('1.1')).toBe('completed');
    expect(steps(rig).filter((call) => call.startsWith('start'))).toHaveLength(2);
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
