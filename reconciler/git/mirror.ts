/**
 * The bare mirror of a remote. It can be thrown away at any time: a new one is made beside it and takes its place whole, so that a
 * half-finished clone is never used.
 */
import { randomBytes } from 'node:crypto';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { TreeEntry } from '../ports.ts';
import type { GitResult, RunGit } from './command.ts';
import { type BatchObject, parseBatch, parseTree } from './objects.ts';

/** What was read, or that the mirror does not give it. */
export type Reading<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly why: string };

export interface Mirror {
  exists(): Promise<boolean>;
  has(commit: string, signal: AbortSignal): Promise<boolean>;
  /** Fetches a commit with its history. */
  fetch(commit: string, signal: AbortSignal): Promise<GitResult>;
  /** Makes a new mirror of a commit and puts it in the place of the old one. A failure leaves the old one alone. */
  replace(commit: string, signal: AbortSignal): Promise<GitResult>;
  /** Files below a path of a commit. */
  tree(commit: string, path: string, signal: AbortSignal): Promise<Reading<readonly TreeEntry[]>>;
  /** All of these blobs, or none: their sizes, or with their content. */
  blobs(
    ids: readonly string[],
    what: 'sizes' | 'contents',
    signal: AbortSignal,
  ): Promise<Reading<readonly BatchObject[]>>;
  /** Any other command that reads. */
  run(args: readonly string[], signal: AbortSignal): Promise<GitResult>;
}

const present = 'mirror.git';
/** What is fetched is kept by this ref; what it pointed to before stays, too: nothing is ever pruned. */
const headRef = 'refs/oakctl/head';
/** Fetches between two looks at whether loose objects should be packed. */
const packEvery = 50;

export function createMirror(folder: string, url: string, run: RunGit): Mirror {
  const repository = join(folder, present);
  let fetches = 0;

  const fetchInto = (target: string, commit: string, signal: AbortSignal): Promise<GitResult> => {
    // --progress keeps a slow transfer from looking silent.
    const options = ['--progress', '--no-tags', '--no-write-fetch-head', '--no-auto-maintenance'];
    return run({ repository: target, args: ['fetch', ...options, '--', url, `+${commit}:${headRef}`] }, signal);
  };
  /** What earlier attempts left behind. */
  const sweep = async (): Promise<void> => {
    const entries = await readdir(folder).catch(() => []);
    const left = entries.filter((entry) => entry.startsWith(`${present}~`));
    for (const entry of left) await rm(join(folder, entry), { recursive: true, force: true });
  };
  const batch = async (lines: readonly string[], how: '--batch' | '--batch-check', signal: AbortSignal) =>
    run({ repository, args: ['cat-file', how, '--buffer'], input: `${lines.join('\n')}\n` }, signal);

  return {
    exists: () =>
      stat(repository).then(
        () => true,
        () => false,
      ),
    async has(commit, signal) {
      const { stdout } = await batch([`${commit}^{tree}`], '--batch-check', signal);
      return / tree [0-9]+\n$/.test(stdout.toString('latin1'));
    },
    async fetch(commit, signal) {
      const result = await fetchInto(repository, commit, signal);
      fetches += 1;
      if (fetches % packEvery === 0) await run({ repository, args: ['gc', '--auto', '--quiet'] }, signal);
      return result;
    },
    async replace(commit, signal) {
      await sweep();
      const fresh = `${repository}~${randomBytes(6).toString('hex')}`;
      try {
        const made = await run({ args: ['init', '--bare', '--', fresh] }, signal);
        if (made.code !== 0) return made;
        const fetched = await fetchInto(fresh, commit, signal);
        if (fetched.code !== 0) return fetched;
        await rename(repository, `${repository}~old`).catch(() => undefined);
        await rename(fresh, repository);
        return fetched;
      } finally {
        await sweep();
      }
    },
    async tree(commit, path, signal) {
      const below = path === '' ? [] : [`${path}/`];
      const args = ['ls-tree', '-r', '-z', '--long', '--full-tree', commit, '--', ...below];
      const { code, stdout, complaint } = await run({ repository, args }, signal);
      return code === 0 ? { ok: true, value: parseTree(stdout) } : { ok: false, why: complaint };
    },
    async blobs(ids, what, signal) {
      const { stdout, complaint } = await batch(ids, what === 'sizes' ? '--batch-check' : '--batch', signal);
      const found = parseBatch(stdout, what === 'contents').filter((object) => object.size !== undefined);
      if (found.length === ids.length) return { ok: true, value: found };
      return { ok: false, why: `${ids.length - found.length} of ${ids.length} files are missing; ${complaint}` };
    },
    run: (args, signal) => run({ repository, args }, signal),
  };
}
