import { createHash } from 'node:crypto';
import type { Git, TreeEntry } from '../../reconciler/ports.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';

/** A git source in memory: commits are maps of path to text. */
export interface FakeGit extends Git {
  /** Makes a commit of exactly these files on top of the head (or on `parent`); returns its id. */
  push(files: Readonly<Record<string, string>>, parent?: string): string;
  /** While set, every call to the remote fails with it. */
  unreachable: boolean;
}

export function createFakeGit(): FakeGit {
  const commits = new Map<string, { files: Readonly<Record<string, string>>; parent: string | undefined }>();
  const blobs = new Map<string, string>();
  const watchers = new Set<() => void>();
  let head: string | undefined;
  const id = (text: string): string => createHash('sha1').update(text).digest('hex');
  const remote = (): void => {
    if (git.unreachable)
      throw new ProblemError(problem('SOURCE_UNREACHABLE', 'the remote does not answer', { disposition: 'retry' }));
  };

  const git: FakeGit = {
    unreachable: false,
    push(files, parent = head) {
      for (const text of Object.values(files)) blobs.set(id(text), text);
      const commit = id(JSON.stringify([files, parent, commits.size]));
      commits.set(commit, { files, parent });
      head = commit;
      for (const changed of watchers) changed();
      return commit;
    },
    async head() {
      remote();
      if (!head)
        throw new ProblemError(problem('SOURCE_REF_MISSING', 'branch main does not exist', { disposition: 'retry' }));
      return head;
    },
    async fetch(commit) {
      if (!commits.has(commit)) remote();
    },
    async tree(commit, path) {
      const prefix = path === '' ? '' : `${path}/`;
      const entries: TreeEntry[] = Object.entries(commits.get(commit)?.files ?? {})
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, text]) => ({ path: name, blob: id(text), mode: '100644', size: text.length }));
      if (path !== '' && entries.length === 0) {
        throw new ProblemError(problem('SOURCE_REF_MISSING', `path ${path} is not in ${commit}`));
      }
      return entries.sort((a, b) => (a.path < b.path ? -1 : 1));
    },
    async blobs(ids) {
      return new Map(ids.flatMap((blob) => (blobs.has(blob) ? [[blob, blobs.get(blob) ?? '']] : [])));
    },
    async isAncestor(commit, of) {
      for (let at: string | undefined = of; at; at = commits.get(at)?.parent) if (at === commit) return true;
      return commits.has(commit) ? false : undefined;
    },
    async describe() {
      return { author: 'test', subject: 'test commit' };
    },
    watch(changed) {
      watchers.add(changed);
      return () => void watchers.delete(changed);
    },
  };
  return git;
}
