import { describe, expect, it } from 'vitest';
import { loadOrMakeAge } from '../../../agent/age-identity.ts';
import { recipientPattern } from '../../../schemas/age.ts';
import { isProblemError } from '../../../schemas/problem.ts';
import { createMemoryFiles } from '../../support/memory-files.ts';

describe('the age identity of a node', () => {
  it('is made once, and is the same after a restart', async () => {
    const files = createMemoryFiles();
    const made = await loadOrMakeAge(files);
    expect(made.recipient).toMatch(recipientPattern);
    expect(made.secret).toMatch(/^AGE-SECRET-KEY-1/);
    expect(await loadOrMakeAge(files)).toEqual(made);
    expect((await loadOrMakeAge(createMemoryFiles())).recipient).not.toBe(made.recipient);
  });

  it('is never replaced when it cannot be read', async () => {
    const files = createMemoryFiles(new Map([['age', '{"v":1,"recipient":"age1"}']]));
    const error: unknown = await loadOrMakeAge(files).catch((one: unknown) => one);
    expect(isProblemError(error) && error.problem.code).toBe('FILE_DAMAGED');
    expect(files.content.get('age')).toBe('{"v":1,"recipient":"age1"}');
  });
});
