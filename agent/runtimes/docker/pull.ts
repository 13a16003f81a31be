/** One pull from one place, with a limit on how long nothing may move: a slow link may take hours, a dead one must not. */
import { isLoopback } from '../../../schemas/addresses.ts';
import { parseImage, usualRegistry } from '../../../schemas/image-name.ts';
import type { PullSource } from '../../../schemas/registries.ts';
import { type Engine, limits, messageOf, statusOf } from './engine.ts';
import { type PullFailure, pullFailure } from './pull-failure.ts';

/** Repository, and tag or digest (default `latest`), as the engine's pull takes them. */
export function splitReference(image: string): { readonly repository: string; readonly tag: string } {
  const [beforeDigest = image, digest] = image.split('@', 2);
  const colon = beforeDigest.lastIndexOf(':');
  const tagged = colon > beforeDigest.lastIndexOf('/');
  const repository = tagged ? beforeDigest.slice(0, colon) : beforeDigest;
  return { repository, tag: digest ?? (tagged ? beforeDigest.slice(colon + 1) : 'latest') };
}

/** The image as `host` has it: `registry/path` with its tag, or with its content where that is known. */
export function referenceAt(host: string, image: string, content: string | undefined): string {
  const { registry, repository, tag = 'latest', digest = content } = parseImage(image);
  const { repository: written } = splitReference(image);
  const name = host === registry ? written : `${host}/${repository}`;
  return digest === undefined ? `${name}:${tag}` : `${name}@${digest}`;
}

/** Pulls a reference; answers what was wrong, if something was. RUNTIME_UNAVAILABLE is thrown, and so is the abort of `signal`. */
export async function pullFrom(
  engine: Engine,
  source: PullSource,
  reference: string,
  stall: number,
  signal: AbortSignal,
): Promise<PullFailure | undefined> {
  const open = source.password === undefined ? undefined : await openFault(engine, source, signal);
  if (open) return open;
  const { repository, tag } = splitReference(reference);
  const stalled = new Error(stallText(stall));
  const silence = new AbortController();
  // The registry is asked before the first byte comes, so that the limit of a stall holds here, too.
  const timer = setTimeout(() => silence.abort(stalled), stall);
  const either = AbortSignal.any([signal, silence.signal]);
  try {
    const stream = await engine.stream(stall + limits.stopExtra, either, (docker) => {
      const options = { fromImage: repository, tag };
      const auth = authOf(source);
      return auth ? docker.createImage(auth, options) : docker.createImage(options);
    });
    clearTimeout(timer);
    const failure = await readProgress(stream, stall, signal);
    if (failure === undefined) return undefined;
    return failure === stalled.message ? { code: 'IMAGE_STALLED', message: failure } : pullFailure(undefined, failure);
  } catch (error) {
    if (error === stalled) return { code: 'IMAGE_STALLED', message: stalled.message };
    const status = statusOf(error);
    if (status === undefined) throw error;
    return pullFailure(status, messageOf(error));
  } finally {
    clearTimeout(timer);
  }
}

function authOf({ host, username, password }: PullSource): object | undefined {
  if (password === undefined) return undefined;
  const serveraddress = host === usualRegistry ? 'https://index.docker.io/v1/' : host;
  return { username, password, serveraddress };
}

/** A login goes in the open only where the owner of the registry's entry said so, or to this machine itself. */
async function openFault(
  engine: Engine,
  { host, plainHttp }: PullSource,
  signal: AbortSignal,
): Promise<PullFailure | undefined> {
  if (plainHttp || isLoopback(host.replace(/:\d+$/, ''))) return undefined;
  const info = await engine.call(limits.read, signal, (docker) => docker.info());
  const { IndexConfigs = {}, InsecureRegistryCIDRs = [] } = (info?.RegistryConfig ?? {}) as EngineRegistries;
  const isOpen = IndexConfigs[host]?.Secure === false || InsecureRegistryCIDRs.some((range) => isWithin(host, range));
  const message = `the engine of this node speaks to ${host} without TLS, and a login would be readable on the way`;
  return isOpen ? { code: 'REGISTRY_INSECURE', message } : undefined;
}

interface EngineRegistries {
  readonly IndexConfigs?: Readonly<Record<string, { readonly Secure?: boolean }>>;
  readonly InsecureRegistryCIDRs?: readonly string[];
}

/** Is an IPv4 address in a range like 10.0.0.0/8? */
function isWithin(host: string, range: string): boolean {
  const [network = '', bits = '32'] = range.split('/');
  const [a, b] = [numberOf(host.replace(/:\d+$/, '')), numberOf(network)];
  const size = 2 ** (32 - Number(bits));
  return a !== undefined && b !== undefined && Math.floor(a / size) === Math.floor(b / size);
}

function numberOf(address: string): number | undefined {
  const parts = address.split('.').map(Number);
  const isPlain = parts.length === 4 && parts.every((part) => Number.isInteger(part) && part >= 0 && part < 256);
  return isPlain ? parts.reduce((sum, part) => sum * 256 + part, 0) : undefined;
}

/** What a pull, or a load, says of an engine where nothing moves. */
export function stallText(stall: number): string {
  return `no progress for ${stall} ms`;
}

/** Reads a pull's progress to its end. Answers the engine's error message, if it sent one, or says that nothing moved for `stall` ms. */
export async function readProgress(
  stream: NodeJS.ReadableStream & { destroy(error?: Error): unknown },
  stall: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const stalled = new Error(stallText(stall));
  const timer = setTimeout(() => stream.destroy(stalled), stall);
  try {
    let rest = '';
    let failure: string | undefined;
    stream.setEncoding('utf8');
    for await (const chunk of stream) {
      timer.refresh();
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      failure = lines.map(errorOf).find(Boolean) ?? failure;
    }
    return errorOf(rest) ?? failure;
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    return error === stalled ? stalled.message : `the connection broke: ${messageOf(error)}`;
  } finally {
    clearTimeout(timer);
  }
}

function errorOf(line: string): string | undefined {
  if (!line.includes('"error"')) return undefined;
  try {
    const { error } = JSON.parse(line) as { error?: unknown };
    return typeof error === 'string' ? error : undefined;
  } catch {
    return undefined;
  }
}
