import { describe, expect, it } from 'vitest';
import { libraryPaths } from '../../../cli/demo-image.ts';

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
