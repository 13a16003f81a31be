/** What may be a remote and a ref. Everything here ends up on git's command line. */
import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ProblemError, problem } from '../../schemas/problem.ts';
import { isOpenHttp } from '../../schemas/settings-source.ts';

export interface Remote {
  /** As git gets it, on its command line: never with a password. */
  readonly url: string;
  /** For messages: without user and password. */
  readonly shown: string;
  /** The folder, when it is on this machine. */
  readonly localPath?: string;
  /** What an https URL said before its host. */
  readonly login?: { readonly username: string; readonly password: string };
}

const schemes = new Set(['https:', 'http:', 'ssh:', 'file:']);
const scpLike = /^[A-Za-z0-9_.-]+@[A-Za-z0-9.-]+:[^-].*$/;
const refName = /^[A-Za-z0-9_][A-Za-z0-9_./@+-]{0,199}$/;
const commitId = /^[0-9a-f]{40}([0-9a-f]{24})?$/;

/** Checks a source's URL: https, ssh (also `git@host:path`), or a folder of this machine. SETTINGS_INVALID. */
export function parseRemote(source: string, url: string): Remote {
  const refuse = (message: string): never => {
    throw invalid(source, message, 'use https://..., ssh://..., git@host:path, or an absolute path');
  };
  if (url.startsWith('-') || /\p{Cc}/u.test(url) || url.includes('::')) return refuse('the URL is not allowed');
  if (isAbsolute(url)) return { url, shown: url, localPath: url };
  if (scpLike.test(url)) return { url, shown: url };
  if (!URL.canParse(url)) return refuse(`the URL is neither a URL nor an absolute path: ${url}`);
  const parsed = new URL(url);
  if (!schemes.has(parsed.protocol)) return refuse(`the protocol ${parsed.protocol} is not allowed`);
  if (isOpenHttp(url)) return refuse('http could be read and changed on the way, so it is for this machine only');
  if (parsed.hostname.startsWith('-') || parsed.username.startsWith('-')) return refuse('the URL is not allowed');
  if (parsed.protocol === 'file:') {
    const localPath = fileURLToPath(parsed);
    return { url: localPath, shown: localPath, localPath };
  }
  const bare = new URL(url);
  bare.username = '';
  bare.password = '';
  if (parsed.protocol === 'ssh:') return { url, shown: bare.href };
  const [username, password] = [decodeURIComponent(parsed.username), decodeURIComponent(parsed.password)];
  return { url: bare.href, shown: bare.href, ...(password !== '' && { login: { username, password } }) };
}

/** Checks the name of a branch, tag or commit. SETTINGS_INVALID. */
export function checkRef(source: string, ref: string): string {
  const odd =
    ref.includes('..') || ref.includes('@{') || ref.includes('//') || ref.endsWith('/') || ref.endsWith('.lock');
  if (refName.test(ref) && !odd) return ref;
  throw invalid(source, `not a branch, tag or commit: ${JSON.stringify(ref)}`);
}

/** True for a full object id. */
export function isCommitId(ref: string): boolean {
  return commitId.test(ref);
}

/** A path inside a tree, without slashes at its ends; '' is the whole tree. */
export function treePath(path: string): string | undefined {
  const levels = path.split('/').filter((level) => level !== '' && level !== '.');
  const safe = levels.every((level) => level !== '..') && !/\p{Cc}/u.test(path) && !levels[0]?.startsWith('-');
  return safe ? levels.join('/') : undefined;
}

function invalid(source: string, message: string, hint?: string): ProblemError {
  return new ProblemError(
    problem('SETTINGS_INVALID', message, { subject: `source/${source}`, ...(hint !== undefined && { hint }) }),
  );
}
