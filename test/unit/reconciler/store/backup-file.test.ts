import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Backup, readBackup, writeBackup } from '../../../../reconciler/store/backup-file.ts';

const backup: Backup = {
  cluster: 'home',
  fingerprint: 'ab'.repeat(32),
  version: '0.1.0',
  taken: 5,
  files: { 'cluster.yaml': 'cluster: home\n', 'identity/master.key': 'secret ä\n' },
  records: '{"epoch":3}',
};
const read = (text: string, passphrase?: string) => readBackup(text, 'a.backup', passphrase);

describe('a backup', () => {
  it('is read as it was written, in the open or sealed', () => {
    expect(read(writeBackup(backup))).toEqual(backup);
    const sealed = writeBackup(backup, 'correct horse');
    expect(sealed).not.toContain('secret');
    expect(read(sealed, 'correct horse')).toEqual(backup);
    // Nothing about it can be compared: the same twice is not the same file.
    expect(writeBackup(backup, 'correct horse')).not.toBe(sealed);
  });

  it('is refused with another passphrase, or none', () => {
    const sealed = writeBackup(backup, 'correct horse');
    expect(() => read(sealed, 'battery staple')).toThrow(/BACKUP_INVALID.*passphrase/);
    expect(() => read(sealed)).toThrow(/BACKUP_INVALID.*sealed.*--passphrase-file/);
  });

  it('is refused when it is torn, wherever that was, or changed', () => {
    const text = writeBackup(backup);
    fc.assert(
      fc.property(fc.nat(text.length - 1), (length) => {
        expect(() => read(text.slice(0, length))).toThrow(/BACKUP_INVALID/);
      }),
    );
    expect(() => read(text.replace('home', 'hove'))).toThrow(/checksum/);
    expect(() => read(`${text}x`)).toThrow(/torn/);
    expect(() => read('')).toThrow(/no backup/);
  });

  it('is refused when a newer oakctl wrote it, or it holds something else', () => {
    expect(() => read(writeBackup(backup).replace('backup 1', 'backup 2'))).toThrow(/format 2.*knows 1/);
    const body = JSON.stringify({ ...backup, files: { '../evil': '' } });
    const sum = createHash('sha256').update(body).digest('hex');
    expect(() => read(`oakctl-backup 1 open ${body.length} ${sum}\n${body}`)).toThrow(/holds something else/);
  });
});
