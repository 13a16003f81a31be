/**
 * The bare mirror of a remote: the commits that were asked for, each with its files and without its history, where the server can
 * do that. It can be thrown away at any time: a new one is made beside it and takes its place whole, so that a half-finished clone
 * is never used.
 */
import { randomBytes } from 'node:crypto';
import { appendFile, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { TreeEntry } from '../ports.ts';
import type { GitResult, RunGit } from './command.ts';
import { meaningOf } from './complaint.ts';
import type { ObjectReader } from './object-reader.ts';
import {
  type BatchObject,
  type CommitHead,
  type CommitParents,
  parseBatch,
  parseHeaders,
  parseTree,
} from './objects.ts';
import { createTreeReader } from './tree-reader.ts';

/** What was read, or that the mirror does not give it. */
export type Reading<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly why: string };

export interface Files {
  readonly entries: readonly TreeEntry[];
  /** False: there are more than anybody reads. */
  readonly whole: boolean;
}

/** A commit, and the ref that keeps it: of the source that asks. */
export interface Wanted {
  readonly commit: string;
  readonly ref: string;
}

export interface Mirror {
  /** Is there one that could have this commit? Repositories have ids of one kind. */
  exists(commit: string): Promise<boolean>;
  has(commit: string, signal: AbortSignal): Promise<boolean>;
  /** Fetches a commit: alone, or with as many before it. */
  fetch(wanted: Wanted, signal: AbortSignal, depth?: number): Promise<GitResult>;
  /** Makes a new mirror of a commit and puts it in the place of the old one. A failure leaves the old one alone. */
  replace(wanted: Wanted, signal: AbortSignal): Promise<GitResult>;
  /** Files below a path of a commit. Those that the server left out because of their size have none. */
  tree(commit: string, path: string, signal: AbortSignal): Promise<Reading<Files>>;
  /** All of these blobs but the ones that are known to be too large: their sizes, or with their content. */
  blobs(
    ids: readonly string[],
    what: 'sizes' | 'contents',
    signal: AbortSignal,
  ): Promise<Reading<readonly BatchObject[]>>;
  /** Those of these blobs that are there. */
  present(ids: readonly string[], signal: AbortSignal): Promise<readonly string[]>;
  /** What a commit says of itself; undefined where that takes git. */
  commit(id: string, signal: AbortSignal): Promise<CommitHead | undefined>;
  /** Commits from these on backwards, as far as they are there, with all their parents, also those that are not. */
  parents(commits: readonly string[], signal: AbortSignal): Promise<CommitParents>;
  /** Any other command that reads. */
  run(args: readonly string[], signal: AbortSignal): Promise<GitResult>;
}

/** A larger file is not read: no descriptor is that long. Servers that can are asked to leave it out. */
export const maxBlobBytes = 256 * 1024;

const present = 'mirror.git';
/** Fetches between two looks at whether objects should be packed. */
const packEvery = 50;
/** More than this does not come in one fetch, in bytes. */
const mostFetched = 1024 * 1024 * 1024;
/** Bytes of a list of files that was ended because of its length. */
const mostListed = 4 * 1024 * 1024;
/** Up to so many blobs are read without a process of their own. */
const fewBlobs = 64;
/** Commits that one look at the history reads. */
const mostParents = 10_000;
/**
 * Objects that the server left out are known as such while they are fetched, and simply not there when something is read: with
 * this remote in its configuration, git would ask for them one by one.
 */
const partial = [
  '-c',
  'remote.oakctl.promisor=true',
  '-c',
  `remote.oakctl.partialclonefilter=blob:limit=${maxBlobBytes}`,
];
const quiet = ['--no-tags', '--no-write-fetch-head', '--no-auto-maintenance'];

/** How git calls the ids of a repository in which this is one. */
function objectFormatOf(id: string): 'sha1' | 'sha256' {
  return id.length === 64 ? 'sha256' : 'sha1';
}

/** Makes a bare repository that can have this commit. An older git knows the usual ids only, and no option for them. */
export function initFor(commit: string): readonly string[] {
  const format = objectFormatOf(commit);
  return ['init', '--quiet', '--bare', ...(format === 'sha1' ? [] : [`--object-format=${format}`])];
}

/** Where the mirror of a repository is, in the folder of that. */
export function mirrorOf(folder: string): string {
  return join(folder, present);
}

/** `reader`: of its objects. Git itself is asked for what that does not give. */
export function createMirror(folder: string, url: string, run: RunGit, reader: ObjectReader): Mirror {
  const trees = createTreeReader(reader);
  const repository = mirrorOf(folder);
  let fetches = 0;
  /** The server cannot give a part: it gives all. */
  let whole = false;
  /** Commits that came whole since the start: what they lack was left out. */
  const fetched = new Set<string>();
  const omitted = createOmitted(join(repository, 'omitted'));

  const fetchInto = async (target: string, { commit, ref }: Wanted, depth: number, signal: AbortSignal) => {
    const refspec = `+${commit}:${ref}`;
    // --progress keeps a slow transfer from looking silent, and says how much came.
    const all = ['fetch', '--progress', ...quiet, '--', url, refspec];
    const part = [
      ...[...partial, '-c', `remote.oakctl.url=${url}`, 'fetch', '--progress', ...quiet],
      ...[`--depth=${depth}`, `--filter=blob:limit=${maxBlobBytes}`, '--', 'oakctl', refspec],
    ];
    const remote = { most: mostFetched };
    if (!whole) {
      const result = await run({ repository: target, args: part, remote }, signal);
      if (result.code === 0 || meaningOf(result.complaint) !== 'shallow') return result;
      whole = true;
    }
    return run({ repository: target, args: all, remote }, signal);
  };
  /** What earlier attempts left behind. */
  const sweep = async (): Promise<void> => {
    const entries = await readdir(folder).catch(() => []);
    const left = entries.filter((entry) => entry.startsWith(`${present}~`));
    for (const entry of left) await rm(join(folder, entry), { recursive: true, force: true });
  };
  const batch = async (lines: readonly string[], how: '--batch' | '--batch-check', signal: AbortSignal) =>
    run({ repository, args: ['cat-file', how, '--buffer'], input: `${lines.join('\n')}\n` }, signal);
  const listed = async (commit: string, path: string, signal: AbortSignal) => {
    const below = path === '' ? [] : [`${path}/`];
    const args = ['ls-tree', '-r', '-z', '--long', '--full-tree', commit, '--', ...below];
    const { code, stdout, complaint, flooded } = await run({ repository, args }, signal);
    // Of a list that has no end, enough to say so.
    const entries = parseTree(flooded ? stdout.subarray(0, mostListed) : stdout);
    return { ok: code === 0 || flooded === true, entries, whole: !flooded, why: complaint };
  };

  return {
    async exists(commit) {
      const isThere = await stat(repository).then(
        () => true,
        () => false,
      );
      const settings = isThere ? await readFile(join(repository, 'config'), 'latin1').catch(() => '') : '';
      const format = /^\s*objectformat\s*=\s*(\w+)/im.exec(settings)?.[1] ?? 'sha1';
      // One that is too damaged to say so is found out by reading it.
      return isThere && (settings === '' || format === objectFormatOf(commit));
    },
    async has(commit, signal) {
      const isThere = await reader.has(`${commit}^{tree}`, signal);
      if (isThere !== undefined) return isThere;
      const { stdout } = await batch([`${commit}^{tree}`], '--batch-check', signal);
      return / tree [0-9]+\n$/.test(stdout.toString('latin1'));
    },
    async fetch(wanted, signal, depth = 1) {
      const result = await fetchInto(repository, wanted, depth, signal);
      if (result.code === 0) fetched.add(wanted.commit);
      fetches += 1;
      if (fetches % packEvery === 0) await run({ repository, args: ['gc', '--auto', '--quiet'] }, signal);
      return result;
    },
    async replace(wanted, signal) {
      await sweep();
      const fresh = `${repository}~${randomBytes(6).toString('hex')}`;
      try {
        const made = await run({ args: [...initFor(wanted.commit), '--', fresh] }, signal);
        if (made.code !== 0) return made;
        const result = await fetchInto(fresh, wanted, 1, signal);
        if (result.code !== 0) return result;
        reader.end();
        await rename(repository, `${repository}~old`).catch(() => undefined);
        await rename(fresh, repository);
        fetched.clear();
        fetched.add(wanted.commit);
        return result;
      } finally {
        await sweep();
      }
    },
    async tree(commit, path, signal) {
      const files = await trees.files(commit, path, signal);
      if (files) return { ok: true, value: { entries: files, whole: true } };
      const { ok, entries, whole: isWhole, why } = await listed(commit, path, signal);
      if (!ok) return { ok, why };
      const absent = entries.filter(({ size }) => size === Infinity).map(({ blob }) => blob);
      const lost = absent.length > 0 && !fetched.has(commit) ? await omitted.without(absent) : [];
      if (lost.length > 0) return { ok: false, why: `${lost.length} files are missing` };
      if (absent.length > 0) await omitted.add(absent);
      return { ok, value: { entries, whole: isWhole } };
    },
    async blobs(wanted, what, signal) {
      const few =
        wanted.length <= fewBlobs
          ? await reader.ask(wanted, what === 'sizes' ? 'info' : 'contents', signal)
          : undefined;
      if (few?.every(({ kind }) => kind === 'blob')) {
        const value = few.map(({ id, size, content }) => ({
          id,
          size,
          ...(what === 'contents' && { content: content.toString('utf8') }),
        }));
        return { ok: true, value };
      }
      const ids = await omitted.without(wanted);
      const { stdout, complaint } = await batch(ids, what === 'sizes' ? '--batch-check' : '--batch', signal);
      const found = parseBatch(stdout, what === 'contents').filter((object) => object.size !== undefined);
      if (found.length === ids.length) return { ok: true, value: found };
      return { ok: false, why: `${ids.length - found.length} of ${ids.length} files are missing; ${complaint}` };
    },
    async present(ids, signal) {
      const { stdout } = await batch(ids, '--batch-check', signal);
      return parseBatch(stdout, false).flatMap(({ id, size }) => (size === undefined ? [] : [id]));
    },
    commit: trees.commit,
    async parents(commits, signal) {
      const args = ['rev-list', '--header', '--ignore-missing', `--max-count=${mostParents}`, ...commits];
      return parseHeaders((await run({ repository, args }, signal)).stdout);
    },
    run: (args, signal) => run({ repository, args }, signal),
  };
}

/** Blobs that the server left out, kept inside the mirror, so that they are not taken for damage after a restart. */
function createOmitted(file: string): {
  /** Those of the ids that are not known to be left out. */
  without(ids: readonly string[]): Promise<string[]>;
  add(ids: readonly string[]): Promise<void>;
} {
  const read = async () => new Set((await readFile(file, 'utf8').catch(() => '')).split('\n'));
  const without = async (ids: readonly string[]) => {
    const known = await read();
    return ids.filter((id) => !known.has(id));
  };
  return {
    without,
    async add(ids) {
      const fresh = [...new Set(await without(ids))];
      if (fresh.length > 0) await appendFile(file, `${fresh.join('\n')}\n`);
    },
  };
}
