import { expect, it } from 'vitest';
import { plain } from '../../../../cli/render/paint.ts';
import { renderStatus } from '../../../../cli/render/status.ts';
import { problem } from '../../../../schemas/problem.ts';
import { fakeControlPlane } from '../../../support/fake-control-plane.ts';

it('what is wrong with a source is told below it, and not again among the conditions', () => {
  const broken = problem('SECRET_INVALID', 'there is no secret pin', { file: 'till.yaml', line: 3 });
  const full = problem('UNAVAILABLE', 'no room for records');
  const source = {
    name: 'main',
    url: '/fleet.git',
    branch: 'main',
    path: '',
    state: 'invalid',
    services: 1,
    ignored: 0,
  } as const;
  const sources = [{ ...source, problems: [broken] }];
  const status = { ...fakeControlPlane().status(), sources, conditions: [broken, full] };
  const lines = renderStatus(status, 'http://127.0.0.1', plain).split('\n');
  expect(lines.filter((line) => line.includes('there is no secret pin'))).toHaveLength(1);
  expect(lines.filter((line) => line.includes('no room for records'))).toHaveLength(1);
});
