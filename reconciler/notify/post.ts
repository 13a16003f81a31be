/** A request to somebody else's server: with a token from a file, bounded in time, and following nobody elsewhere. */
import { readGuarded, secretFault } from '../../schemas/io/guarded-file.ts';

/** Longest time that a server has for its answer, in ms. */
const patience = 10_000;
const longestToken = 4096;

/** What can be wrong with it, and what its owner can do. */
export interface PostFault {
  readonly why: string;
  readonly hint?: string;
  /** What the server answered, if it did. */
  readonly status?: number;
}

export interface Post {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** A header made of the token in this file, which is read anew each time. */
  readonly secret?: { readonly file: string; readonly header: (token: string) => readonly [string, string] };
  /** By the beginning of what the server says to a refusal: it has this already, and there is nothing to send again. */
  readonly isKnown?: (status: number, text: string) => boolean;
}

/** undefined when the server took it. No fault names the token, or what is behind the host in the URL. */
export async function post(
  { url, headers, body, secret, isKnown }: Post,
  signal: AbortSignal,
): Promise<PostFault | undefined> {
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
    const { status } = answer;
    if (!answer.ok && isKnown?.(status, await beginningOf(answer))) return undefined;
    await answer.body?.cancel();
    return answer.ok ? undefined : { why: `${host} answered ${status}`, status };
  } catch (error) {
    return { why: `${host} cannot be reached: ${reasonOf(error)}` };
  }
}

/** What is read of an answer, in bytes at least. */
const enough = 4096;

async function beginningOf({ body }: Response): Promise<string> {
  let text = Buffer.alloc(0);
  const reader = body?.getReader();
  while (reader && text.length < enough) {
    const { done, value } = await reader.read();
    if (done) break;
    text = Buffer.concat([text, value]);
  }
  reader?.releaseLock();
  return text.toString('utf8');
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
