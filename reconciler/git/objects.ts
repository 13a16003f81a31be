/** Reads what git prints: trees, blobs, refs. Pure. */
import type { TreeEntry } from '../ports.ts';

/** Output of `ls-tree -r -z --long`: the files, sorted by path. A blob size that git does not say (links to commits) is 0. */
export function parseTree(output: Buffer): TreeEntry[] {
  const entries: TreeEntry[] = [];
  for (const line of output.toString('utf8').split('\0')) {
    const match = /^([0-7]{6}) [a-z]+ ([0-9a-f]+) +(-|[0-9]+)\t(.+)$/s.exec(line);
    const [, mode, blob, size, path] = match ?? [];
    if (mode === undefined || blob === undefined || path === undefined) continue;
    entries.push({ path, blob, mode, size: size === '-' ? 0 : Number(size) });
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
