/** What somebody who has some applications can do through the native API: everything with these, nothing with any other. */
import { describe, expect, it } from 'vitest';
import type { Context } from '../../../reconciler/context.ts';
import type { ControlPlane } from '../../../reconciler/control-plane.ts';
import { emptyRecords } from '../../../reconciler/core/records.ts';
import type { Caller } from '../../../reconciler/core/rights.ts';
import { whyOf } from '../../../reconciler/core/why.ts';
import { limitControl } from '../../../reconciler/limited-control.ts';
import { createOwnership } from '../../../reconciler/ownership.ts';
import { isProblemError, type ProblemCode, ProblemError } from '../../../schemas/problem.ts';
import { parseClusterSettings } from '../../../schemas/settings.ts';
import {
  fakeControlPlane,
  fakeEvent,
  fakeInstance,
  fakeNode,
  fakeService,
  watchControl,
} from '../../support/fake-control-plane.ts';
import { memoryKeeper } from '../../support/memory-accounts.ts';
import { descriptor } from '../../support/memory-cluster.ts';
import { wholeControl } from '../../support/whole-control-plane.ts';

const mine = 'shop.default.web.default';
const foreign = 'blog.default.web.default';
const pat: Caller = { name: 'pat', role: 'application_provider', by: 'login', user: 'u-pat' };
const looker: Caller = { name: 'pat', role: 'viewer', by: 'token', user: 'u-pat', own: true };
const token: Caller = { name: 'ann', role: 'admin', by: 'token', user: 'u-ann', apps: ['shop.default'] };
const signal = new AbortController().signal;

/** The control plane of a caller, beside one that says what it was asked. */
function limited(caller: Caller): { readonly control: ControlPlane; readonly asked: string[] } {
  const asked: string[] = [];
  const whole: ControlPlane = fakeControlPlane({
    ...wholeControl,
    services: () => [mine, foreign].map(fakeService),
    instances: () => [mine, foreign].map((name) => fakeInstance(`${name}.instance.0`)),
    apps: () =>
      ['shop', 'blog'].map((name) => ({
        ...{ name: `${name}.default`, source: 'direct', services: 1, healthy: 1, instances: 1 },
        outcome: 'settled' as const,
      })),
    nodes: () => [fakeNode('pi1')],
    holds: () => [mine, foreign].map((subject) => ({ code: 'NO_NODE', subject, message: 'm' })),
    overrides: () =>
      [mine, foreign].map((subject) => ({
        ...{ id: subject.slice(0, 4), subject, change: 'c', actor: 'a', since: 1 },
        kind: 'scale' as const,
      })),
    plan: async (_request, counts = () => true) => ({
      changes: [mine, foreign].map((name) => ({ action: 'start', subject: `${name}.instance.0`, detail: 'd' })),
      holds: [mine, foreign].map((subject) => ({ code: 'NO_NODE', subject, message: 'm' })),
      settled: [mine, foreign].filter(counts).length,
      problems: [],
    }),
    addInstance: async (service) => ({ instance: `${service}.instance.1` }),
    dropInstance: async (instance) => ({ instance }),
    why(subject) {
      const sight = { services: [mine, foreign].map(fakeService), nodes: [fakeNode('pi1')], status: whole.status() };
      const answer = whyOf(sight, subject);
      if (answer.kind === 'found') return answer.item;
      throw new ProblemError(answer.problem);
    },
    async *events() {
      for (const [index, subject] of [mine, foreign, 'node/pi1', 'cluster'].entries())
        yield { ...fakeEvent(index), subject };
      yield { ...fakeEvent(9), kind: 'events_missed' };
    },
  });
  const watched = watchControl(whole, (name) => void asked.push(name));
  const keeper = memoryKeeper({
    ...emptyRecords,
    epoch: 1,
    owners: { 'shop.default': 'u-pat', 'blog.default': 'u-eve' },
  });
  const desired = new Map([mine, foreign].map((name) => [name, {}])) as unknown as Context['world']['desired'];
  const ownership = createOwnership({ keeper, world: { desired } });
  const { settings } = parseClusterSettings('cluster: test', 'cluster.yaml');
  const deps = { settings } as unknown as Context['deps'];
  return { control: limitControl({ deps }, ownership, watched, caller), asked };
}

async function codeOf(work: () => unknown): Promise<ProblemCode | 'done'> {
  try {
    await work();
    return 'done';
  } catch (error) {
    if (isProblemError(error)) return error.problem.code;
    throw error;
  }
}

const verbs: readonly (readonly [name: string, call: (control: ControlPlane, service: string) => unknown])[] = [
  ['scale', (control, service) => control.scale(service, 2, { actor: 'x' })],
  ['stop', (control, service) => control.stop(service, { actor: 'x' })],
  ['start', (control, service) => control.start(service, 'x')],
  ['restart', (control, service) => control.restart(service, undefined, 'x')],
  ['restart of an instance', (control, service) => control.restart(service, `${service}.instance.0`, 'x')],
  ['suspend', (control, service) => control.suspend(service, { actor: 'x' })],
  ['resume', (control, service) => control.resume(service, 'x')],
  ['move', (control, service) => control.move(`${service}.instance.0`, 'n', 'x')],
  ['replicate', (control, service) => control.replicate(`${service}.instance.0`, undefined, 'x')],
  ['addInstance', (control, service) => control.addInstance(service, 'x')],
  ['dropInstance', (control, service) => control.dropInstance(`${service}.instance.0`, 'x')],
  ['remove', (control, service) => control.remove({ services: [service] }, 'x')],
  ['remove of an application', (control, service) => control.remove({ apps: [service.split('.', 2).join('.')] }, 'x')],
  ['removeOverride', (control, service) => control.removeOverride(service.slice(0, 4), 'x')],
  ['logs', async (control, service) => control.logs(`${service}.instance.0`, {}, signal)],
  ['why', async (control, service) => control.why(service)],
];

describe.each([
  ['an application provider', pat],
  ['a token for one application', token],
  ["a viewer's token of an application provider", looker],
])('%s', (_who, caller) => {
  it.each(verbs)('may %s the own, and finds no other', async (_name, call) => {
    const { control, asked } = limited(caller);
    expect(await codeOf(() => call(control, mine))).toBe('done');
    asked.length = 0;
    expect(await codeOf(() => call(control, foreign))).toBe('NOT_FOUND');
    // Looking whose it is changes nothing.
    expect(asked.filter((name) => !['why', 'status', 'services', 'overrides'].includes(name))).toEqual([]);
  });

  it('is told no name of what is not the own', () => {
    const { control } = limited(caller);
    expect(control.why('web').subject).toBe(mine);
    const told = (text: string): string => {
      try {
        return JSON.stringify(control.why(text));
      } catch (error) {
        if (isProblemError(error)) return JSON.stringify(error.problem);
        throw error;
      }
    };
    for (const text of ['blo.default.web.default', 'blo.default.web.default.instance.0', 'blo'])
      expect(told(text)).not.toContain('blog');
    for (const text of ['pi', 'pi2', 'node/pi']) expect(told(text)).not.toContain('pi1');
  });

  it('removes nothing of a list in which something is not the own', async () => {
    const { control, asked } = limited(caller);
    expect(await codeOf(() => control.remove({ services: [mine, foreign] }, 'x'))).toBe('NOT_FOUND');
    expect(await codeOf(() => control.remove({ services: [mine], apps: ['blog.default'] }, 'x'))).toBe('NOT_FOUND');
    expect(asked).not.toContain('remove');
  });

  it('opens no session inside what is not the own', async () => {
    const { control, asked } = limited(caller);
    expect(await codeOf(() => control.exec(`${foreign}.instance.0`, 'x', signal))).toBe('NOT_FOUND');
    expect(asked).toEqual([]);
  });

  it('sees the own, and the nodes that it is on', async () => {
    const { control } = limited(caller);
    expect(control.services().map(({ name }) => name)).toEqual([mine]);
    expect(control.instances().map(({ name }) => name)).toEqual([`${mine}.instance.0`]);
    expect(control.apps().map(({ name }) => name)).toEqual(['shop.default']);
    expect(control.holds().map(({ subject }) => subject)).toEqual([mine]);
    expect(control.overrides().map(({ subject }) => subject)).toEqual([mine]);
    expect(control.service(foreign)).toBeUndefined();
    expect(control.registered(foreign)).toBeUndefined();
    expect(control.status()).toMatchObject({ sources: [], conditions: [], services: { settled: 1 } });
    expect(control.status().holds).toHaveLength(1);
    const subjects: string[] = [];
    for await (const { kind, subject } of control.events(0, signal))
      subjects.push(kind === 'events_missed' ? kind : subject);
    expect(subjects).toEqual([mine, 'events_missed']);
  });

  it('plans and deploys the own, without access to hosts', async () => {
    const { control, asked } = limited(caller);
    const of = (app: string, more: object = {}) => ({
      documents: [{ file: 'a', text: descriptor([{ microservice_name: 'web', ...more }], app) }],
    });
    const { changes, holds, settled } = await control.plan(of('shop'));
    expect([changes, holds].map((list) => list.length)).toEqual([1, 1]);
    expect(settled).toBe(1);
    expect(await codeOf(() => control.plan(of('blog')))).toBe('NOT_FOUND');
    expect(await codeOf(() => control.plan({ ...of('shop'), asSource: true }))).toBe('FORBIDDEN');
    expect(await codeOf(() => control.deploy(of('shop')))).toBe('done');
    asked.length = 0;
    expect(await codeOf(() => control.deploy(of('blog')))).toBe('FORBIDDEN');
    for (const more of [
      { privileged: true },
      { host: { network: 'host' } },
      { virtualization: 'process', code: '/bin/sh' },
      { secrets: [{ name: 'modem-pin', source: 'node' }] },
    ])
      expect(await codeOf(() => control.deploy(of('shop', more))), JSON.stringify(more)).toBe('FORBIDDEN');
    expect(asked).toEqual([]);
  });

  it('has no say in the cluster', async () => {
    const { control, asked } = limited(caller);
    const named = [
      'services instances apps nodes node holds overrides tally vitals service why deploy plan remove move replicate',
      'registered addInstance dropInstance removeOverride suspend resume undelete scale stop start restart logs exec events status cluster',
    ];
    const others = Object.keys(control).filter((name) => !named.join(' ').split(' ').includes(name));
    expect(others.length).toBeGreaterThan(20);
    for (const name of others) {
      const call = control[name as keyof ControlPlane] as (...args: readonly unknown[]) => unknown;
      expect(await codeOf(() => call('a', 'b', 'c')), name).toBe('FORBIDDEN');
    }
    expect(asked).toEqual([]);
  });
});
