import { describe, expect, it } from 'vitest';
import { checkCluster, judgeCluster } from '../../../../cli/services/doctor.ts';
import { checkMachine, type Machine } from '../../../../cli/services/machine-findings.ts';
import { ProblemError, problem } from '../../../../schemas/problem.ts';
import type { ClusterStatus } from '../../../../schemas/views.ts';
import { fakeControlPlane, fakeNode } from '../../../support/fake-control-plane.ts';

const never = new AbortController().signal;
const machine: Machine = {
  node: 'v20.19.0',
  git: 'git 2.39.5',
  engine: '1.41',
  loopback: true,
  takenPorts: [],
  disk: { path: '/', bytes: 8e9, files: 100_000 },
  now: Date.UTC(2026, 0, 1),
};
const status = (given: Partial<ClusterStatus> = {}): ClusterStatus => ({ ...fakeControlPlane().status(), ...given });
const node = fakeNode('pi1', { runtimes: ['docker'] });

describe('a machine', () => {
  it('that has everything is fine', () => {
    const findings = checkMachine(machine, 'host', false);
    expect(findings.filter(({ state }) => state !== 'ok')).toEqual([]);
    expect(findings.map(({ check }) => check)).toEqual([
      'node',
      'git',
      'clock',
      'disk',
      'docker',
      'ports',
      'addresses',
    ]);
  });

  it.each([
    ['node', { node: 'v20.18.3' }, 'failed'],
    ['git', { git: undefined }, 'failed'],
    ['docker', { engine: undefined }, 'failed'],
    ['clock', { now: 86_400_000 }, 'failed'],
    ['disk', { disk: { path: '/', bytes: 5e8 } }, 'warning'],
    ['disk', { disk: { path: '/', bytes: 5e7 } }, 'failed'],
    ['disk', { disk: { path: '/', bytes: 8e9, files: 3 } }, 'failed'],
    ['ports', { takenPorts: [10_100, 10_003] }, 'warning'],
    ['addresses', { loopback: false }, 'warning'],
  ] as const)('%s: %j is %s, with the command that mends it', (check, lacking, state) => {
    const found = checkMachine({ ...machine, ...lacking } as Machine, 'host', false);
    const bad = found.filter((finding) => finding.state !== 'ok');
    expect(bad).toMatchObject([{ check, state, hint: expect.stringContaining('`') }]);
  });

  it('that only talks to a cluster elsewhere needs no Engine, ports or addresses', () => {
    const bare: Machine = { ...machine, engine: undefined, takenPorts: [10_100], loopback: false } as never;
    expect(checkMachine(bare, 'client', false).filter(({ state }) => state !== 'ok')).toEqual([]);
  });

  it('whose ports are taken by its own cluster is fine', () => {
    const found = checkMachine({ ...machine, takenPorts: [10_100] }, 'host', true);
    expect(found.find(({ check }) => check === 'ports')?.state).toBe('ok');
  });
});

describe('a cluster', () => {
  const source = {
    name: 'git',
    url: '',
    branch: 'main',
    path: '',
    state: 'synced',
    services: 1,
    ignored: 0,
    problems: [],
  } as const;

  it('that is well has no other finding', () => {
    const findings = judgeCluster(status({ sources: [source] }), [node]);
    expect(findings.filter(({ state }) => state !== 'ok')).toEqual([]);
  });

  it.each([
    ['nodes', status(), []],
    ['node pi2', status(), [node, fakeNode('pi2', { state: 'lost' })]],
    ['node pi1', status(), [fakeNode('pi1', { runtimes: ['docker'], problems: [{ code: 'X', message: 'y' }] })]],
    ['source git', status({ sources: [{ ...source, state: 'unreachable' }] }), [node]],
    [
      'hold REMOVAL_GUARD',
      status({ holds: [{ id: 'ab', code: 'REMOVAL_GUARD', subject: 's', message: 'm' }] }),
      [node],
    ],
    ['hold NO_CAPACITY', status({ holds: [{ code: 'NO_CAPACITY', subject: 's', message: 'm' }] }), [node]],
  ])('with something missing says it: %s', (check, state, nodes) => {
    const bad = judgeCluster(state, nodes).filter((finding) => finding.state !== 'ok');
    expect(bad).toMatchObject([{ check, state: 'failed', hint: expect.stringContaining('`oakctl') }]);
  });

  it('that only works on something lacks nothing', () => {
    const holds = [{ code: 'IN_PROGRESS', subject: 's', message: 'm' }] as const;
    expect(judgeCluster(status({ holds }), [node]).every(({ state }) => state === 'ok')).toBe(true);
  });

  it('with another clock is warned about', async () => {
    const connect = async () => ({ url: 'http://x', status: async () => status(), nodes: async () => [node] });
    const clocks = async (skew: number | undefined) =>
      (await checkCluster(connect, async () => skew, never)).find(({ check }) => check === 'clocks')?.state;
    expect(await clocks(-700)).toBe('ok');
    expect(await clocks(undefined)).toBe('ok');
    expect(await clocks(90_000)).toBe('warning');
  });

  it('that does not answer is one finding', async () => {
    const connect = async () => {
      throw new ProblemError(problem('UNREACHABLE', 'nobody', { hint: '`oakctl up`' }));
    };
    const findings = await checkCluster(connect, async () => 0, never);
    expect(findings).toEqual([{ check: 'reconciler', state: 'failed', message: 'nobody', hint: '`oakctl up`' }]);
  });
});
