/** A repository, however many sources read it: one mirror, and one question for its refs however many want to know. */
import type { Log } from '../../schemas/io/log.ts';
import type { SourceAccess } from '../../schemas/settings-source.ts';
import { createAccess } from './access.ts';
import { createGitRunner, type GitResult, mirrorEnvironment, type RunGit } from './command.ts';
import { createHistory, type History } from './history.ts';
import { createMirror, type Mirror, mirrorOf } from './mirror.ts';
import { createObjectReader } from './object-reader.ts';
import { parseRefs } from './objects.ts';
import { parseRemote, type Remote } from './remote.ts';

export interface GitRepositoryOptions {
  /** Of the source that it is made for; in messages. */
  readonly name: string;
  readonly url: string;
  readonly access?: SourceAccess;
  /** Of this repository alone, below state/; may be removed at any time. */
  readonly folder: string;
  readonly log?: Log;
}

export interface GitRepository {
  readonly remote: Remote;
  /** Of this repository alone. */
  readonly folder: string;
  readonly run: RunGit;
  readonly mirror: Mirror;
  readonly history: History;
  readonly log: Log;
  /** All refs of the remote, by one request that starts after the call. */
  refs(signal: AbortSignal): Promise<GitResult>;
  /** Whatever touches the mirror comes one after the other: a new mirror must not pull it away from under a reader. */
  inOrder<T>(work: () => Promise<T>): Promise<T>;
}

/** More refs than this, and branches and tags only are asked for: that is two requests, and no list of all there is. */
const manyRefs = 2_000;
/** No list of refs is longer, in bytes. */
const mostListed = 64 * 1024 * 1024;

/** Throws SETTINGS_INVALID for a URL that git must not get. Nothing is done before the first call. */
export function createGitRepository(options: GitRepositoryOptions): GitRepository {
  const { name, url, access = {}, folder, log = () => undefined } = options;
  const remote = parseRemote(name, url);
  const run = createGitRunner(folder, createAccess(name, remote, access, folder));
  const reader = createObjectReader({ folder, env: () => mirrorEnvironment(folder, mirrorOf(folder)) });
  let turn: Promise<unknown> = Promise.resolve();
  return {
    remote,
    folder,
    run,
    log,
    mirror: createMirror(folder, remote.url, run, reader),
    history: createHistory(),
    refs: shared(createListing(run, remote)),
    inOrder(work) {
      const next = turn.then(work, work);
      turn = next.catch(() => undefined);
      return next;
    },
  };
}

/** The first protocol of git answers in the request that asks; the second one needs another, and tells less. */
function createListing(run: RunGit, { url }: Remote): (signal: AbortSignal) => Promise<GitResult> {
  let isLong = false;
  return async (signal) => {
    const args = isLong
      ? ['ls-remote', '--heads', '--tags', '--', url]
      : ['-c', 'protocol.version=0', 'ls-remote', '--', url];
    const result = await run({ args, remote: { most: mostListed } }, signal);
    isLong ||= result.flooded === true || parseRefs(result.stdout).size > manyRefs;
    return result;
  };
}

/**
 * One call at a time. Who calls while one is under way gets the answer of the next, with all others who do: what was asked before
 * may not know of what they heard of. The work ends early when nobody waits for it any more.
 */
function shared<T>(work: (signal: AbortSignal) => Promise<T>): (signal: AbortSignal) => Promise<T> {
  interface Round {
    readonly answer: Promise<T>;
    readonly abort: AbortController;
    waiting: number;
  }
  let running: Promise<unknown> = Promise.resolve();
  let next: Round | undefined;

  const begin = (): Round => {
    const abort = new AbortController();
    const before = running;
    const answer = (async () => {
      await before.catch(() => undefined);
      // Those that are begun together ask together.
      await new Promise((resolve) => setImmediate(resolve));
      next = undefined;
      return work(abort.signal);
    })();
    answer.catch(() => undefined);
    running = answer;
    return { answer, abort, waiting: 0 };
  };

  return async (signal) => {
    signal.throwIfAborted();
    next ??= begin();
    const round = next;
    round.waiting += 1;
    let leave: () => void = () => undefined;
    const left = new Promise<never>((_, reject) => {
      leave = () => {
        round.waiting -= 1;
        if (round.waiting === 0) round.abort.abort(signal.reason);
        reject(signal.reason as Error);
      };
    });
    signal.addEventListener('abort', leave, { once: true });
    try {
      return await Promise.race([round.answer, left]);
    } finally {
      signal.removeEventListener('abort', leave);
    }
  };
}
