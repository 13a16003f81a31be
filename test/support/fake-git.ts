import { createHash } from 'node:crypto';
import type { Git, TreeEntry } from '../../reconciler/ports.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';

/** A git source in memory: commits are maps of path to text. The mirror has what was fetched, with its history. */
export interface FakeGit extends Git {
  /** Makes a commit of exactly these files on top of the head (or on `parent`; null: on nothing); returns its id. */
  push(files: Readonly<Record<string, string>>, parent?: string | null, message?: string): string;
  /** While set, every call to the remote fails with it. */
  unreachable: boolean;
  /** While set, no call to the remote ends but by its signal. */
  hanging: boolean;
  /** While set, the mirror cannot tell how commits are related. */
  unknown: boolean;
  /** The mirror is gone, as when state/ was deleted. */
  wipeMirror(): void;
  /** Makes `commit` the head without a new one, as a forced push does. */
  reset(commit: string): void;
  /** Commits that nobody signed who may. */
  readonly foreign: Set<string>;
  /** Requests that reached the remote. */
  requests: number;
}

export function createFakeGit(): FakeGit {
  const commits = new Map<
    string,
    { files: Readonly<Record<string, string>>; parent: string | undefined | null; message: string }
  >();
  const blobs = new Map<string, string>();
  /** Of texts: the same ones are asked for again and again. */
  const ids = new Map<string, string>();
  const watchers = new Set<() => void>();
  let head: string | undefined;
  const id = (text: string): string => {
    const known = ids.get(text) ?? createHash('sha1').update(text).digest('hex');
    ids.set(text, known);
    return known;
  };
  const mirror = new Set<string>();
  const remote = async (signal?: AbortSignal): Promise<void> => {
    git.requests += 1;
    if (git.hanging)
      await new Promise<never>((_, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      });
    if (git.unreachable)
      throw new ProblemError(problem('SOURCE_UNREACHABLE', 'the remote does not answer', { disposition: 'retry' }));
  };

  /** What the mirror lacks comes from the remote, as in the real one. */
  const obtain = async (commit: string, signal?: AbortSignal): Promise<void> => {
    if (mirror.has(commit)) return;
    await remote(signal);
    if (!commits.has(commit)) throw new ProblemError(problem('SOURCE_REF_MISSING', `there is no commit ${commit}`));
    for (let at: string | undefined | null = commit; at; at = commits.get(at)?.parent) mirror.add(at);
  };

  const git: FakeGit = {
    unreachable: false,
    hanging: false,
    unknown: false,
    foreign: new Set(),
    requests: 0,
    wipeMirror: () => mirror.clear(),
    reset(commit) {
      head = commit;
      for (const changed of watchers) changed();
    },
    push(files, parent = head, message = 'test commit') {
      for (const text of Object.values(files)) blobs.set(id(text), text);
      const commit = id(JSON.stringify([files, parent, commits.size]));
      commits.set(commit, { files, parent, message });
      head = commit;
      for (const changed of watchers) changed();
      return commit;
    },
    async head(signal) {
      await remote(signal);
      if (!head)
        throw new ProblemError(problem('SOURCE_REF_MISSING', 'branch main does not exist', { disposition: 'retry' }));
      return head;
    },
    fetch: obtain,
    async tree(commit, path, signal) {
      await obtain(commit, signal);
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
      const known = new Set([...mirror].flatMap((commit) => Object.values(commits.get(commit)?.files ?? {}).map(id)));
      return new Map(ids.flatMap((blob) => (known.has(blob) ? [[blob, blobs.get(blob) ?? '']] : [])));
    },
    oldBlobs: (ids, signal) => git.blobs(ids, signal),
    async isAncestor(commit, of) {
      if (git.unknown) return commit === of ? true : undefined;
      for (let at: string | undefined | null = of; at; at = commits.get(at)?.parent) if (at === commit) return true;
      return mirror.has(commit) ? false : undefined;
    },
    async trailers(key, since, commit) {
      const values: string[] = [];
      for (let at: string | undefined | null = commit; at && at !== since; at = commits.get(at)?.parent)
        for (const line of commits.get(at)?.message.split('\n') ?? [])
          if (line.startsWith(`${key}: `)) values.push(line.slice(key.length + 2));
      return values;
    },
    async unsigned(_signers, commit, since) {
      const found: string[] = [];
      for (let at: string | undefined | null = commit; at && at !== since; at = commits.get(at)?.parent) {
        if (git.foreign.has(at)) found.push(at);
        if (since === undefined) break;
      }
      return git.unknown ? undefined : found;
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
