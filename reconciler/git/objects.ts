/** Reads what git prints: trees, blobs, refs. Pure. */
import type { TreeEntry } from '../ports.ts';

/**
 * Output of `ls-tree -r -z --long`: the files, sorted by path. A size that git does not say is 0 (links to commits), that of a blob
 * which is not there infinite.
 */
export function parseTree(output: Buffer): TreeEntry[] {
  const entries: TreeEntry[] = [];
  for (const line of output.toString('utf8').split('\0')) {
    const match = /^([0-7]{6}) [a-z]+ ([0-9a-f]+) +(-|BAD|[0-9]+)\t(.+)$/s.exec(line);
    const [, mode, blob, size, path] = match ?? [];
    if (mode === undefined || blob === undefined || path === undefined) continue;
    entries.push({ path, blob, mode, size: size === '-' ? 0 : size === 'BAD' ? Infinity : Number(size) });
  }
  return entries.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Output of `cat-file --batch` (or of `--batch-check`, without contents). */
export interface BatchObject {
  readonly id: string;
  /** undefined: the object is missing or unreadable. */
  readonly size?: number;
  readonly content?: string;
}

/** Takes the answers apart. Stops at the first that is cut short: the rest is missing. */
export function parseBatch(output: Buffer, withContent: boolean): BatchObject[] {
  const objects: BatchObject[] = [];
  for (let at = 0; at < output.length; ) {
    const end = output.indexOf(0x0a, at);
    if (end < 0) break;
    const [id = '', kind, length] = output.toString('latin1', at, end).split(' ');
    at = end + 1;
    if (kind !== 'blob' || length === undefined) {
      objects.push({ id });
      continue;
    }
    const size = Number(length);
    if (!withContent) {
      objects.push({ id, size });
      continue;
    }
    if (at + size > output.length) break;
    objects.push({ id, size, content: output.toString('utf8', at, at + size) });
    at += size + 1;
  }
  return objects;
}

/** Commits and their parents, as they were written: also those that a shallow history leaves out. */
export type CommitParents = ReadonlyMap<string, readonly string[]>;

/** Output of `rev-list --header`. A commit that is cut short is left out. */
export function parseHeaders(output: Buffer): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const text of output.toString('latin1').split('\0').slice(0, -1)) {
    const [id = '', ...lines] = text.slice(0, Math.max(0, text.indexOf('\n\n'))).split('\n');
    if (id !== '')
      found.set(
        id,
        lines.filter((line) => line.startsWith('parent ')).map((line) => line.slice(7)),
      );
  }
  return found;
}

/** Output of `ls-remote`: ref name to object id. */
export function parseRefs(output: Buffer): Map<string, string> {
  const refs = new Map<string, string>();
  for (const line of output.toString('utf8').split('\n')) {
    const [id, name] = line.split('\t');
    if (id && name) refs.set(name, id);
  }
  return refs;
}

/** Paths that no descriptor has: control characters, text that runs backwards, steps upwards, broken UTF-8. */
export function isHostilePath(path: string): boolean {
  return (
    /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffd]/u.test(path) ||
    path.split('/').some((level) => level === '..' || level === '.' || level === '')
  );
}
