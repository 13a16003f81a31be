/**
 * What the reconciler asks registries: what a tag stands for, and whether a login is good. The same order as in pulls: mirrors
 * first. Nothing is fetched but names and tokens.
 */
import { createHash } from 'node:crypto';
import { isLoopback } from '../../schemas/addresses.ts';
import { parseImage, usualRegistry } from '../../schemas/image-name.ts';
import type { Clock } from '../../schemas/ports.ts';
import { isProblemError, type ProblemCode, ProblemError, problem } from '../../schemas/problem.ts';
import { type Login, type PullSource, type Registries, sourcesOf } from '../../schemas/registries.ts';
import { within } from '../time-limit.ts';
import { type Answered, ask } from './exchange.ts';

export interface RegistryClient {
  /**
   * The content that the tag of an image stands for now, e.g. `sha256:…`. Who is asked has an equal share of what is left of `ms`: a
   * mirror that hangs leaves time for the next one. IMAGE_DENIED, IMAGE_NOT_FOUND, REGISTRY_UNREACHABLE.
   */
  resolve(image: string, ms: number, signal: AbortSignal): Promise<string>;
  /** IMAGE_DENIED when the registry refuses the login, REGISTRY_UNREACHABLE. */
  check(host: string, login: Login, signal: AbortSignal): Promise<void>;
}

const manifests = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');
const contentPattern = /^sha256:[0-9a-f]{64}$/;

/** `read`: what is known of registries at this moment. */
export function createRegistryClient(
  { clock }: { readonly clock: Clock },
  read: () => Promise<Registries>,
): RegistryClient {
  return {
    async resolve(image, ms, signal) {
      const until = clock.now().mono + ms;
      const registries = await read();
      const { registry, repository, tag = 'latest' } = parseImage(image);
      const path = `${repository}/manifests/${tag}`;
      const failures: ProblemError[] = [];
      const sources = sourcesOf(registries, registry) ?? [{ host: registry }];
      for (const [index, source] of sources.entries()) {
        const share = Math.max(0, (until - clock.now().mono) / (sources.length - index));
        const question = { registries, source, repository, path };
        try {
          return await within(clock, share, (limited) => contentAt(question, limited), signal);
        } catch (error) {
          if (!isProblemError(error)) throw error;
          failures.push(error);
        }
      }
      const telling = failures.find(({ problem: { code } }) => code !== 'REGISTRY_UNREACHABLE');
      throw telling ?? failures.at(-1) ?? failure('REGISTRY_UNREACHABLE', registry, 'no place is known to have it');
    },
    async check(host, login, signal) {
      const registries = await read();
      const plainHttp = registries.entries.get(host)?.plainHttp;
      const source: PullSource = { host, ...login, ...(plainHttp && { plainHttp }) };
      await exchange({ registries, source, repository: '', path: '' }, 'GET', signal);
    },
  };
}

interface Question {
  readonly registries: Registries;
  readonly source: PullSource;
  /** For which a token is asked; '' for none. */
  readonly repository: string;
  /** Below `/v2/`. */
  readonly path: string;
}

async function contentAt(question: Question, signal: AbortSignal): Promise<string> {
  const head = await exchange(question, 'HEAD', signal);
  const said = head.headers['docker-content-digest'];
  if (typeof said === 'string' && contentPattern.test(said)) return said;
  const { body } = await exchange(question, 'GET', signal);
  return `sha256:${createHash('sha256').update(body).digest('hex')}`;
}

/** Asks, and once more with what the registry wants to see. */
async function exchange(question: Question, method: 'GET' | 'HEAD', signal: AbortSignal): Promise<Answered> {
  const { host } = question.source;
  const first = await reach(question, method, {}, signal);
  const wanted = first.answer.headers['www-authenticate'];
  if (first.answer.status !== 401 || typeof wanted !== 'string') return accepted(question, first.answer);
  const authorization = await credential(question, first.url, wanted, signal);
  if (authorization === undefined) throw failure('IMAGE_DENIED', host, 'it asks for a login, and none is known');
  const second = await reach(question, method, { authorization }, signal, first.url.protocol);
  return accepted(question, second.answer);
}

function accepted({ source: { host }, path }: Question, answer: Answered): Answered {
  if (answer.status >= 200 && answer.status < 300) return answer;
  if (answer.status === 401 || answer.status === 403) throw failure('IMAGE_DENIED', host, 'it refuses the login');
  if (answer.status === 404) throw failure('IMAGE_NOT_FOUND', host, `it has no ${path.replace('/manifests/', ':')}`);
  throw failure('REGISTRY_UNREACHABLE', host, `it answers HTTP ${answer.status}`);
}

/** In the open only on loopback, or where that is granted, and only if it speaks no TLS. */
async function reach(
  { registries, source, path }: Question,
  method: 'GET' | 'HEAD',
  more: Readonly<Record<string, string>>,
  signal: AbortSignal,
  scheme?: string,
): Promise<{ readonly url: URL; readonly answer: Answered }> {
  const host = source.host === usualRegistry ? 'registry-1.docker.io' : source.host;
  const mayBeOpen = source.plainHttp || isLoopback(host.replace(/:\d+$/, ''));
  const schemes = scheme ? [scheme] : mayBeOpen ? ['https:', 'http:'] : ['https:'];
  let last: unknown;
  for (const one of schemes) {
    const url = new URL(`${one}//${host}/v2/${path}`);
    try {
      return { url, answer: await ask({ url, method, headers: { accept: manifests, ...more } }, registries, signal) };
    } catch (error) {
      if (signal.aborted) throw failure('REGISTRY_UNREACHABLE', host, 'no answer in time');
      last = error;
    }
  }
  const { code, message } = last as NodeJS.ErrnoException;
  throw failure('REGISTRY_UNREACHABLE', host, code ?? message);
}

/** What is to be shown to a registry that asks for it; undefined: we have nothing. A login goes where the registry itself may hear it. */
async function credential(
  { registries, source, repository }: Question,
  asked: URL,
  wanted: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { username, password } = source;
  const basic =
    password === undefined ? undefined : `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  if (/^basic\b/i.test(wanted)) return basic;
  const parameters = new Map([...wanted.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, value]));
  const realm = parameters.get('realm') ?? '';
  if (!/^bearer\b/i.test(wanted) || !URL.canParse(realm)) return undefined;
  const url = new URL(realm);
  // Who speaks TLS does not send us to a place without it.
  if (url.protocol !== 'https:' && url.protocol !== asked.protocol) return undefined;
  if (parameters.has('service')) url.searchParams.set('service', parameters.get('service') ?? '');
  if (repository !== '') url.searchParams.set('scope', `repository:${repository}:pull`);
  const headers: Record<string, string> = basic === undefined ? {} : { authorization: basic };
  const answer = await ask({ url, method: 'GET', headers }, registries, signal).catch((error: unknown) => {
    throw failure('REGISTRY_UNREACHABLE', url.host, (error as NodeJS.ErrnoException).code ?? String(error));
  });
  if (answer.status !== 200) throw failure('IMAGE_DENIED', source.host, 'it refuses the login');
  return `Bearer ${tokenOf(answer.body) ?? ''}`;
}

function tokenOf(body: Buffer): string | undefined {
  try {
    const { token, access_token } = JSON.parse(body.toString('utf8')) as { token?: unknown; access_token?: unknown };
    const found = token ?? access_token;
    return typeof found === 'string' && /^[\x21-\x7e]+$/.test(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

function failure(code: ProblemCode, host: string, why: string): ProblemError {
  return new ProblemError(problem(code, `registry ${host}: ${why}`, { subject: host, disposition: 'retry' }));
}
