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

/** An entry of one folder. */
export interface TreeItem {
  /** As `ls-tree` writes it. */
  readonly mode: string;
  readonly name: string;
  readonly id: string;
}

/** A tree as it is stored, with ids of so many bytes. undefined: git would complain about it. */
export function parseTreeObject(bytes: Buffer, idBytes: number): TreeItem[] | undefined {
  const items: TreeItem[] = [];
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const end = space < 0 ? -1 : bytes.indexOf(0, space);
    const next = end + 1 + idBytes;
    const mode = space < 0 ? '' : bytes.toString('latin1', at, space);
    if (end <= space + 1 || next > bytes.length || !/^[1-7][0-7]{4,5}$/.test(mode)) return undefined;
    const name = bytes.toString('utf8', space + 1, end);
    items.push({ mode: plainMode(Number.parseInt(mode, 8)), name, id: bytes.toString('hex', end + 1, next) });
    at = next;
  }
  return items;
}

/** Of all that can be written, git tells these apart. */
function plainMode(mode: number): string {
  switch (mode & 0o170000) {
    case 0o100000:
      return (mode & 0o100) === 0 ? '100644' : '100755';
    case 0o120000:
      return '120000';
    case 0o040000:
      return '040000';
    default:
      return '160000';
  }
}

/** What a commit says of itself. */
export interface CommitHead {
  readonly parents: readonly string[];
  readonly author: string;
  /** Its first paragraph, in one line. */
  readonly subject: string;
}

/** A commit as it is stored. undefined: it takes git to read it. */
export function parseCommit(bytes: Buffer): CommitHead | undefined {
  const text = bytes.toString('utf8');
  const end = text.indexOf('\n\n');
  const header = (end < 0 ? text : text.slice(0, end)).split('\n');
  const author = /^author ([^<>\n]*) <[^<>\n]*> [0-9]+ [-+][0-9]+$/.exec(
    header.find((line) => /^author /.test(line)) ?? '',
  )?.[1];
  if (text.includes('\0') || author === undefined || header.some((line) => line.startsWith('encoding ')))
    return undefined;
  const lines = (end < 0 ? '' : text.slice(end + 2)).replace(/^([ \t\r\f\v]*\n)+/, '').split('\n');
  const blank = lines.findIndex((line) => line.trim() === '');
  return {
    parents: header.filter((line) => line.startsWith('parent ')).map((line) => line.slice(7)),
    author,
    subject: (blank < 0 ? lines : lines.slice(0, blank)).map((line) => line.trimEnd()).join(' '),
  };
}
