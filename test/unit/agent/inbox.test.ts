import { describe, expect, test } from 'vitest';
import { hashPart } from '../../../schemas/assignment.ts';
import { digestOf } from '../../../schemas/digest.ts';
import type { ControlMessage, Job } from '../../../schemas/messages.ts';
import { emptyPolicy } from '../../../schemas/policy.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import type { RunSpec } from '../../../schemas/spec.ts';
import { topic } from '../../../schemas/topics.ts';
import { steps } from './loop-support.ts';
import { assignmentOf, container, controlOf, createRig, emptyPart, jobOf, node, partOf, type Rig } from './support.ts';

const web = 'shop.default.web.default.instance.0';
const db = 'shop.default.db.default.instance.0';
const run = container('web:1');

test('a disk that refuses keeps the old ledger, is reported, and is tried again', async () => {
  const rig = createRig();
  await rig.boot();
  const write = rig.files.write;
  rig.files.write = () => Promise.reject(new ProblemError(problem('FILE_UNWRITABLE', 'the disk is full')));
  rig.assign(partOf({ epoch: 1, gen: 1, by: 'x' }, [[jobOf(web, '1.1', run), run]]));
  await rig.clock.advance(6_000);
  expect(rig.runtime.copies.size).toBe(0);
  expect(rig.report()?.gen).toBe(0);
  const beat = rig.broker.log.filter((entry) => entry.topic === topic(node, 'information')).at(-1);
  expect(JSON.parse(beat?.payload ?? '')).toMatchObject({ problems: [{ code: 'FILE_UNWRITABLE' }] });
  rig.files.write = write;
  await rig.clock.advance(6_000);
  expect(rig.status('1.1')).toBe('running');
});

test('what was accepted while the disk refused is the base of what comes next', async () => {
  const rig = createRig();
  await rig.boot();
  const write = rig.files.write;
  rig.files.write = () => Promise.reject(new ProblemError(problem('FILE_UNWRITABLE', 'the disk is full')));
  const first = partOf({ epoch: 1, gen: 1, by: 'x' }, [[jobOf(web, '1.1', run), run]]);
  rig.assign(first);
  await rig.clock.advance(100);
  rig.files.write = write;
  const change = { kind: 'upsert', job: jobOf(web, '1.2', run), document: run } as const;
  rig.control(controlOf(first, change, { epoch: 1, gen: 2, by: 'x' }));
  await rig.clock.advance(200);
  expect(rig.report()?.copies.map((copy) => [copy.copy, copy.status])).toEqual([
    ['1.1', 'running'],
    ['1.2', 'running'],
  ]);
});

describe('a run spec of a later version', () => {
  const future = { ...run, teleport: true } as RunSpec;
  const first = { epoch: 1, gen: 1, by: 'x' };
  const second = { epoch: 1, gen: 2, by: 'x' };

  test('is kept, and no copy is made of it; other copies of the same node go on changing', async () => {
    const rig = createRig();
    await rig.boot();
    const part = partOf(first, [[jobOf(web, '1.1', future), future]]);
    rig.assign(part);
    await rig.clock.advance(1_000);
    expect(rig.report()?.copies).toMatchObject([{ status: 'failed', reason: { code: 'AGENT_TOO_OLD' } }]);
    expect(rig.report()?.copies[0]?.reason?.message).toContain('teleport');
    expect(steps(rig)).toEqual([]);
    rig.control(controlOf(part, { kind: 'upsert', job: jobOf(db, '1.2', run), document: run }, second));
    await rig.clock.advance(1_000);
    expect(rig.status('1.2')).toBe('running');
  });

  test('leaves a copy alone that a later agent made, and starts it again when it ends', async () => {
    const rig = createRig();
    const handle = 'made-by-a-later-agent';
    const copy = {
      instance: web,
      copy: '1.1',
      runtime: 'docker',
      digest: digestOf(future),
      handle,
      addresses: [],
    } as const;
    rig.runtime.plant({ ...copy, state: 'running' });
    await rig.boot();
    rig.assign(partOf(first, [[jobOf(web, '1.1', future), future]]));
    await rig.clock.advance(60_000);
    expect(rig.status('1.1')).toBe('running');
    expect(steps(rig)).toEqual([]);
  });

  test('that is malformed in what this version knows is refused as a whole', async () => {
    const rig = createRig();
    await rig.boot();
    const broken = { ...future, memory: 'much' } as unknown as RunSpec;
    rig.assign(partOf(first, [[jobOf(web, '1.1', broken), broken]]));
    await rig.clock.advance(200);
    const refused = rig.events.flatMap((event) => (event.kind === 'message_refused' ? [event.why] : []));
    expect(refused).toEqual([expect.stringContaining('run spec')]);
  });
});

test('what a later version says of a job beside its run spec is applied by a control, too', async () => {
  const rig = createRig();
  await rig.boot();
  const job = { ...jobOf(web, '1.1', run), mood: 'good' } as Job;
  const fence = { epoch: 1, gen: 1, by: 'x' };
  rig.control(controlOf(emptyPart, { kind: 'upsert', job, document: run }, fence));
  await rig.clock.advance(500);
  expect(rig.status('1.1')).toBe('running');
  expect(rig.report()?.hash).toBe(hashPart(partOf(fence, [[job, run]])));
});

describe('a message of another version of the wire', () => {
  const said = (rig: Rig) =>
    rig.broker.log.filter((entry) => entry.topic === topic(node, 'information')).at(-1)?.payload;

  test('changes nothing, is shown with the node while it lasts, and only if the cluster signed it', async () => {
    const rig = createRig();
    await rig.boot();
    const part = partOf({ epoch: 1, gen: 1, by: 'x' }, [[jobOf(web, '1.1', run), run]]);
    rig.assign(part);
    await rig.clock.advance(1_000);
    const drop = controlOf(part, { kind: 'drop', instance: web, copy: '1.1' }, { epoch: 1, gen: 2, by: 'x' });
    rig.control({ ...drop, v: 2, sig: 'bad' } as unknown as ControlMessage);
    await rig.clock.advance(6_000);
    expect(said(rig)).not.toContain('VERSION_SKEW');
    rig.control({ ...drop, v: 2 } as unknown as ControlMessage);
    await rig.clock.advance(6_000);
    expect(rig.status('1.1')).toBe('running');
    expect(JSON.parse(said(rig) ?? '')).toMatchObject({ problems: [{ code: 'VERSION_SKEW' }] });
    rig.assign(partOf({ epoch: 1, gen: 3, by: 'x' }, [[jobOf(web, '1.1', run), run]]));
    await rig.clock.advance(6_000);
    expect(said(rig)).not.toContain('VERSION_SKEW');
  });
});

test('a delete that overtakes its deploy is not carried out, and neither is the deploy once the assignment came', async () => {
  const rig = createRig();
  await rig.boot();
  const job = jobOf(web, '1.1', run);
  const [one, two] = [1, 2].map((gen) => ({ epoch: 1, gen, by: 'x' }));
  if (!one || !two) throw new Error('there are two');
  const deploy = controlOf(emptyPart, { kind: 'upsert', job, document: run }, one);
  const drop = controlOf(partOf(one, [[job, run]]), { kind: 'drop', instance: web, copy: '1.1' }, two);
  rig.control(drop);
  rig.assign(partOf(two, []));
  rig.control(deploy);
  await rig.clock.advance(1_000);
  expect(rig.runtime.calls.filter((call) => /^(create|start)/.test(call))).toEqual([]);
  expect(rig.report()).toMatchObject({ gen: 2, copies: [] });
  const outcomes = rig.events.flatMap((event) =>
    event.kind === 'judged' ? [`${event.message} ${event.outcome}`] : [],
  );
  expect(outcomes).toEqual(['control ignored', 'assignment applied', 'control refused']);
});

test('an assignment that is older than the ledger changes nothing and is answered with a report', async () => {
  const rig = createRig();
  await rig.boot();
  rig.assign(partOf({ epoch: 2, gen: 5, by: 'x' }, [[jobOf(web, '2.5', run), run]]));
  await rig.clock.advance(1_000);
  const reports = () => rig.broker.log.filter((entry) => entry.topic === topic(node, 'instances')).length;
  const before = reports();
  rig.reconciler.publish(
    topic(node, 'assignment'),
    JSON.stringify(assignmentOf(partOf({ epoch: 1, gen: 9, by: 'y' }, []))),
    { qos: 1, retain: true },
  );
  await rig.clock.advance(200);
  expect(rig.status('2.5')).toBe('running');
  expect(reports()).toBe(before + 1);
});

test('its own authority takes plain controls, and no signed word', async () => {
  const rig = createRig({}, emptyPolicy, 'local');
  await rig.boot();
  const signed = partOf({ epoch: 9, gen: 1, by: 'x' }, [[jobOf(web, '9.1', run), run]]);
  rig.assign(signed);
  const say = (control: object | string, retain = false): void => {
    const payload = typeof control === 'string' ? control : JSON.stringify(control);
    rig.reconciler.publish(topic(node, 'controls'), payload, { qos: 1, retain });
  };
  say({ command: 'deploy', job: { id: 1, name: 'lies-around', image: 'web:1' } }, true);
  say({ command: 'dance', job: { id: 1, name: 'hello' } });
  say('no JSON');
  await rig.clock.advance(200);
  expect(rig.runtime.copies.size).toBe(0);
  say({ command: 'deploy', job: { id: 1, name: 'hello', image: 'web:1', technology: 'docker' }, worker: node });
  await rig.clock.advance(200);
  expect([...rig.runtime.copies.keys()]).toEqual([
    expect.stringMatching(/^hello\.default\.hello\.default\.instance\.0\//),
  ]);
  say({ command: 'delete', job: { id: 1, name: 'hello' } });
  await rig.clock.advance(20_000);
  expect(rig.runtime.copies.size).toBe(0);
  expect(rig.broker.log.filter((entry) => entry.topic === topic(node, 'instances'))).toEqual([]);
});

test('its own authority with a damaged ledger stops nothing, starts nothing, and says the way out', async () => {
  const rig = createRig({}, emptyPolicy, 'local');
  await rig.files.write('ledger-0', '{');
  await rig.boot();
  const control = { command: 'deploy', job: { id: 1, name: 'hello', image: 'web:1' } };
  rig.reconciler.publish(topic(node, 'controls'), JSON.stringify(control), { qos: 1, retain: false });
  await rig.clock.advance(2_000);
  expect(rig.runtime.copies.size).toBe(0);
  const hints = rig.events.flatMap((event) => (event.kind === 'ledger_problem' ? [event.problem.hint] : []));
  expect(hints).toEqual([expect.stringContaining('remove this file')]);
});
