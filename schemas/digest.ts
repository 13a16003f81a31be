/**
 * The digest: equality of run specs. `1:` + SHA-256 over RFC 8785 (JSON canonicalization) of the run spec without what is
 * absent or empty. This is the only file that computes it; agents compare strings. The golden digests in
 * test/contract/digest.golden.json never change.
 */
import { hash } from 'node:crypto';
import type { RunSpec } from './spec.ts';

/**
 * RFC 8785: keys sorted by UTF-16 code units, numbers and strings as ECMAScript prints them, no white space.
 * Undefined members are left out. Throws TypeError on what JSON cannot say (NaN, functions, lone surrogates).
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean') return JSON.stringify(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError('canonical JSON has no NaN and no infinity');
    return JSON.stringify(value);
  }
  if (typeof value === 'string') {
    if (!value.isWellFormed()) throw new TypeError('canonical JSON has no lone surrogates');
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`;
  if (typeof value === 'object') {
    let members = '';
    // By UTF-16 code units, as `sort` does it.
    for (const key of Object.keys(value).sort()) {
      const member = (value as Readonly<Record<string, unknown>>)[key];
      if (member === undefined) continue;
      members += `${members === '' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(member)}`;
    }
    return `{${members}}`;
  }
  throw new TypeError(`canonical JSON has no ${typeof value}`);
}

/** Lower-case hex SHA-256 of a text. */
export function sha256(text: string): string {
  return hash('sha256', text);
}

/** Members of a run spec where 0 means "none asked". */
const zeroMeansNone = new Set(['memory', 'vcpus', 'vgpus']);

function isEmpty(key: string, value: unknown): boolean {
  if (value === undefined || value === null || value === '') return true;
  if (value === 0 && zeroMeansNone.has(key)) return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

/** The run spec without what is absent or empty, at every level. A written value stays, even if it equals a default. */
export function withoutEmpty<T>(value: T): T {
  if (Array.isArray(value)) return value.map((item) => withoutEmpty(item)) as T;
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value)
    .map(([key, member]) => [key, withoutEmpty(member)] as const)
    .filter(([key, member]) => !isEmpty(key, member));
  return Object.fromEntries(members) as T;
}

/** What is hashed: nothing that is absent or empty, and of files the hash of their content. */
export function digestForm(run: RunSpec): string {
  const { files, ...rest } = run;
  const hashed = files?.map(({ content, ...file }) => ({ ...file, hash: sha256(content) }));
  return canonicalJson(withoutEmpty({ ...rest, files: hashed }));
}

/** `1:<64 hex>`. Same digest: nothing is restarted. */
export function digestOf(run: RunSpec): string {
  return `1:${sha256(digestForm(run))}`;
}
