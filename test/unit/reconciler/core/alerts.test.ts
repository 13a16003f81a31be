import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Alert,
  type AlertMemory,
  alertsOf,
  looked,
  noticesOf,
  toldNow,
} from '../../../../reconciler/core/alerts.ts';
import { problem } from '../../../../schemas/problem.ts';

const minute = 60_000;
const times = { after: minute, remind: 60 * minute };
const lost: Alert = { subject: 'node/a', code: 'NODE_LOST', message: 'm' };
const failed: Alert = { subject: 's', code: 'FAILED', message: 'm' };

/** What a receiver is told while the alerts follow each other, a minute apart. */
function course(steps: readonly (readonly Alert[])[], told = times): string[] {
  let memory: AlertMemory = {};
  return steps.map((alerts, step) => {
    const now = step * minute;
    const known = new Map(alerts.map((alert) => [alert.subject, alert]));
    memory = looked(memory, known, now);
    const notices = noticesOf(memory, known, now, told);
    memory = toldNow(memory, notices, now);
    return notices.map(({ kind, code }) => `${kind} ${code}`).join();
  });
}

describe('a receiver', () => {
  it('is told once what lasts, and once that it is over', () => {
    expect(course([[lost], [lost], [lost], [], [], []])).toEqual([
      '',
      'problem NODE_LOST',
      '',
      '',
      'recovered NODE_LOST',
      '',
    ]);
  });

  it('hears nothing of what passes, nor of a recovery that does', () => {
    expect(course([[lost], [], [lost], [lost], [], [lost], []])).toEqual(['', '', '', 'problem NODE_LOST', '', '', '']);
  });

  it('hears of another state of the same thing at once', () => {
    const paused = { ...failed, code: 'PAUSED' };
    expect(course([[failed], [failed], [paused], [paused]])).toEqual(['', 'problem FAILED', 'problem PAUSED', '']);
  });

  it('does not wait for a time that a clock said before it was set back', () => {
    const alerts = new Map([['node/a', lost]]);
    const year = 365 * 24 * 60 * minute;
    const early = looked({}, alerts, year);
    const known = looked(looked(early, alerts, 0), alerts, minute);
    expect(noticesOf(known, alerts, minute, times)).toMatchObject([{ kind: 'problem', since: 0 }]);
    const told = toldNow(early, noticesOf(early, alerts, 2 * year, times), year);
    const later = looked(looked(told, alerts, 0), alerts, 60 * minute);
    expect(noticesOf(later, alerts, 60 * minute, times)).toMatchObject([{ kind: 'reminder' }]);
    const over = looked(looked(told, new Map(), year), new Map(), 0);
    expect(noticesOf(looked(over, new Map(), minute), new Map(), minute, times)).toMatchObject([{ kind: 'recovered' }]);
  });

  it('is reminded, or never', () => {
    const long = Array.from({ length: 123 }, () => [lost]);
    expect(course(long).flatMap((one, at) => (one ? [`${at} ${one}`] : []))).toEqual([
      '1 problem NODE_LOST',
      '61 reminder NODE_LOST',
      '121 reminder NODE_LOST',
    ]);
    expect(course(long, { ...times, remind: 0 }).filter(Boolean)).toEqual(['problem NODE_LOST']);
  });

  it('is told all of it again as long as it did not take it', () => {
    const alerts = new Map([['a', lost]]);
    const memory = looked({}, alerts, 0);
    expect(noticesOf(looked(memory, alerts, minute), alerts, minute, times)).toHaveLength(1);
    expect(noticesOf(looked(memory, alerts, 5 * minute), alerts, 5 * minute, times)).toMatchObject([{ since: 0 }]);
  });

  it('is told of a recovery only what it was told as a problem, and each in turn', () => {
    const one = fc.subarray([lost, failed]);
    fc.assert(
      fc.property(fc.array(one, { maxLength: 40 }), (steps) => {
        const open = new Set<string>();
        for (const told of course(steps, { after: 2 * minute, remind: 5 * minute })) {
          for (const [kind, code = ''] of told
            .split(',')
            .filter(Boolean)
            .map((text) => text.split(' '))) {
            expect(open.has(code)).toBe(kind !== 'problem');
            if (kind === 'recovered') open.delete(code);
            else open.add(code);
          }
        }
      }),
    );
  });

  it('has heard of everything that lasts, and of the end of everything that is over', () => {
    const one = fc.subarray([lost, failed]);
    fc.assert(
      fc.property(fc.array(one, { maxLength: 20 }), one, (steps, last) => {
        const end = Array.from({ length: 4 }, () => last);
        const open = new Set<string>();
        for (const told of course([...steps, ...end], { ...times, remind: 0 }))
          for (const [kind, code = ''] of told
            .split(',')
            .filter(Boolean)
            .map((text) => text.split(' ')))
            if (kind === 'problem') open.add(code);
            else open.delete(code);
        expect([...open].sort()).toEqual(last.map(({ code }) => code).sort());
      }),
    );
  });
});

describe('what is wrong', () => {
  const nothing = { sources: [], holds: [], conditions: [] };
  const codes = (alerts: ReadonlyMap<string, Alert>) => [...alerts].map(([key, { code }]) => `${key} ${code}`);

  it('are services that do not do well, and lost nodes', () => {
    const services = (['settled', 'progressing', 'failed', 'rolled_back', 'held', 'stopped'] as const).map(
      (outcome) => ({
        name: outcome,
        outcome,
        message: 'm',
      }),
    );
    const nodes = (['online', 'suspect', 'lost'] as const).map((state) => ({ name: state, state }));
    expect(codes(alertsOf(nothing, services, nodes))).toEqual([
      'service/failed FAILED',
      'service/rolled_back ROLLED_BACK',
      'service/held HELD',
      'node/lost NODE_LOST',
    ]);
  });

  it('are sources, once; what waits for a person; and conditions that are no warnings', () => {
    const unreachable = problem('SOURCE_UNREACHABLE', 'no', { subject: 'source/main' });
    const source = {
      ...{ name: 'main', url: 'u', branch: 'b', path: '', services: 0, ignored: 0 },
      state: 'unreachable' as const,
      problems: [unreachable],
    };
    const status = {
      sources: [source],
      holds: [
        { id: 'abc', code: 'REMOVAL_GUARD', subject: 'source/main', message: 'm' },
        { code: 'MASS_LOSS', subject: 'cluster', message: 'm' },
        { code: 'NO_CAPACITY', subject: 'a.b.c.d', message: 'm' },
      ] as const,
      conditions: [unreachable, problem('FILE_UNWRITABLE', 'm'), problem('INSECURE', 'm', { severity: 'warning' })],
    };
    const found = alertsOf(status, [], []);
    expect(codes(found)).toEqual([
      'source/main SOURCE_UNREACHABLE',
      'hold/abc REMOVAL_GUARD',
      'hold/MASS_LOSS MASS_LOSS',
      'condition/FILE_UNWRITABLE/cluster FILE_UNWRITABLE',
    ]);
    expect(found.get('hold/abc')?.hint).toBe('oakctl approve abc');
  });
});
