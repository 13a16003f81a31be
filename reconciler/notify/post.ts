/** A request to somebody else's server: with a token from a file, bounded in time, and following nobody elsewhere. */
import { readGuarded, secretFault } from '../../schemas/io/guarded-file.ts';

/** Longest time that a server has for its answer, in ms. */
const patience = 10_000;
const longestToken = 4096;

/** What can be wrong with it, and what its owner can do. */
export interface PostFault {
  readonly why: string;
  readonly hint?: string;
}

export interface Post {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** A header made of the token in this file, which is read anew each time. */
  readonly secret?: { readonly file: string; readonly header: (token: string) => readonly [string, string] };
}

/** undefined when the server took it. No fault names the token, or what is behind the host in the URL. */
export async function post({ url, headers, body, secret }: Post, signal: AbortSignal): Promise<PostFault | undefined> {
  const { host } = new URL(url);
  const token = secret && (await readToken(secret.file));
  if (token && 'why' in token) return token;
  const login = secret && token ? Object.fromEntries([secret.header(token.text)]) : {};
  const limit = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
  try {
    const init = {
      method: 'POST',
      headers: { ...headers, ...login },
      body,
      redirect: 'manual',
      signal: limit,
    } as const;
    const answer = await fetch(url, init);
    await answer.body?.cancel();
    return answer.ok ? undefined : { why: `${host} answered ${answer.status}` };
  } catch (error) {
    return { why: `${host} cannot be reached: ${reasonOf(error)}` };
  }
}

async function readToken(file: string): Promise<{ readonly text: string } | PostFault> {
  const found = await readGuarded(file, longestToken, (info) => secretFault(file, info));
  if (found === undefined) return { why: `there is no token file ${file}` };
  if ('text' in found) return { text: found.text.trim() };
  return { ...found, why: `the token file ${file} does not count: ${found.why}` };
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `no answer within ${patience / 1000} s`;
  const { cause } = error;
  return cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? cause.message) : error.message;
}
