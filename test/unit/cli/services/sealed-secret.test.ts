import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { OwnIdentity } from '../../../../cli/services/own-identity.ts';
import { addRecipients, nextVersion, openSecret, sealSecret } from '../../../../cli/services/sealed-secret.ts';
import { type AgeIdentity, makeAgeIdentity, recipientOf } from '../../../../schemas/io/age.ts';
import { parseSecret, sealKey, versionKey } from '../../../../schemas/secret-file.ts';
import type { SopsLeaf } from '../../../../schemas/sops.ts';
import { sealedFile } from '../../../support/secrets.ts';

const now = new Date('2026-11-21T20:00:01.5Z');
const where = { name: 'db', file: 'secrets/db.yaml' };
const readers = { nodes: ['007', 'worker-1'], labels: ['zone=a: "b"'], others: [] };
const values: readonly SopsLeaf[] = [
  ['db:user:', 'root'],
  ['db:password:', 'two\nlines "quoted"'],
];

let me: AgeIdentity;
let worker: AgeIdentity;
let own: OwnIdentity;
beforeAll(async () => {
  [me, worker] = await Promise.all([makeAgeIdentity(), makeAgeIdentity()]);
  own = { identities: [me], recipient: me.recipient, file: 'age-keys.txt' };
});

const seal = (version = '3', recipients = [me.recipient]) =>
  sealSecret(where, { values, beside: [['note_unencrypted:', 'by hand']], version, readers }, recipients, now);
const open = (text: string, as = own) => openSecret({ ...where, text }, as);

describe('a secret that an operator wrote', () => {
  it('is read back, with what else it says, and shows no value', async () => {
    const text = await seal();
    expect(text).not.toMatch(/root|lines/);
    const { sealed, ...rest } = await open(text);
    expect(rest).toMatchObject({ values, beside: [['note_unencrypted:', 'by hand']] });
    expect(sealed.version).toBe('3');
    expect(sealed.leaves).toContainEqual(['nodes_unencrypted:', '007\nworker-1']);
  });

  it('has another data key each time, and only more recipients when some are added', async () => {
    const first = await open(await seal());
    expect((await open(await seal())).dataKey.equals(first.dataKey)).toBe(false);
    const more = await addRecipients(where, first, [worker.recipient]);
    const second = await open(more);
    expect(second.dataKey.equals(first.dataKey)).toBe(true);
    expect(second.sealed.leaves).toEqual(first.sealed.leaves);
    expect(Object.keys(second.sealed.keys).sort()).toEqual([me.recipient, worker.recipient].sort());
    const asWorker = { identities: [worker], recipient: worker.recipient, file: 'f' };
    expect((await open(more, asWorker)).values).toEqual(values);
  });

  it('is not opened by whom it is not for: the way in is said', async () => {
    const text = await seal('3', [worker.recipient]);
    await expect(open(text)).rejects.toMatchObject({
      problem: { code: 'SECRET_UNREADABLE', file: where.file, hint: expect.stringContaining(me.recipient) },
    });
  });

  it('is not opened when what it says of its readers was changed', async () => {
    const text = await seal();
    await expect(open(text.replace('worker-1', 'worker-2'))).rejects.toThrow(/MAC/);
  });

  it('keeps a version that was given by a hash', async () => {
    const plain = await sealedFile('db', 'x', [me.recipient], 4);
    const edited = plain.replace(/sealed_unencrypted: .*/, 'sealed_unencrypted: "0000000000000000"');
    const { secret } = parseSecret(edited, 'f', 'db');
    expect(secret?.version).toMatch(/^4\+[0-9a-f]{16}$/);
    const again = await seal(secret?.version);
    expect((await open(again)).sealed.version).toBe(secret?.version);
    const other = again.replace(new RegExp(`${sealKey}: .*`), `${sealKey}: "0000000000000000"`);
    expect(parseSecret(other, 'f', 'db').secret?.version).not.toBe(secret?.version);
    expect(again).toContain(versionKey);
  });
});

describe('a secret that cannot be written as it is', () => {
  const key = 'AGE-SECRET-KEY-1QXRVEJH9S4NQU0FPD6V79ESZQ8S6PXH3L8V40EVPTHFH6KNKD4DQ7SKC4P';

  it('is refused: other keys of sops would be lost', async () => {
    const text = (await seal()).replace('    version:', '    pgp:\n        - fp: ABC\n    version:');
    await expect(open(text)).rejects.toThrow(/REFUSED.*`pgp`/);
  });

  it('is refused: lists', async () => {
    const text = readFileSync('test/fixtures/sops/values.yaml', 'utf8');
    const leaf = /array:\n((?: +- ENC.*\n)+)/.exec(text)?.[1] ?? '';
    expect(leaf.split('\n').length).toBeGreaterThan(2);
    const lists = text.replace(/^[\s\S]*?(?=^sops:)/m, `complex:\n    array:\n${leaf}`);
    const as = { identities: [{ secret: key, recipient: await recipientOf(key) }], recipient: '', file: 'f' };
    await expect(openSecret({ name: 'complex', file: 'f', text: lists }, as)).rejects.toThrow(/REFUSED.*lists/);
  });

  it('is refused: too long', async () => {
    const long: SopsLeaf = ['db:', 'x'.repeat(20_000)];
    const all = { values: [long], beside: [], version: '1', readers };
    await expect(sealSecret(where, all, [me.recipient], now)).rejects.toThrow(/SECRET_INVALID.*characters long/);
  });

  it('is refused: for more readers than there is room for, with how many that are', async () => {
    const opened = await open(await seal());
    const [armored = ''] = Object.values(opened.sealed.keys);
    const fleet = (size: number) => {
      const keys = Object.fromEntries(
        Array.from({ length: size }, (_, at) => [`age1${'q'.repeat(54)}${1000 + at}`, armored]),
      );
      return addRecipients(where, { ...opened, sealed: { ...opened.sealed, keys } }, [me.recipient]);
    };
    await expect(fleet(600)).rejects.toThrow(
      /REFUSED.*for 601 readers it would have 3\d{5} bytes: at most 262144, room for 4[56]\d /,
    );
  });
});

it('a version is the time of its values, and higher than the one before', () => {
  expect(nextVersion(undefined, now)).toBe('20261121200001');
  expect(nextVersion('7', now)).toBe('20261121200001');
  expect(nextVersion('20261121200001', now)).toBe('20261121200002');
  expect(nextVersion('20991231235959+0123456789abcdef', now)).toBe('20991231235960');
});
