import { describe, expect, it } from 'vitest';
import { editSecret } from '../../../../cli/services/secret-edit.ts';

const edit = async (values: readonly (readonly [string, string])[], change: (text: string) => string) => {
  const shown: string[] = [];
  const left = await editSecret('db', values, async (file, text) => {
    shown.push(file, text);
    return change(text);
  });
  return { left, shown };
};

describe('one value in an editor', () => {
  it('is the text itself; the newline that editors add is not part of it', async () => {
    expect(await edit([['db:', 'hunter2']], (text) => `${text}3\n`)).toEqual({
      left: [['db:', 'hunter23']],
      shown: ['db', 'hunter2'],
    });
    expect((await edit([['db:', 'a\nb\n']], (text) => text)).left).toEqual([['db:', 'a\nb\n']]);
    await expect(edit([['db:', 'x']], () => '\n')).rejects.toThrow(/USAGE.*empty/);
  });
});

describe('several values in an editor', () => {
  const values = [
    ['db:user:', 'root'],
    ['db:pin:', '0123'],
    ['db:key:', 'two\nlines\n'],
  ] as const;

  it('are a map, and the same when nothing was changed', async () => {
    const { left, shown } = await edit(values, (text) => text);
    expect(left).toEqual(values);
    expect(shown[0]).toBe('db.yaml');
    expect(shown[1]).toContain('user: root');
  });

  it('can be changed, taken away and added, and are texts whatever they look like', async () => {
    const { left } = await edit(values, () => 'pin: 0999\nuser: true\nmore: "x: y"\n');
    expect(left).toEqual([
      ['db:pin:', '0999'],
      ['db:user:', 'true'],
      ['db:more:', 'x: y'],
    ]);
  });

  it.each([
    ['user: [a', /line 1 is no YAML/],
    ['user: a\npin: "canary', /line 2 is no YAML/],
    ['user: *canary', /anchors/],
    ['- canary', /no map/],
    ['', /no map/],
    ['{}', /empty/],
    ['user: {a: canary}', /user is empty, or no text/],
    ['user: ""', /user is empty/],
    ['"0 canary": x', /entry 1/],
    ['canary_unencrypted: x', /entry 1/],
  ])('that cannot be used are refused, without a word of them: %s', async (text, message) => {
    const refused = await edit(values, () => text).catch((error: Error) => error);
    expect(refused).toMatchObject({ message: expect.stringMatching(message) });
    expect((refused as Error).message).not.toContain('canary');
  });
});
