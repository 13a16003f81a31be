import { expect, test } from 'vitest';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import type { RunSpec } from '../../../schemas/spec.ts';
import { topic } from '../../../schemas/topics.ts';
import { assignmentOf, container, controlOf, createRig, emptyPart, jobOf, node, partOf } from './support.ts';

const web = 'shop.default.web.default.instance.0';
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

test('a run spec with a member that this agent does not know is refused as a whole', async () => {
  const rig = createRig();
  await rig.boot();
  const future = { ...run, teleport: true } as RunSpec;
  const part = partOf({ epoch: 1, gen: 1, by: 'x' }, [[jobOf(web, '1.1', future), future]]);
  rig.assign(part);
  rig.control(controlOf(emptyPart, { kind: 'upsert', job: jobOf(web, '1.1', future), document: future }, part.fence));
  await rig.clock.advance(200);
  expect(rig.runtime.copies.size).toBe(0);
  const refused = rig.events.flatMap((event) => (event.kind === 'message_refused' ? [event.why] : []));
  expect(refused).toEqual([expect.stringContaining('teleport'), expect.stringContaining('teleport')]);
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
  const rig = createRig({}, [], 'local');
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
  const rig = createRig({}, [], 'local');
  await rig.files.write('ledger-0', '{');
  await rig.boot();
  const control = { command: 'deploy', job: { id: 1, name: 'hello', image: 'web:1' } };
  rig.reconciler.publish(topic(node, 'controls'), JSON.stringify(control), { qos: 1, retain: false });
  await rig.clock.advance(2_000);
  expect(rig.runtime.copies.size).toBe(0);
  const hints = rig.events.flatMap((event) => (event.kind === 'ledger_problem' ? [event.problem.hint] : []));
  expect(hints).toEqual([expect.stringContaining('remove this file')]);
});
