import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openKeys } from '../../../../reconciler/keys/keys.ts';
import { createSystemRandom } from '../../../../schemas/io/clock.ts';
import { fingerprintOf, signMessage, verifyMessage, verifyText } from '../../../../schemas/io/signatures.ts';
import { isProblemError } from '../../../../schemas/problem.ts';
import { createSeededRandom } from '../../../support/virtual-clock.ts';

let folder: string;
let file: string;
const open = (extra: Partial<Parameters<typeof openKeys>[0]> = {}) =>
  openKeys({ folder, cluster: 'c1', random: createSystemRandom(), ...extra });
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    (error: unknown) => (isProblemError(error) ? error.problem.code : String(error)),
  );

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakctl-keys-'));
  file = join(folder, 'identity', 'master.key');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('the keys of a cluster', () => {
  it('are made once, readable by nobody else, and the same ever after', async () => {
    const first = await open();
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'identity'))).mode & 0o777).toBe(0o700);
    expect((await readdir(join(folder, 'identity'))).sort()).toEqual(['master.key', 'master.key~']);
    expect((await stat(`${file}~`)).mode & 0o777).toBe(0o600);
    const again = await open({ create: false });
    expect([again.fingerprint, again.publicKey, again.credential('n', 1)]).toEqual([
      first.fingerprint,
      first.publicKey,
      first.credential('n', 1),
    ]);
    expect(first.fingerprint).toBe(fingerprintOf(first.publicKey));
    expect(first.kid).toBe(first.fingerprint.slice(0, 16));
    expect(verifyText(first.publicKey, 'text', first.sign('text'))).toBe(true);
    const message = signMessage(first, 'nodes/n/controls', { v: 1 });
    expect(verifyMessage({ cluster: 'c1', keys: { [first.kid]: first.publicKey } }, 'nodes/n/controls', message)).toBe(
      true,
    );
  });

  it('are one set when two processes make them at the same time', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => open()));
    expect(new Set(all.map((keys) => keys.fingerprint)).size).toBe(1);
  });

  it('come from a file that is only readable', async () => {
    const made = await open();
    await chmod(file, 0o400);
    expect((await open()).fingerprint).toBe(made.fingerprint);
  });

  it('never change for a given master key', async () => {
    const keys = await open({ random: createSeededRandom(1) });
    expect([keys.fingerprint, keys.credential('0123456789abcdef', 1)]).toMatchInlineSnapshot(`
      [
        "22424bcba2defa404c44201d4fae8ba0a9846585c81130ad940e23ca1d8c5215",
        "1.HZ8Jfgo6GHJvZ13kSQ7RomX9tDFf93RvWcHdj3MvFeA",
      ]
    `);
  });

  it.each([0o640, 0o604, 0o660])('are refused when others may read the file (%o)', async (mode) => {
    await open();
    await chmod(file, mode);
    expect(await codeOf(open())).toBe('REFUSED');
  });

  it.each(['', 'x', 'oakctl-master-1 abc\n'])('are not made over a file that is malformed (%j)', async (text) => {
    await open();
    await writeFile(file, text);
    await writeFile(`${file}~`, text);
    expect(await codeOf(open())).toBe('FILE_DAMAGED');
    expect(await readFile(file, 'utf8')).toBe(text);
  });

  it('are not made where they are missing from a cluster that has records', async () => {
    expect(await codeOf(open({ create: false }))).toBe('FILE_DAMAGED');
    await expect(stat(file)).rejects.toThrow();
  });
});

describe('credentials', () => {
  it('are worth something for one node, one serial and one cluster', async () => {
    const keys = await open();
    const password = keys.credential('aaaa', 3);
    expect(keys.verifyCredential('aaaa', password)).toBe(3);
    expect(keys.verifyCredential('bbbb', password)).toBeUndefined();
    expect(keys.verifyCredential('aaaa', password.replace(/^3/, '4'))).toBeUndefined();
    for (const wrong of ['', '3', '3.', `03.${password.slice(2)}`, `${password}x`, password.slice(0, -1)]) {
      expect(keys.verifyCredential('aaaa', wrong)).toBeUndefined();
    }
    await rm(join(folder, 'identity'), { recursive: true });
    expect((await open()).verifyCredential('aaaa', password)).toBeUndefined();
  });
});
