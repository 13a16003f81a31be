/**
 * A secret: `secrets/<name>.yaml`, a file of SOPS with one value, or a map of values, below the name of the secret. Where a value
 * stands is authenticated with it, so that what was encrypted for one name cannot be read under another. Nobody needs to decrypt
 * anything to read this.
 */
import { sha256 } from './digest.ts';
import { type Problem, problem } from './problem.ts';
import { parseSops, type SopsFile, type SopsLeaf, sopsValue } from './sops.ts';

/** A secret as it lies in a repository: for all who may read it. */
export interface SealedSecret {
  readonly name: string;
  /** Changes with the values, and not with who may read them. */
  readonly version: string;
  /** Hash of the file. */
  readonly id: string;
  readonly leaves: readonly SopsLeaf[];
  /** The data key by recipient. */
  readonly keys: Readonly<Record<string, string>>;
  readonly modified: string;
  readonly mac: string;
}

/** What the file says of itself, in the open. */
export const versionKey = 'version_unencrypted';
/** Hash of the encrypted values that the version was given to. */
export const sealKey = 'sealed_unencrypted';

/** Longest texts of all values of a secret together, in characters: every copy that uses it has them in its assignment. */
export const longestSecret = 24 * 1024;

/** How a descriptor's file texts name a secret. */
export function secretReference(name: string): string {
  return `secret:${name}`;
}

/** The name in such a reference; undefined for other references. */
export function secretOf(reference: string): string | undefined {
  return reference.startsWith('secret:') ? reference.slice('secret:'.length) : undefined;
}

export const secretFolder = 'secrets';

/** Longest file of a secret, in bytes: some 570 for each of those who may read it. */
export const maxSecretBytes = 256 * 1024;

/** Its path in a repository that has one set of secrets. */
export function secretFile(name: string): string {
  return `${secretFolder}/${name}.yaml`;
}

/** Where a secret is looked for below the folder of a source, the first that is there counts. */
export function secretPaths(name: string, cluster: string): readonly string[] {
  const file = secretFile(name);
  return [`clusters/${cluster}/${file}`, `common/${file}`, file];
}

/** Where the value stands: of a secret that is one value, or of this key. */
export function placeOfValue(name: string, key: string | undefined): string {
  return key === undefined ? `${name}:` : `${name}:${key}:`;
}

/** Reads a secret; what is wrong with it is of code SECRET_INVALID. `more`: what else SOPS keeps in the file. Never throws. */
export function parseSecret(
  text: string,
  file: string,
  name: string,
): { readonly secret?: SealedSecret; readonly more?: readonly string[]; readonly problems: readonly Problem[] } {
  const { sops, problems } = parseSops(text, file);
  if (!sops) return { problems };
  const fault = faultOf(sops, name);
  if (fault) {
    const { message, line = 1, hint } = fault;
    return { problems: [problem('SECRET_INVALID', message, { file, line, ...(hint ? { hint } : {}) })] };
  }
  const { leaves, keys, modified, mac, more } = sops;
  const secret = { name, version: versionOf(leaves), id: sha256(text), leaves, keys, modified, mac };
  return { secret, more, problems: [] };
}

interface Fault {
  readonly message: string;
  readonly line?: number;
  readonly hint?: string;
}

function faultOf({ leaves, lines }: SopsFile, name: string): Fault | undefined {
  const at = (index: number): Pick<Fault, 'line'> => (lines[index] === undefined ? {} : { line: lines[index] });
  const closed = leaves.filter(([path]) => !isOpen(path));
  if (closed.length === 0) return { message: 'there is no value in it', hint: `oakctl secret set ${name}` };
  const strange = leaves.findIndex(([path]) => !isOpen(path) && !path.startsWith(`${name}:`));
  if (strange >= 0) {
    const key = leaves[strange]?.[0].split(':')[0];
    const hint = `what is encrypted for one name is not read under another: \`oakctl secret set ${name}\``;
    return { message: `its values stand below \`${key}\`, and not below its name, \`${name}\``, ...at(strange), hint };
  }
  const open = leaves.findIndex(([path, text]) => !isOpen(path) && !sopsValue.test(text));
  if (open >= 0) return { message: 'a value is empty, or not encrypted', ...at(open) };
  const length = leaves.reduce((sum, [path, text]) => sum + path.length + text.length, 0);
  if (length > longestSecret) return { message: `it is ${length} characters long, at most ${longestSecret}` };
  return undefined;
}

/** Does it stand in the open? */
export function isOpen(path: string): boolean {
  return path.split(':').some((key) => key.endsWith('_unencrypted'));
}

/** Hash of the encrypted values. */
export function sealOf(leaves: readonly SopsLeaf[]): string {
  const encrypted = leaves.filter(([, text]) => sopsValue.test(text)).map(([path, text]) => `${path} ${text}\n`);
  return sha256(encrypted.join('')).slice(0, 16);
}

/**
 * The version that was written; with a hash behind it where values were changed since by somebody who gave none, e.g. with plain
 * `sops`. So whatever changes the values is a new version, and who encrypts the same ones for others says that they are the same.
 */
export function versionOf(leaves: readonly SopsLeaf[]): string {
  const said = (key: string) => leaves.find(([path]) => path === `${key}:`)?.[1];
  const version = said(versionKey);
  const seal = sealOf(leaves);
  const known = said(sealKey);
  if (version !== undefined && /^[1-9]\d{0,14}$/.test(version) && (known === undefined || known === seal))
    return version;
  // Given by a hash, and kept since by whoever encrypted the same values anew.
  if (version !== undefined && /^\d{0,15}\+[0-9a-f]{16}$/.test(version) && known === seal) return version;
  return `${/^\d{1,15}$/.test(version ?? '') ? version : ''}+${seal}`;
}
