import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decryptWith, encryptFor, makeAgeIdentity, recipientOf } from '../../../../schemas/io/age.ts';
import { decryptLeaves, encryptLeaves, makeDataKey } from '../../../../schemas/io/sops.ts';
import { parseSops, type SopsFile } from '../../../../schemas/sops.ts';
import { writeSops } from '../../../../schemas/sops-write.ts';

const fixture = readFileSync('test/fixtures/sops/values.yaml', 'utf8');
/** Published with the fixture. */
const testKey = 'AGE-SECRET-KEY-1QXRVEJH9S4NQU0FPD6V79ESZQ8S6PXH3L8V40EVPTHFH6KNKD4DQ7SKC4P';

function read(text: string): SopsFile {
  const { sops, problems } = parseSops(text, 'a.yaml');
  expect(problems).toEqual([]);
  return sops as SopsFile;
}

async function open(sops: SopsFile, secret: string): Promise<Record<string, string>> {
  const key = await decryptWith([secret], sops.keys[await recipientOf(secret)] ?? '');
  return Object.fromEntries([...decryptLeaves(sops, key)].map(([path, value]) => [path, value.toString()]));
}

describe('a file that SOPS wrote', () => {
  it('is read to the last value, MAC included', async () => {
    expect(await open(read(fixture), testKey)).toEqual({
      'secret:': 'this is a secret',
      'string:': 'string',
      'int:': expect.stringMatching(/^\d$/),
      'float:': expect.stringMatching(/^\d\.\d+$/),
      'boolean:': 'True',
      'complex:value:': 'this is a secret',
      'complex:array:': expect.any(String),
    });
  });

  it('is read the same in any layout', async () => {
    const usual = read(fixture);
    const other = read(fixture.replace(/recipient: (\S+)/, 'recipient: "$1"'));
    expect(other).toEqual(usual);
    const swapped = fixture.replace(
      /- recipient: (\S+)\n {6}enc: \|\n((?: {8}.*\n)+)/g,
      '- enc: |\n$2      recipient: $1\n',
    );
    expect(swapped).not.toBe(fixture);
    expect(read(swapped)).toEqual(usual);
  });

  it('is refused when a value was swapped, dropped, or put elsewhere', async () => {
    const sops = read(fixture);
    const [secret, text, ...rest] = sops.leaves;
    if (!secret || !text) throw new Error('no leaves');
    const cases = [
      [[secret[0], text[1]] as const, [text[0], secret[1]] as const, ...rest],
      [secret, ...rest],
      [...rest, secret, text],
      [...sops.leaves, ['more:', 'in the open'] as const],
    ];
    for (const leaves of cases) await expect(open({ ...sops, leaves }, testKey)).rejects.toThrow(/SECRET_UNREADABLE/);
    const earlier = { ...sops, modified: '2024-03-25T22:08:11Z' };
    await expect(open(earlier, testKey)).rejects.toThrow(/written together/);
    expect(await open(sops, testKey)).toBeTruthy();
  });
});

describe('a file that oakctl writes', () => {
  it('is read by whom it is for, and by nobody else', async () => {
    const [ada, bob, eve] = await Promise.all([makeAgeIdentity(), makeAgeIdentity(), makeAgeIdentity()]);
    const key = makeDataKey();
    const modified = '2026-11-21T20:00:00Z';
    const values = [
      ['db:user:', 'root'],
      ['db:password:', 'pässword\nof two lines'],
    ] as const;
    const beside = [['version_unencrypted:', '3']] as const;
    const enclosed = encryptLeaves(values, key, modified, () => beside);
    const keys = {
      [ada.recipient]: await encryptFor(ada.recipient, key),
      [bob.recipient]: await encryptFor(bob.recipient, key),
    };
    const text = writeSops({ ...enclosed, keys });
    expect(text).not.toContain('root');
    const sops = read(text);
    for (const { secret } of [ada, bob])
      expect(await open(sops, secret)).toEqual(Object.fromEntries([...values, ...beside]));
    await expect(decryptWith([eve.secret], keys[ada.recipient] ?? '')).rejects.toThrow(/SECRET_UNREADABLE/);
  });

  it('with thousands of recipients is read past the limits of what YAML may be', () => {
    const entry = /^ {4}- recipient[\s\S]*?-----END.*\n/m.exec(fixture)?.[0] ?? '';
    const letters = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
    const many = Array.from({ length: 3000 }, (_, index) => {
      const digits = [...index.toString(32).padStart(58, '0')].map((digit) => letters[Number.parseInt(digit, 32)]);
      return entry.replace(/age1\S+/, `age1${digits.join('')}`);
    });
    expect(Object.keys(read(fixture.replace(entry, many.join(''))).keys)).toHaveLength(3001);
  });
});

it.each([
  ['a: 1\n', 'the file is not encrypted: it has no `sops`'],
  ['- a\n', 'the file is not one map of values'],
  [fixture.replace(/ {2}age:[\s\S]* {2}lastmodified/, '  lastmodified'), 'no age recipient can read it'],
  [
    fixture.replace('  pgp: []', '  mac_only_encrypted: true'),
    'oakctl does not read files of SOPS with `mac_only_encrypted`',
  ],
  [fixture.replace(/mac: .*/, 'mac: x'), '`mac` is missing, or is none'],
  [fixture.replace('string:', 'int:'), expect.stringContaining('int')],
])('what is no such file is said with its place', (text, message) => {
  const { problems } = parseSops(text, 'secrets/a.yaml');
  expect(problems[0]).toMatchObject({
    code: 'SECRET_INVALID',
    file: 'secrets/a.yaml',
    line: expect.any(Number),
    message,
  });
});
