import { expect, it } from 'vitest';
import { whyOf } from '../../../../reconciler/core/why.ts';
import type { Hold } from '../../../../schemas/status.ts';
import type { Cause, InstanceView, NodeView, ServiceView } from '../../../../schemas/views.ts';
import { fakeControlPlane, fakeInstance, fakeNode, fakeService } from '../../../support/fake-control-plane.ts';

/** What is asked of a person: every step of the chain, with its way out. */
const web = 'shop.default.web.default';
const db = 'shop.default.db.default';

function ill(name: string, holds: readonly Hold[], instance: Partial<InstanceView> = {}): ServiceView {
  const one: InstanceView = { ...fakeInstance(`${name}.instance.0`), healthy: false, status: 'failed', ...instance };
  return { ...fakeService(name), outcome: 'progressing', message: '0 of 1 healthy', holds, instances: [one] };
}

function ask(services: readonly ServiceView[], nodes: readonly NodeView[] = [], subject = web): Cause {
  const found = whyOf({ services, nodes, status: fakeControlPlane().status() }, subject);
  if (found.kind !== 'found') throw new Error(found.problem.message);
  return found.item;
}

const steps = (cause: Cause): readonly Cause[] => [cause, ...cause.because.flatMap(steps)];
const hold = (code: Hold['code'], message: string, name = web): Hold => ({
  code,
  subject: `${name}.instance.0`,
  message,
});
const hints = (cause: Cause): readonly string[] => steps(cause).flatMap(({ hint }) => hint ?? []);

it.each<[string, Hold, Partial<InstanceView>, RegExp]>([
  [
    'a crash',
    hold('IN_PROGRESS', 'backing off on pi1: it ended with exit code 7'),
    { reason: { code: 'CRASH_LOOP', message: 'it ended with exit code 7' } },
    /^oakctl logs shop\.default\.web\.default\.instance\.0$/,
  ],
  [
    'too little memory',
    hold('CRASH_LOOP', 'crash loop on pi1: it was killed for want of memory (exit code 137; its limit is 64 MB)'),
    {
      reason: { code: 'CRASH_LOOP', message: 'it was killed for want of memory (exit code 137; its limit is 64 MB)' },
    },
    /`memory`/,
  ],
  [
    'a port that a stranger has',
    hold('COPY_FAILED', 'failed on pi1: listen tcp4 :80: bind: address already in use'),
    { reason: { code: 'START_FAILED', message: 'listen tcp4 :80: bind: address already in use' } },
    /ss -ltnp/,
  ],
  [
    'an image that nobody has',
    hold('COPY_FAILED', 'failed on pi1: no such image'),
    { reason: { code: 'IMAGE_NOT_FOUND', message: 'no such image' } },
    /oakctl images load/,
  ],
  ['a label', hold('LABEL_MISMATCH', '4 nodes without zone in (cellar)'), { status: 'missing' }, /nodes\.yaml/],
  ['no room', hold('NO_CAPACITY', 'needs 99999 MB, largest free 1821 MB on pi1'), { status: 'missing' }, /nodes add/],
])('says the way out of %s, and nothing twice', (_, told, instance, way) => {
  const cause = ask([ill(web, [told], instance)]);
  expect(hints(cause)).toEqual([expect.stringMatching(way)]);
  const { reason } = instance;
  if (reason) expect(steps(cause).filter(({ message }) => message.includes(reason.message))).toHaveLength(1);
});

it('follows what an instance waits for, also in a circle', () => {
  const waits = (name: string, other: string): ServiceView =>
    ill(name, [hold('DEPENDENCY_WAITING', `waits for ${other} (0 of 1 healthy)`, name)], { status: 'missing' });
  const reason = { code: 'CRASH_LOOP', message: 'it ended with exit code 7' } as const;
  const broken = ill(db, [hold('IN_PROGRESS', 'backing off on pi1', db)], { reason });
  expect(hints(ask([waits(web, db), broken]))).toEqual([`oakctl logs ${db}.instance.0`]);
  expect(steps(ask([waits(web, db), waits(db, web)])).map(({ subject }) => subject)).toContain(db);
});

it('says how a cordon ends, and of a lost node how long it is gone', () => {
  const cordoned = (cause: string, since?: number): NodeView =>
    fakeNode('pi1', { cordoned: { cause, ...(since !== undefined && { since }) } });
  const held = ill(web, [hold('NODES_CORDONED', '1 node cordoned (pi1)')], { status: 'missing' });
  expect(hints(ask([held], [cordoned('nodes.yaml')]))).toEqual(['oakctl nodes uncordon pi1 --commit']);
  expect(hints(ask([held], [cordoned('by ann', 1)]))).toEqual(['oakctl nodes uncordon pi1']);

  const away = ill(web, [], { status: 'lost', node: 'pi1', age: 600_000 });
  const cause = ask([away], [fakeNode('pi1', { state: 'lost', seen: 20_000 })]);
  expect(cause.because[0]?.message).toBe('lost on pi1 for 20 s');
  expect(hints(cause)).toEqual([expect.stringContaining('oakctl nodes rm pi1 --force')]);
});
