import { expect, it } from 'vitest';
import { sourceReport } from '../../../../reconciler/core/source-report.ts';
import { problem } from '../../../../schemas/problem.ts';
import type { Hold } from '../../../../schemas/status.ts';
import type { ServiceView, SourceView } from '../../../../schemas/views.ts';

const source: SourceView = {
  ...{ name: 'main', url: 'https://user:word@h/r', branch: 'main', path: 'edge', head: 'c2', accepted: 'c1' },
  ...{ state: 'synced', services: 1, ignored: 0, problems: [] },
};
const service = (name: string, outcome: ServiceView['outcome']) =>
  ({
    name,
    source: 'main',
    outcome,
    message: 'why',
    healthy: 1,
    slots: 2,
    digest: 'd',
    commit: 'c1',
    instances: [],
  }) as object as ServiceView;
const hold: Hold = { id: 'h', code: 'REMOVAL_GUARD', subject: 'source/main', message: '5 of 6' };
const wrong = problem('DESCRIPTOR_INVALID', 'bad', { file: 'app.yaml', line: 3 });

it.each<[string, Partial<SourceView>, readonly ServiceView[], readonly Hold[], string]>([
  ['all is as wanted', {}, [service('a', 'settled'), service('b', 'stopped')], [], 'success 2 services are as wanted'],
  ['one is alone', {}, [service('a', 'unconfirmed')], [], 'success 1 service is as wanted'],
  [
    'one goes on',
    {},
    [service('a', 'settled'), service('b', 'progressing')],
    [],
    'pending 1 of 2 services are as wanted; b: why',
  ],
  ['one went back', {}, [service('a', 'progressing'), service('b', 'rolled_back')], [], 'failure b: rolled_back: why'],
  ['a guard holds it', { state: 'behind' }, [], [hold], 'pending held: REMOVAL_GUARD: 5 of 6'],
  ['another source is held', {}, [], [{ ...hold, subject: 'source/other' }], 'success 0 services are as wanted'],
  ['it is not read yet', { state: 'behind' }, [], [], 'pending the revision is not in force yet'],
  ['a file is wrong', { problems: [wrong] }, [service('a', 'settled')], [], 'failure app.yaml:3: bad'],
  ['a file is odd', { problems: [{ ...wrong, severity: 'warning' }] }, [], [], 'success 0 services are as wanted'],
])('%s', (_what, more, services, holds, said) => {
  const report = sourceReport('home', { ...source, ...more }, services, holds);
  expect(`${report?.state} ${report?.description}`).toBe(said);
  expect(report?.commit).toBe('c2');
});

it('is nothing of a source of which nothing is known', () => {
  for (const state of ['unread', 'unreachable'] as const) {
    expect(sourceReport('home', { ...source, state }, [], [])).toBeUndefined();
  }
});

it('has a line that hosts take, and a document without logins', () => {
  const report = sourceReport('home', source, [{ ...service('a', 'failed'), message: 'x'.repeat(300) }], [hold]);
  expect(report?.description.length).toBeLessThanOrEqual(140);
  expect(JSON.stringify(report?.document)).not.toContain('word');
  const rolledBack = sourceReport('home', source, [{ ...service('a', 'failed'), message: 'x'.repeat(300) }], []);
  expect(rolledBack?.description).toHaveLength(140);
});
