/**
 * The file that a backup is: one line that says what follows, with its length and checksum, and a JSON text, in the open or sealed with
 * a passphrase (scrypt, AES-256-GCM). Whoever can read one in the open has the cluster.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes, scryptSync } from 'node:crypto';
import { type Static, Type } from 'typebox';
import { parseMessage } from '../../schemas/parse.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';

const magic = 'oakctl-backup';
const format = 1;
/** About 32 MB and a tenth of a second, on the smallest machine a second. They are in the file, so that later ones may be stronger. */
const usual = { N: 32_768, r: 8, p: 3 };
/** What a file may ask for: it may come from anywhere. */
const strongest = { N: 1_048_576, r: 16, p: 16 };
const scryptMemory = 2 * 1024 * 1024 * 1024;

const text = Type.String();

const Backup = Type.Object({
  cluster: text,
  fingerprint: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  /** Of the oakctl that wrote it. */
  version: text,
  /** ms since 1970. */
  taken: Type.Number(),
  /** cluster.yaml, api-token, registries.yaml and identity/: texts by path in the cluster's folder. */
  files: Type.Record(Type.String({ pattern: '^(identity/)?[a-z0-9][a-z0-9._-]{0,99}$' }), text, {
    additionalProperties: false,
  }),
  /** records/, as they were saved. */
  records: text,
});
/** What a backup holds. */
export type Backup = Static<typeof Backup>;

const Sealed = Type.Object({
  N: Type.Integer({ minimum: 2, maximum: strongest.N }),
  r: Type.Integer({ minimum: 1, maximum: strongest.r }),
  p: Type.Integer({ minimum: 1, maximum: strongest.p }),
  salt: text,
  iv: text,
  tag: text,
  data: text,
});
type Sealed = Static<typeof Sealed>;

/** The text of the file. */
export function writeBackup(backup: Backup, passphrase?: string): string {
  const open = JSON.stringify(backup);
  const body = passphrase === undefined ? open : JSON.stringify(seal(open, passphrase));
  return `${headOf(passphrase === undefined ? 'open' : 'sealed', body)}\n${body}`;
}

/**
 * What the text holds. BACKUP_INVALID: it is none, it is torn or damaged, a newer oakctl wrote it, or the passphrase is missing or not
 * the right one.
 */
export function readBackup(content: string, file: string, passphrase?: string): Backup {
  const refuse = (message: string, hint?: string): never => {
    throw new ProblemError(problem('BACKUP_INVALID', message, { file, ...(hint !== undefined && { hint }) }));
  };
  const end = content.indexOf('\n');
  const head = content.slice(0, Math.max(0, end));
  const [, version, kind, bytes] =
    /^oakctl-backup ([0-9]{1,9}) ([a-z]{1,20}) ([0-9]{1,15}) [0-9a-f]{64}$/.exec(head) ?? [];
  if (version === undefined) return refuse('this is no backup of oakctl', '`oakctl backup` writes one');
  if (Number(version) > format || (kind !== 'open' && kind !== 'sealed')) {
    return refuse(
      `it has format ${version} (${kind}), and this oakctl knows ${format}`,
      'take the oakctl that wrote it, or a newer one',
    );
  }
  const body = content.slice(end + 1);
  const length = Buffer.byteLength(body);
  if (length !== Number(bytes)) return refuse(`it is torn: ${length} of ${bytes} bytes are there`, 'copy it again');
  if (headOf(kind, body) !== head) return refuse('it is damaged: its checksum is another one', 'copy it again');
  const open = kind === 'open' ? body : unsealed(body, passphrase, refuse);
  const parsed = parseMessage<Backup>(Backup, open, Number.MAX_SAFE_INTEGER);
  return parsed.ok
    ? parsed.value
    : refuse(`it holds something else: ${parsed.problem.subject} ${parsed.problem.message}`);
}

function headOf(kind: 'open' | 'sealed', body: string): string {
  const sum = createHash('sha256').update(body).digest('hex');
  return `${magic} ${format} ${kind} ${Buffer.byteLength(body)} ${sum}`;
}

function keyOf(passphrase: string, salt: Buffer, { N, r, p }: Pick<Sealed, 'N' | 'r' | 'p'>): Buffer {
  return scryptSync(passphrase.normalize('NFC'), salt, 32, { N, r, p, maxmem: scryptMemory });
}

function seal(open: string, passphrase: string): Sealed {
  const salt = randomBytes(16);
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', keyOf(passphrase, salt, usual), iv);
  const data = Buffer.concat([cipher.update(open, 'utf8'), cipher.final()]);
  const base64 = (bytes: Buffer): string => bytes.toString('base64');
  return { ...usual, salt: base64(salt), iv: base64(iv), tag: base64(cipher.getAuthTag()), data: base64(data) };
}

function unsealed(
  body: string,
  passphrase: string | undefined,
  refuse: (message: string, hint?: string) => never,
): string {
  if (passphrase === undefined) return refuse('it is sealed with a passphrase', '--passphrase-file <file>');
  const parsed = parseMessage<Sealed>(Sealed, body, Number.MAX_SAFE_INTEGER);
  if (!parsed.ok) return refuse(`it is not sealed as it says: ${parsed.problem.message}`);
  const { salt, iv, tag, data, ...cost } = parsed.value;
  const bytes = (base64: string): Buffer => Buffer.from(base64, 'base64');
  try {
    const key = keyOf(passphrase, bytes(salt), cost);
    const decipher = createDecipheriv('aes-256-gcm', key, bytes(iv), { authTagLength: 16 });
    decipher.setAuthTag(bytes(tag));
    return Buffer.concat([decipher.update(bytes(data)), decipher.final()]).toString('utf8');
  } catch {
    return refuse('the passphrase is not the one that it was sealed with');
  }
}
