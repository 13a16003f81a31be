/**
 * Files of SOPS (github.com/getsops/sops, README "Encryption protocol") whose data key is encrypted for age recipients, as data:
 * what is written where, and for whom. Nothing is decrypted here; that is io/sops.ts.
 */
import { recipientPattern } from './age.ts';
import { type Problem, problem } from './problem.ts';
import { type Path, parseYaml, type YamlDocument } from './yaml.ts';

/** A value and where it stands, as SOPS binds the one to the other: keys from the root, each with a colon behind it. */
export type SopsLeaf = readonly [path: string, text: string];

export interface SopsFile {
  /** All values in the order of the file. Those that are not encrypted as the texts that SOPS hashes. */
  readonly leaves: readonly SopsLeaf[];
  /** Line of each leaf. */
  readonly lines: readonly number[];
  /** The data key, as an armored age file, by recipient. */
  readonly keys: Readonly<Record<string, string>>;
  readonly modified: string;
  readonly mac: string;
  /** What else SOPS keeps in it, other kinds of keys and rules: whoever writes the file anew would lose that. */
  readonly more: readonly string[];
}

/** A value that is encrypted. */
export const sopsValue =
  /^ENC\[AES256_GCM,data:([A-Za-z0-9+/=]+),iv:([A-Za-z0-9+/=]+),tag:([A-Za-z0-9+/=]+),type:(str|int|float|bool|bytes)\]$/;

/** Is this a file of SOPS, by the look of it? */
export function looksLikeSops(text: string): boolean {
  return /^sops:[ \t]*\r?$/m.test(text);
}

/** What other kinds of SOPS file have, and oakctl does not read. */
const notRead = ['key_groups', 'shamir_threshold', 'mac_only_encrypted'];

/** Reads a file; what is wrong with it is of code SECRET_INVALID, with its line. Never throws. */
export function parseSops(
  text: string,
  file: string,
): { readonly sops?: SopsFile; readonly problems: readonly Problem[] } {
  const taken = takeKeys(text);
  const { documents, problems } = parseYaml(taken.rest, file);
  const place = (line = 1): { line: number } => ({ line: lineIn(taken, line) });
  if (problems.length > 0) {
    return { problems: problems.map((one) => ({ ...one, ...place(one.line), code: 'SECRET_INVALID' as const })) };
  }
  const [document] = documents;
  const found: Problem[] = [];
  const fail = (message: string, at: Path = [], hint?: string): void => {
    found.push(
      problem('SECRET_INVALID', message, { file, ...place(document?.locate(at).line), ...(hint ? { hint } : {}) }),
    );
  };
  if (!document || documents.length > 1 || !isMap(document.value)) fail('the file is not one map of values');
  else if (!isMap(document.value['sops']))
    fail('the file is not encrypted: it has no `sops`', [], '`oakctl secret set`');
  if (!document || found.length > 0) return { problems: found };
  const { sops: metadata, ...values } = document.value as Record<string, unknown> & { sops: Record<string, unknown> };
  for (const key of notRead) {
    if (isSet(metadata[key]))
      fail(`oakctl does not read files of SOPS with \`${key}\``, ['sops', key], 'age recipients only');
  }
  const { lastmodified, mac } = metadata;
  if (typeof lastmodified !== 'string') fail('`lastmodified` is missing', ['sops']);
  if (typeof mac !== 'string' || !sopsValue.test(mac)) fail('`mac` is missing, or is none', ['sops', 'mac']);
  const keys = taken.keys ?? readKeys(metadata['age'], fail);
  if (Object.keys(keys).length === 0) fail('no age recipient can read it', ['sops', 'age']);
  const { leaves, lines } = readLeaves(document, values, fail);
  if (found.length > 0) return { problems: found };
  const more = Object.keys(metadata).filter((key) => isMore(key, metadata[key]));
  return { sops: { leaves, lines, keys, modified: lastmodified as string, mac: mac as string, more }, problems: [] };
}

type Fail = (message: string, at?: Path, hint?: string) => void;

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSet(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === '') return false;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}

/** Is this more than `writeSops` writes? */
function isMore(key: string, value: unknown): boolean {
  if (['age', 'lastmodified', 'mac', 'version'].includes(key) || !isSet(value)) return false;
  return key !== 'unencrypted_suffix' || value !== '_unencrypted';
}

function readKeys(written: unknown, fail: Fail): Record<string, string> {
  const keys: Record<string, string> = {};
  if (!Array.isArray(written)) return keys;
  written.forEach((entry: unknown, index) => {
    const { recipient, enc } = isMap(entry) ? entry : {};
    const isGood = typeof recipient === 'string' && typeof enc === 'string' && recipient.length <= longestRecipient;
    if (isGood && /^[!-~]+$/.test(recipient)) keys[recipient] = enc;
    else fail('a recipient needs `recipient` and `enc`', ['sops', 'age', index]);
  });
  return keys;
}

/** Those of later kinds (post-quantum) are some 2,000 characters long. */
const longestRecipient = 4096;

interface Taken {
  readonly rest: string;
  readonly keys?: Readonly<Record<string, string>>;
  /** Lines that are not in the rest. */
  readonly gap?: { readonly after: number; readonly lines: number };
}

/** The line in the whole text. */
function lineIn({ gap }: Taken, line: number): number {
  return gap && line > gap.after ? line + gap.lines : line;
}

/**
 * Takes the list of recipients out of a text where it is written as SOPS and oakctl write it: thousands of
 * them would keep the YAML parser busy for seconds. What is written otherwise is left to that.
 */
function takeKeys(text: string): Taken {
  const lines = text.split('\n');
  const top = lines.findIndex((line) => /^sops:\s*$/.test(line));
  const head = top < 0 ? -1 : lines.findIndex((line, index) => index > top && /^ +age:\s*$/.test(line));
  if (head < 0) return { rest: text };
  const indent = /^ */.exec(lines[head] ?? '')?.[0].length ?? 0;
  const entries: { recipient?: string; enc?: string }[] = [];
  let isArmor = false;
  let at = head + 1;
  for (; at < lines.length; at += 1) {
    const line = lines[at] ?? '';
    const word = line.trim();
    const depth = line.length - line.trimStart().length;
    if (depth < indent || (depth === indent && !word.startsWith('- '))) break;
    const [, dash, key, value = ''] = /^(- )?(recipient|enc): (\S+)$/.exec(word) ?? [];
    if (dash) entries.push({});
    const entry = entries.at(-1);
    if (!entry) return { rest: text };
    if (key === 'recipient' && recipientPattern.test(value)) entry.recipient = value;
    else if (key === 'enc' && value === '|') entry.enc = '';
    else if (key === undefined && entry.enc !== undefined && (isArmor || word.startsWith('-----BEGIN'))) {
      isArmor = !word.startsWith('-----END');
      entry.enc += `${word}\n`;
    } else return { rest: text };
  }
  if (entries.some(({ recipient, enc }) => recipient === undefined || !enc)) return { rest: text };
  return {
    rest: [...lines.slice(0, head), `${lines[head]} []`, ...lines.slice(at)].join('\n'),
    gap: { after: head + 1, lines: at - head - 1 },
    keys: Object.fromEntries(entries.map(({ recipient = '', enc = '' }) => [recipient, enc])),
  };
}

/** Values in order. A list has the path of what it is the value of, as SOPS has it. */
function readLeaves(
  document: YamlDocument,
  values: Readonly<Record<string, unknown>>,
  fail: Fail,
): Pick<SopsFile, 'leaves' | 'lines'> {
  const leaves: SopsLeaf[] = [];
  const lines: number[] = [];
  const walk = (value: unknown, path: string, at: Path): void => {
    if (Array.isArray(value)) for (const [index, item] of value.entries()) walk(item, path, [...at, index]);
    else if (isMap(value)) {
      for (const [key, member] of Object.entries(value)) {
        // Objects put such keys first, and the order is in the MAC.
        if (/^\d+$/.test(key)) fail('a key that is a number is not read', [...at, key]);
        walk(member, `${path}${key}:`, [...at, key]);
      }
    } else {
      const text = hashedText(value);
      if (text === undefined) fail('a value is a text, a number, or true or false', at);
      leaves.push([path, text ?? '']);
      lines.push(document.locate(at).line);
    }
  };
  walk(values, '', []);
  return { leaves, lines };
}

/** What SOPS hashes of a value that is not encrypted. */
function hashedText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value);
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return undefined;
}
