import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { libraryPaths } from '../../../cli/demo-image.ts';
import { tar } from '../../../cli/tar.ts';

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

  it('refuses a path that does not fit', () => {
    expect(() => [...tar([{ path: 'x'.repeat(100), kind: 'folder' }])]).toThrow(RangeError);
  });
});

describe('libraries of a program', () => {
  it('are read from what glibc and musl print', () => {
    const glibc =
      '\tlinux-vdso.so.1 (0x00007ffc)\n\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n';
    expect(libraryPaths(glibc)).toEqual(['/lib/x86_64-linux-gnu/libm.so.6', '/lib64/ld-linux-x86-64.so.2']);
    const musl = '\t/lib/ld-musl-x86_64.so.1 (0x7f)\n\tlibstdc++.so.6 => /usr/lib/libstdc++.so.6 (0x7f)\n';
    expect(libraryPaths(musl)).toEqual(['/lib/ld-musl-x86_64.so.1', '/usr/lib/libstdc++.so.6']);
    expect(libraryPaths('\tnot a dynamic executable\n')).toEqual([]);
  });
});
