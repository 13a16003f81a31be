import { expect, it } from 'vitest';
import { overrideNote } from '../../../../cli/render/verbs.ts';
import type { OverrideView } from '../../../../schemas/views.ts';

const scale: OverrideView = {
  ...{ id: 'a1', subject: 'shop.default.web.default', kind: 'scale', change: '5 instances' },
  ...{ actor: 'ann', since: 1, until: Date.now() + 3_600_000 },
};
const ends = 'oakctl overrides rm a1 ends it';

it('a deviation from git says how it ends, and how it stays', () => {
  expect(overrideNote(undefined)).toBe('');
  expect(overrideNote(scale)).toMatch(new RegExp(`^ \\(override a1, \\w+ left; ${ends}, oakctl adopt a1 keeps it\\)$`));
  expect(overrideNote({ ...scale, kind: 'stop' })).toContain('adopt a1');
  // Most moves are nothing that a descriptor can say.
  expect(overrideNote({ ...scale, kind: 'move' })).not.toContain('adopt');
  const { until: _lasts, ...direct } = { ...scale, kind: 'stop' } as const;
  expect(overrideNote(direct)).toBe(` (override a1; ${ends})`);
});
