import { describe, expect, test } from 'vitest';
import { topic } from '../../../schemas/topics.ts';
import { started, steps } from './loop-support.ts';
import { assignmentOf, container, controlOf, createRig, emptyPart, jobOf, node, partOf, type Rig } from './support.ts';

const web = 'shop.default.web.default.instance.0';
const db = 'shop.default.db.default.instance.0';
const v1 = container('web:1');
const by = 'rec';

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
