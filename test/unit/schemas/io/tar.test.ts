import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { tar } from '../../../../schemas/io/tar.ts';

describe('an archive', () => {
  it('is read by tar as it was written', () => {
    const content = Buffer.from('x'.repeat(700));
    const bytes = Buffer.concat([
      ...tar([
        { path: 'folder', kind: 'folder', mode: 0o1777 },
        { path: 'folder/file', kind: 'file', content, mode: 0o755 },
        { path: 'link', kind: 'link', target: 'folder/file' },
        { path: 'empty', kind: 'file', content: Buffer.alloc(0) },
      ]),
    ]);
    const listing = execFileSync('tar', ['-tvf', '-'], { input: bytes, encoding: 'utf8' }).trim().split('\n');
    expect(listing.map((line) => [line.slice(0, 10), line.replace(/.*\d\d:\d\d /, '')])).toEqual([
      ['drwxrwxrwt', 'folder'],
      ['-rwxr-xr-x', 'folder/file'],
      ['lrwxrwxrwx', 'link -> folder/file'],
      ['-rw-r--r--', 'empty'],
    ]);
    expect(execFileSync('tar', ['-xOf', '-', 'folder/file'], { input: bytes })).toEqual(content);
  });

  it.each([99, 100, 101, 119, 250])('takes a path of %i bytes', (length) => {
    const path = `a/${'ä'.repeat(10)}/${'x'.repeat(length - 23)}`;
    const bytes = Buffer.concat([...tar([{ path, kind: 'file', content: Buffer.from('long') }])]);
    expect(
      execFileSync('tar', ['-tf', '-', '--quoting-style=literal'], { input: bytes, encoding: 'utf8' }).trim(),
    ).toBe(path);
    expect(execFileSync('tar', ['-xOf', '-', path], { input: bytes, encoding: 'utf8' })).toBe('long');
  });

  it('refuses a target that does not fit', () => {
    expect(() => [...tar([{ path: 'a', kind: 'link', target: 'x'.repeat(100) }])]).toThrow(RangeError);
  });
});
