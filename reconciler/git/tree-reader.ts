/**
 * The files of a commit, folder by folder: a folder that did not change has the same id, is the same list, and is not read again. Only
 * for trees as people make them; whatever is odd about one is left to git itself.
 */
import type { TreeEntry } from '../ports.ts';
import type { GitObject, ObjectReader } from './object-reader.ts';
import { type CommitHead, parseCommit, parseTreeObject, type TreeItem } from './objects.ts';

export interface TreeReader {
  /** Files below a path, sorted; undefined: ask git. */
  files(commit: string, path: string, signal: AbortSignal): Promise<readonly TreeEntry[] | undefined>;
  /** What a commit says of itself; undefined: ask git. */
  commit(id: string, signal: AbortSignal): Promise<CommitHead | undefined>;
}

/** Files and folders of one tree; more is for git. */
const mostFiles = 10_000;
const mostFolders = 10_000;
/** Bytes of one folder, or of one commit. */
const mostBytes = 4 * 1024 * 1024;
/** Folders and sizes that are remembered, each; then all are forgotten. */
const mostRemembered = 50_000;

/** A folder at its place. */
interface Folder {
  readonly files: readonly TreeEntry[];
  readonly folders: readonly { readonly id: string; readonly prefix: string }[];
}

export function createTreeReader(reader: ObjectReader): TreeReader {
  const folders = new Map<string, Folder>();
  const sizes = new Map<string, number>();
  const commits = new Map<string, CommitHead>();
  const keyOf = (id: string, prefix: string): string => `${id} ${prefix}`;

  /** Objects with their contents, if all are there and none is huge. */
  const contents = async (ids: readonly string[], signal: AbortSignal): Promise<readonly GitObject[] | undefined> => {
    const infos = await reader.ask(ids, 'info', signal);
    if (!infos || infos.some(({ size }) => size > mostBytes)) return undefined;
    return reader.ask(ids, 'contents', signal);
  };

  const measure = async (items: readonly TreeItem[], signal: AbortSignal): Promise<boolean> => {
    const unknown = [
      ...new Set(items.filter(({ id, mode }) => mode !== gitlink && !sizes.has(id)).map(({ id }) => id)),
    ];
    if (unknown.length === 0) return true;
    const infos = await reader.ask(unknown, 'info', signal);
    for (const { id, kind, size } of infos ?? []) if (kind === 'blob') sizes.set(id, size);
    return unknown.every((id) => sizes.has(id));
  };

  /** Reads folders that are not known yet. False: they are not to be had. */
  const load = async (
    wanted: readonly { readonly id: string; readonly prefix: string }[],
    signal: AbortSignal,
  ): Promise<boolean> => {
    const unknown = wanted.filter(({ id, prefix }) => !folders.has(keyOf(id, prefix)));
    if (unknown.length === 0) return true;
    const objects = await contents(
      unknown.map(({ id }) => id),
      signal,
    );
    const parsed = objects?.map(({ id, kind, content }) =>
      kind === 'tree' ? parseTreeObject(content, id.length / 2) : undefined,
    );
    if (!parsed?.every((items) => items !== undefined)) return false;
    const items = parsed.flat();
    if (items.length > mostFiles || !(await measure(items.filter(isFile), signal))) return false;
    unknown.forEach(({ id, prefix }, index) => {
      const listed = parsed[index] ?? [];
      folders.set(keyOf(id, prefix), {
        files: listed.filter(isFile).map(({ mode, name, id: blob }) => {
          return { path: `${prefix}${name}`, blob, mode, size: mode === gitlink ? 0 : (sizes.get(blob) ?? 0) };
        }),
        folders: listed
          .filter((item) => !isFile(item))
          .map(({ name, id: below }) => ({ id: below, prefix: `${prefix}${name}/` })),
      });
    });
    return true;
  };

  /** The folder at a path, from the root on. */
  const find = async (root: string, path: string, signal: AbortSignal) => {
    let at = { id: root, prefix: '' };
    for (const step of path === '' ? [] : path.split('/')) {
      if (!(await load([at], signal))) return undefined;
      const next = folders
        .get(keyOf(at.id, at.prefix))
        ?.folders.find(({ prefix }) => prefix === `${at.prefix}${step}/`);
      if (!next) return undefined;
      at = next;
    }
    return at;
  };

  return {
    async files(commit, path, signal) {
      if (folders.size > mostRemembered) folders.clear();
      if (sizes.size > mostRemembered) sizes.clear();
      const [root] = (await reader.ask([`${commit}^{tree}`], 'info', signal)) ?? [];
      const top = root && (await find(root.id, path, signal));
      if (!top) return undefined;
      const files: TreeEntry[] = [];
      let visited = 0;
      for (let level = [top]; level.length > 0; ) {
        visited += level.length;
        if (visited > mostFolders || !(await load(level, signal))) return undefined;
        const found = level.flatMap(({ id, prefix }) => folders.get(keyOf(id, prefix)) ?? []);
        for (const folder of found) files.push(...folder.files);
        if (files.length > mostFiles) return undefined;
        level = found.flatMap((folder) => folder.folders);
      }
      return files.sort((a, b) => (a.path < b.path ? -1 : 1));
    },
    async commit(id, signal) {
      const known = commits.get(id);
      if (known) return known;
      const [object] = (await contents([id], signal)) ?? [];
      const read = object?.kind === 'commit' ? parseCommit(object.content) : undefined;
      if (commits.size > mostRemembered) commits.clear();
      if (read) commits.set(id, read);
      return read;
    },
  };
}

const gitlink = '160000';

function isFile({ mode }: TreeItem): boolean {
  return mode !== '040000';
}
