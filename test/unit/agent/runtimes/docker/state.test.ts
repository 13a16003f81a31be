import { describe, expect, it } from 'vitest';
import { labelsOf, ownership } from '../../../../../agent/runtimes/docker/labels.ts';
import {
  readStatusLine,
  readSummary,
  type Summary,
  withInspected,
} from '../../../../../agent/runtimes/docker/state.ts';

const owner = { cluster: 'c'.repeat(64), node: '0123456789abcdef' };
const key = { instance: 'shop.prod.web.prod.instance.4', copy: '3.9', digest: '1:ab' };
const name = '/shop.prod.web.prod.instance.4.3.9';
const summary = (parts: Partial<Summary>): Summary => ({
  Id: 'id1',
  Names: [name],
  Labels: labelsOf(owner, key),
  State: 'running',
  Status: 'Up 5 seconds',
  Ports: [],
  ...parts,
});

describe('a status line', () => {
  it.each([
    ['Up Less than a second', { since: 0 }],
    ['Up 1 second', { since: 1000 }],
    ['Up 59 seconds', { since: 59_000 }],
    ['Up About a minute', { since: 60_000 }],
    ['Up 12 minutes', { since: 720_000 }],
    ['Up About an hour', { since: 3_600_000 }],
    ['Up 47 hours', { since: 169_200_000 }],
    ['Up 3 weeks', { since: 3 * 604_800_000 }],
    ['Up 5 seconds (healthy)', { since: 5000, health: 'healthy' }],
    ['Up 2 minutes (unhealthy)', { since: 120_000, health: 'unhealthy' }],
    ['Up 5 seconds (health: starting)', { since: 5000, health: 'starting' }],
    ['Up 5 seconds (Paused)', { since: 5000 }],
    ['Exited (0) 3 seconds ago', { exitCode: 0, since: 3000 }],
    ['Exited (137) About an hour ago', { exitCode: 137, since: 3_600_000 }],
    ['Restarting (1) 5 seconds ago', {}],
    ['läuft seit gestern', {}],
    ['', {}],
  ])('%s', (line, meaning) => {
    expect(readStatusLine(line)).toEqual(meaning);
  });
});

describe('a listed container', () => {
  it('is a copy with everything that one request tells', () => {
    const ports = [
      { IP: '127.0.0.2', PublicPort: 6080 },
      { IP: '127.0.0.2', PublicPort: 6080 },
      { IP: '::1', PublicPort: 6080 },
      {},
    ];
    expect(readSummary(owner, summary({ Ports: ports, Status: 'Up 5 seconds (healthy)' }))).toEqual({
      kind: 'copy',
      complete: true,
      copy: {
        ...key,
        runtime: 'docker',
        state: 'running',
        handle: 'id1',
        addresses: ['127.0.0.2:6080', '[::1]:6080'],
        since: 5000,
        health: 'healthy',
      },
    });
  });

  it.each([
    ['created', 'Created', 'created', true],
    ['running', 'Up 2 hours', 'running', true],
    ['paused', 'Up 2 hours (Paused)', 'running', false],
    ['exited', 'Exited (3) 2 hours ago', 'exited', true],
    ['removing', 'Removal In Progress', 'exited', true],
    ['dead', 'Dead', 'exited', true],
    ['running', 'words of another engine', 'running', false],
    ['exited', 'words of another engine', 'exited', false],
  ])('in state %s (%s) is %s', (State, Status, state, complete) => {
    expect(readSummary(owner, summary({ State, Status }))).toMatchObject({ complete, copy: { state } });
  });

  it('that is paused is so, and as well as its inspect says', () => {
    const listed = readSummary(owner, summary({ State: 'paused', Status: 'Up 2 hours (Paused)' }));
    if (listed.kind !== 'copy') throw new Error('a stranger');
    const Health = { Status: 'starting' };
    const state = { StartedAt: '2026-01-01T00:00:00Z', FinishedAt: '0001-01-01T00:00:00Z', ExitCode: 0, Health };
    const copy = withInspected(listed.copy, state, Date.parse('2026-01-01T00:00:05Z'));
    expect(copy).toMatchObject({ state: 'running', paused: true, health: 'starting', since: 5_000 });
  });

  it('is completed by an inspect where its line says nothing', () => {
    const listed = readSummary(owner, summary({ State: 'exited', Status: 'gone' }));
    if (listed.kind !== 'copy') throw new Error('a stranger');
    const state = { StartedAt: '2026-01-01T00:00:00Z', FinishedAt: '2026-01-01T00:01:00Z', ExitCode: 9 };
    const wall = Date.parse('2026-01-01T00:01:10Z');
    expect(withInspected(listed.copy, state, wall)).toMatchObject({ exitCode: 9, since: 10_000 });
    const running = { ...listed.copy, state: 'running' as const };
    const inspected = withInspected(running, { ...state, Health: { Status: 'unhealthy' } }, wall);
    expect(inspected).toMatchObject({ since: 70_000, health: 'unhealthy' });
    expect(inspected).not.toHaveProperty('exitCode');
  });
});

it.each([
  [
    [
      { ExitCode: 0, Output: '' },
      { ExitCode: -1, Output: 'Health check exceeded timeout (1s)' },
    ],
    'timed_out',
  ],
  [[{ ExitCode: -1, Output: 'OCI runtime exec failed: exec failed: stat /nope' }], 'not_started'],
  [[{ ExitCode: 3, Output: 'a secret, perhaps' }], 3],
  [[], undefined],
  [null, undefined],
])('of an unhealthy container whose checks ended as %j it is known that the last one came to %s', (Log, failed) => {
  const listed = readSummary(owner, summary({ Status: 'Up 2 minutes (unhealthy)' }));
  if (listed.kind !== 'copy') throw new Error('a stranger');
  expect(listed.complete).toBe(false);
  const state = {
    StartedAt: '2026-01-01T00:00:00Z',
    FinishedAt: '',
    ExitCode: 0,
    Health: { Status: 'unhealthy', Log },
  };
  const copy = withInspected(listed.copy, state, Date.parse('2026-01-01T00:02:05Z'));
  expect(copy).toMatchObject({ health: 'unhealthy', since: 125_000 });
  expect(copy.failedCheck).toBe(failed);
});

describe('ownership', () => {
  const ours = labelsOf(owner, key);
  it('needs all labels, our cluster, our node, and the name that the labels ask for', () => {
    expect(ownership(owner, [name], ours)).toEqual({ kind: 'ours', ...key });
    expect(ownership(owner, ['/a/link', name], ours)).toMatchObject({ kind: 'ours' });
    expect(ownership(owner, [`${name}.${owner.cluster.slice(0, 12)}`], ours)).toMatchObject({ kind: 'ours' });
    expect(ownership(owner, [`${name}.other`], ours)).toMatchObject({ kind: 'stranger' });
    for (const label of Object.keys(ours)) {
      const { [label]: _gone, ...rest } = ours;
      expect(ownership(owner, [name], rest), label).toMatchObject({ kind: 'stranger' });
      expect(ownership(owner, [name], { ...ours, [label]: '' }), label).toMatchObject({ kind: 'stranger' });
      expect(ownership(owner, [name], { ...ours, [label]: `${ours[label]}0` }).kind, label).toBe(
        label === 'io.oakctl.digest' ? 'ours' : 'stranger',
      );
    }
    expect(ownership(owner, ['/copied'], ours)).toMatchObject({ kind: 'stranger' });
    expect(ownership(owner, [name], {})).toMatchObject({ kind: 'stranger' });
    expect(ownership(owner, [name], null)).toMatchObject({ kind: 'stranger' });
  });
});
