/**
 * The cryptography of SOPS files (github.com/getsops/sops, "Encryption protocol"): each value is encrypted with AES-256-GCM under the
 * data key and bound to its path; a SHA-512 over all values is encrypted the same way and bound to the time of the change.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { type Problem, ProblemError, problem } from '../problem.ts';
import { type SopsLeaf, sopsValue } from '../sops.ts';

/** SOPS' own length; other tools read any. */
const nonceBytes = 32;
const dataKeyBytes = 32;

/** What is read with a data key: all values of a file, and what proves that they belong together. */
export interface Enclosed {
  readonly leaves: readonly SopsLeaf[];
  readonly modified: string;
  readonly mac: string;
}

export function makeDataKey(): Buffer {
  return randomBytes(dataKeyBytes);
}

/**
 * The values by their paths, those in the open included; of a list the last. SECRET_UNREADABLE when one was not encrypted with this
 * key for its place, or when they are not all that were written together.
 */
export function decryptLeaves({ leaves, modified, mac }: Enclosed, key: Buffer): ReadonlyMap<string, Buffer> {
  const sum = createHash('sha512');
  const values = new Map<string, Buffer>();
  for (const [path, text] of leaves) {
    const value = sopsValue.test(text) ? decryptText(text, key, path) : Buffer.from(text);
    if (!value)
      throw new ProblemError(unreadable(`what stands at ${path.slice(0, -1)} was not encrypted for that place`));
    sum.update(value);
    values.set(path, value);
  }
  const written = decryptText(mac, key, modified)?.toString('latin1') ?? '';
  const found = sum.digest('hex').toUpperCase();
  const isSame = written.length === found.length && timingSafeEqual(Buffer.from(written), Buffer.from(found));
  if (!isSame) throw new ProblemError(unreadable('its values are not those that were written together (MAC)'));
  return values;
}

/** These values encrypted, and behind them what `open` says of that: it stays as it is, and belongs to them like they to each other. */
export function encryptLeaves(
  values: readonly SopsLeaf[],
  key: Buffer,
  modified: string,
  open: (encrypted: readonly SopsLeaf[]) => readonly SopsLeaf[],
): Enclosed {
  const encrypted = values.map(([path, text]): SopsLeaf => [path, encryptText(text, key, path)]);
  const beside = open(encrypted);
  const sum = createHash('sha512');
  for (const [, text] of [...values, ...beside]) sum.update(text);
  const mac = encryptText(sum.digest('hex').toUpperCase(), key, modified);
  return { leaves: [...encrypted, ...beside], modified, mac };
}

function encryptText(text: string, key: Buffer, bound: string): string {
  const iv = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(bound));
  const data = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  const [a, b, c] = [data, iv, cipher.getAuthTag()].map((bytes) => bytes.toString('base64'));
  return `ENC[AES256_GCM,data:${a},iv:${b},tag:${c},type:str]`;
}

/** Undefined: not with this key, or not for this place. */
function decryptText(text: string, key: Buffer, bound: string): Buffer | undefined {
  const [, data = '', iv = '', tag = ''] = sopsValue.exec(text) ?? [];
  const auth = Buffer.from(tag, 'base64');
  if (key.length !== dataKeyBytes || auth.length !== 16) return undefined;
  try {
    const cipher = createDecipheriv('aes-256-gcm', key, Buffer.from(iv, 'base64')).setAAD(Buffer.from(bound));
    cipher.setAuthTag(auth);
    return Buffer.concat([cipher.update(Buffer.from(data, 'base64')), cipher.final()]);
  } catch {
    return undefined;
  }
}

function unreadable(message: string): Problem {
  return problem('SECRET_UNREADABLE', message);
}
