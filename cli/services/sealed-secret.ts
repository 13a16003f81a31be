/** Secrets as an operator opens and writes them: with an own identity, for nodes and for other operators. */
import { decryptWith, encryptFor } from '../../schemas/io/age.ts';
import { decryptLeaves, encryptLeaves, makeDataKey } from '../../schemas/io/sops.ts';
import { type Problem, ProblemError, problem } from '../../schemas/problem.ts';
import {
  isOpen,
  maxSecretBytes,
  parseSecret,
  type SealedSecret,
  sealKey,
  sealOf,
  versionKey,
} from '../../schemas/secret-file.ts';
import { leavesOfReaders, placesOfReaders, type Readers } from '../../schemas/secret-readers.ts';
import type { SopsLeaf } from '../../schemas/sops.ts';
import { writeSops } from '../../schemas/sops-write.ts';
import type { OwnIdentity } from './own-identity.ts';

/** A secret as its file has it. */
export interface SecretText {
  readonly name: string;
  /** From the root of the repository. */
  readonly file: string;
  readonly text: string;
  /** Why it was not read: then there is no text. */
  readonly fault?: Problem;
}

export interface OpenedSecret {
  readonly sealed: SealedSecret;
  /** What must not be shown: the values with their places, in the order of the file. */
  readonly values: readonly SopsLeaf[];
  /** What else stands in the open, and is neither version nor readers. */
  readonly beside: readonly SopsLeaf[];
  readonly dataKey: Buffer;
}

/** What a file is to say. */
interface SecretContents extends Pick<OpenedSecret, 'values' | 'beside'> {
  readonly version: string;
  readonly readers: Readers;
}

/** What is written, for whoever does not decrypt. SECRET_INVALID, or what kept it from being read. */
export function readSecret(found: SecretText): SealedSecret {
  return parsed(found).secret;
}

function parsed({ name, file, text, fault }: SecretText): {
  readonly secret: SealedSecret;
  readonly more: readonly string[];
} {
  if (fault) throw new ProblemError(fault);
  const { secret, more = [], problems } = parseSecret(text, file, name);
  if (!secret) throw new ProblemError(problems);
  return { secret, more };
}

/** Decrypts it, MAC included. As {@link readSecret}; SECRET_UNREADABLE; REFUSED for what oakctl could not write again. */
export async function openSecret(found: SecretText, own: OwnIdentity): Promise<OpenedSecret> {
  const { name, file } = found;
  const { secret: sealed, more } = parsed(found);
  if (more.length > 0) {
    const message = `it has \`${more.join('`, `')}\`, which oakctl does not write`;
    throw new ProblemError(problem('REFUSED', message, { file, subject: name, hint: 'change it with sops' }));
  }
  if (new Set(sealed.leaves.map(([path]) => path)).size < sealed.leaves.length) throw strangeLayout(found);
  const dataKey = await dataKeyOf(sealed, file, own);
  const plain = decryptLeaves(sealed, dataKey);
  const values = sealed.leaves
    .filter(([path]) => !isOpen(path))
    .map(([path]): SopsLeaf => [path, textOf(plain.get(path), found)]);
  const ours = [`${versionKey}:`, `${sealKey}:`, ...placesOfReaders];
  const beside = sealed.leaves.filter(([path]) => isOpen(path) && !ours.includes(path));
  return { sealed, values, beside, dataKey };
}

async function dataKeyOf({ name, keys }: SealedSecret, file: string, own: OwnIdentity): Promise<Buffer> {
  const identity = own.identities.find(({ recipient }) => keys[recipient] !== undefined);
  if (identity) return decryptWith([identity.secret], keys[identity.recipient] ?? '');
  const message = `it is not encrypted for you (${own.recipient}, of ${own.file})`;
  const hint = `who can read it: \`oakctl secret rekey ${name} --recipient ${own.recipient}\``;
  throw new ProblemError(problem('SECRET_UNREADABLE', message, { file, subject: name, hint }));
}

function textOf(value: Buffer | undefined, { name, file }: SecretText): string {
  const text = value?.toString('utf8') ?? '';
  if (value && Buffer.from(text).equals(value)) return text;
  throw new ProblemError(
    problem('REFUSED', 'a value is no text', { file, subject: name, hint: 'change it with sops' }),
  );
}

/**
 * The text of the file with another data key: who had the one before learns nothing of what is written. SECRET_INVALID for what is no
 * secret (too long); REFUSED for what it could not say.
 */
export async function sealSecret(
  where: Omit<SecretText, 'text'>,
  { values, beside, version, readers }: SecretContents,
  recipients: readonly string[],
  now: Date,
): Promise<string> {
  const dataKey = makeDataKey();
  const modified = now.toISOString().replace(/\.\d+Z$/, 'Z');
  const enclosed = encryptLeaves(values, dataKey, modified, (encrypted) => [
    [`${versionKey}:`, version],
    [`${sealKey}:`, sealOf(encrypted)],
    ...leavesOfReaders(readers),
    ...beside,
  ]);
  const keys = await keysFor(recipients, dataKey);
  return checked(where, { ...enclosed, keys }, version);
}

/** The same for more recipients: nothing else changes. */
export async function addRecipients(
  where: Omit<SecretText, 'text'>,
  { sealed, dataKey }: OpenedSecret,
  recipients: readonly string[],
): Promise<string> {
  const keys = { ...sealed.keys, ...(await keysFor(recipients, dataKey)) };
  return checked(where, { ...sealed, keys }, sealed.version);
}

async function keysFor(recipients: readonly string[], dataKey: Buffer): Promise<Record<string, string>> {
  const keys: Record<string, string> = {};
  for (const recipient of recipients) keys[recipient] = await encryptFor(recipient, dataKey);
  return keys;
}

/** The text, once it has been read back: nothing that the file could not say gets lost. */
function checked(
  where: Omit<SecretText, 'text'>,
  wanted: Pick<SealedSecret, 'leaves' | 'keys' | 'modified' | 'mac'>,
  version: string,
): string {
  const { name, file } = where;
  const text = writeSops(wanted);
  requireRoom(where, text, wanted);
  const { secret, problems } = parseSecret(text, file, name);
  if (!secret) throw new ProblemError(problems);
  const { leaves, keys, modified, mac } = secret;
  const back = { version: secret.version, leaves, keys, modified, mac };
  const meant = { version, leaves: wanted.leaves, keys: wanted.keys, modified: wanted.modified, mac: wanted.mac };
  if (JSON.stringify(back) === JSON.stringify(meant)) return text;
  throw strangeLayout(where);
}

/** REFUSED for more readers than a file has room for. */
function requireRoom(
  { name, file }: Omit<SecretText, 'text'>,
  text: string,
  wanted: Pick<SealedSecret, 'leaves' | 'keys' | 'modified' | 'mac'>,
): void {
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxSecretBytes) return;
  const readers = Object.keys(wanted.keys).length;
  const alone = Buffer.byteLength(writeSops({ ...wanted, keys: {} }));
  const most = Math.floor(((maxSecretBytes - alone) * readers) / (bytes - alone));
  const message = `for ${readers} readers it would have ${bytes} bytes: at most ${maxSecretBytes}, room for ${most}`;
  const hint = 'give it to the nodes that need it: `--nodes` or `--label`';
  throw new ProblemError(problem('REFUSED', message, { file, subject: name, hint }));
}

function strangeLayout({ name, file }: Omit<SecretText, 'text'>): ProblemError {
  const message = 'it is laid out as oakctl does not write it: values in lists, or in maps of maps';
  return new ProblemError(problem('REFUSED', message, { file, subject: name, hint: 'change it with sops' }));
}

/**
 * The version of new values: when they were set (UTC, to the second), and never less than the one before. A number that is counted would
 * come again where git goes back, and stand for other values.
 */
export function nextVersion(before: string | undefined, now: Date): string {
  const time = Number(now.toISOString().replaceAll(/\D/g, '').slice(0, 14));
  const last = Number(/^\d+/.exec(before ?? '')?.[0] ?? 0);
  return String(Math.max(time, last + 1));
}
