import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ownIdentity } from '../../../../cli/services/own-identity.ts';
import { makeAgeIdentity } from '../../../../schemas/io/age.ts';

let folder: string;
let home: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakctl-own-'));
  home = join(folder, 'home');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("an operator's identity", () => {
  it('is made once, for its owner alone, and found again', async () => {
    const made = await ownIdentity({}, home);
    expect(made).toMatchObject({ isNew: true, file: join(home, 'age-keys.txt') });
    expect((await stat(made.file)).mode & 0o777).toBe(0o600);
    expect(await readdir(home)).toEqual(['age-keys.txt']);
    expect(await readFile(made.file, 'utf8')).toContain(`# public key: ${made.recipient}`);
    const again = await ownIdentity({}, home);
    expect(again.isNew).toBeUndefined();
    expect(again.identities).toEqual(made.identities);
  });

  it('is one, however many ask at once', async () => {
    const made = await Promise.all([1, 2, 3, 4].map(() => ownIdentity({}, home)));
    expect(new Set(made.map(({ recipient }) => recipient)).size).toBe(1);
    expect(await readdir(home)).toEqual(['age-keys.txt']);
  });

  it('is the one of sops where that is named, and the own one opens what it could before', async () => {
    const { recipient: before } = await ownIdentity({}, home);
    const { secret, recipient } = await makeAgeIdentity();
    const file = join(folder, 'keys.txt');
    await writeFile(file, `# created: today\n${secret}\n`);
    const found = await ownIdentity({ SOPS_AGE_KEY_FILE: file }, home);
    expect(found).toMatchObject({ recipient, file });
    expect(found.identities.map((one) => one.recipient)).toEqual([recipient, before]);
  });

  it('is not made beside the one of sops', async () => {
    const { secret } = await makeAgeIdentity();
    const file = join(folder, 'keys.txt');
    await writeFile(file, secret);
    expect((await ownIdentity({ SOPS_AGE_KEY_FILE: file }, home)).isNew).toBeUndefined();
    expect(await readdir(folder)).toEqual(['keys.txt']);
  });

  it('is not used when others can read it, and not replaced when it is damaged', async () => {
    const { file } = await ownIdentity({}, home);
    await chmod(file, 0o644);
    await expect(ownIdentity({}, home)).rejects.toThrow(/SECRET_UNREADABLE.*others may read/);
    await chmod(file, 0o600);
    await writeFile(file, 'torn');
    await expect(ownIdentity({}, home)).rejects.toThrow(/SECRET_UNREADABLE.*no age identity/);
    expect(await readFile(file, 'utf8')).toBe('torn');
    await expect(ownIdentity({ SOPS_AGE_KEY_FILE: join(folder, 'none') }, home)).rejects.toThrow(/ENOENT/);
  });
});
