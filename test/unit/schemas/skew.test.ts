import { describe, expect, it } from 'vitest';
import { foreignVersion, laterFile, versionAge, wireProblem } from '../../../schemas/skew.ts';

describe('the version of the wire', () => {
  it.each([
    ['{"v":2}', 2],
    ['{"v":0,"cpu":1}', 0],
    ['{"v":1,"broken":true}', undefined],
    ['{"v":"2"}', undefined],
    ['{"v":1.5}', undefined],
    ['[2]', undefined],
    ['null', undefined],
    ['{"v":2', undefined],
  ])('of %s is foreign: %s', (text, version) => {
    expect(foreignVersion(text)).toBe(version);
  });

  it('is said with who has to be upgraded', () => {
    expect(wireProblem('the agent of pi1', 2, 'this reconciler')).toMatchObject({
      code: 'VERSION_SKEW',
      message: 'the agent of pi1 speaks version 2 of the wire, and this reconciler reads 1',
      hint: expect.stringContaining('upgrade this reconciler'),
    });
    expect(wireProblem('the agent of pi1', 0, 'this reconciler').hint).toContain('upgrade the agent of pi1');
  });
});

it('a file of a later version is told from a damaged one', () => {
  expect(laterFile('ledger-0', '{"v":2}', 1)).toMatchObject({ code: 'VERSION_SKEW', subject: 'ledger-0' });
  expect(laterFile('ledger-0', '{"v":1}', 1)).toBeUndefined();
  expect(laterFile('ledger-0', '', 1)).toBeUndefined();
});

it.each([
  ['0.1.0', '0.1.0', undefined],
  ['0.1.9', '0.1.10', 'older'],
  ['1.0.0', '0.9.9', 'newer'],
  ['0.2.0-rc.1', '0.1.0', 'newer'],
  ['seed', '0.1.0', undefined],
])('%s beside %s is %s', (version, than, age) => {
  expect(versionAge(version, than)).toBe(age);
});
