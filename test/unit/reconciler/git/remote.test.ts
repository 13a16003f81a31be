import { describe, expect, it } from 'vitest';
import { isHostilePath, parseBatch, parseRefs, parseTree } from '../../../../reconciler/git/objects.ts';
import { checkRef, isCommitId, parseRemote, treePath } from '../../../../reconciler/git/remote.ts';

describe('remotes', () => {
  it.each([
    ['https://example.org/a/b.git', 'https://example.org/a/b.git', undefined],
    ['https://me:secret@example.org/b.git', 'https://example.org/b.git', undefined],
    ['ssh://git@example.org:22/b.git', 'ssh://example.org:22/b.git', undefined],
    ['git@example.org:a/b.git', 'git@example.org:a/b.git', undefined],
    ['/srv/a b.git', '/srv/a b.git', '/srv/a b.git'],
    ['file:///srv/a%20b.git', '/srv/a b.git', '/srv/a b.git'],
  ])('takes %s', (url, shown, localPath) => {
    const remote = parseRemote('main', url);
    expect([remote.shown, remote.localPath]).toEqual([shown, localPath]);
  });

  it.each([
    '',
    '-u/tmp/x',
    '--upload-pack=touch /tmp/x',
    'ext::sh -c id',
    'fd::3',
    'http://example.org/a.git',
    'git://example.org/a.git',
    'ftp://example.org/a.git',
    'ssh://-oProxyCommand=id/x',
    'git@example.org:-x',
    'relative/path',
    'https://example.org/a\nb',
  ])('refuses %j', (url) => {
    expect(() => parseRemote('main', url)).toThrow(/SETTINGS_INVALID source\/main/);
  });

  it.each(['main', 'feature/x-1', 'v1.2.3', 'a'.repeat(40), 'release+2'])('takes the ref %s', (ref) => {
    expect(checkRef('main', ref)).toBe(ref);
  });

  it.each([
    '',
    '-x',
    '--all',
    'a..b',
    'a b',
    'a:b',
    '+a',
    'a~1',
    'a^',
    'a@{1}',
    '/a',
    'a/',
    'a//b',
    'a.lock',
    'a*',
    'a\n',
  ])('refuses the ref %j', (ref) => {
    expect(() => checkRef('main', ref)).toThrow(/SETTINGS_INVALID/);
  });

  it('tells commits from names', () => {
    expect(['a'.repeat(40), 'a'.repeat(64), 'a'.repeat(39), 'main'].map(isCommitId)).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  it('normalises paths of a tree and refuses steps upwards', () => {
    expect(['', '/', '.', './a/', '/a//b'].map(treePath)).toEqual(['', '', '', 'a', 'a/b']);
    expect(['..', 'a/../b', '-a', 'a\0b'].map(treePath)).toEqual([undefined, undefined, undefined, undefined]);
  });
});

describe('what git prints', () => {
  it('is taken apart also with odd file names', () => {
    const line = (mode: string, kind: string, size: string, path: string) =>
      `${mode} ${kind} ${'a'.repeat(40)} ${size}\t${path}\0`;
    const output = line('160000', 'commit', '      -', 'm') + line('100644', 'blob', '     12', 'a\tb\nc');
    expect(parseTree(Buffer.from(output))).toEqual([
      { path: 'a\tb\nc', blob: 'a'.repeat(40), mode: '100644', size: 12 },
      { path: 'm', blob: 'a'.repeat(40), mode: '160000', size: 0 },
    ]);
    expect(parseRefs(Buffer.from('abc\trefs/heads/main\ndef\trefs/tags/v1\n'))).toEqual(
      new Map([
        ['refs/heads/main', 'abc'],
        ['refs/tags/v1', 'def'],
      ]),
    );
  });

  it('is counted in bytes, and an answer that is cut short is none', () => {
    const whole = Buffer.from('a blob 4\nü\n\n\nb missing\nc blob 0\n\n');
    expect(parseBatch(whole, true)).toEqual([
      { id: 'a', size: 4, content: 'ü\n\n' },
      { id: 'b' },
      { id: 'c', size: 0, content: '' },
    ]);
    expect(parseBatch(whole.subarray(0, 11), true)).toEqual([]);
    expect(parseBatch(Buffer.from('a blob 4\nb missing\n'), false)).toEqual([{ id: 'a', size: 4 }, { id: 'b' }]);
  });

  it('may name files as nobody should', () => {
    expect(['a/b.yaml', 'ä ö/ü.yaml', '.hidden/x'].some(isHostilePath)).toBe(false);
    expect(['a\u202eb', 'a\nb', '../x', 'a/../b', 'a\ufffdb', 'a//b', './a'].every(isHostilePath)).toBe(true);
  });
});
