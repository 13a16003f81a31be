/** Images: looked for on the engine first, pulled only when absent. */
import { ProblemError, problem } from '../../../schemas/problem.ts';
import { type Engine, limits, messageOf, statusOf } from './engine.ts';

/** Characters of image references. Also keeps a reference from reaching other paths of the engine's API. */
const referencePattern = /^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,254}$/;

/** Repository, and tag or digest (default `latest`), as the engine's pull takes them. */
export function splitReference(image: string): { readonly repository: string; readonly tag: string } {
  const [beforeDigest = image, digest] = image.split('@', 2);
  const colon = beforeDigest.lastIndexOf(':');
  const tagged = colon > beforeDigest.lastIndexOf('/');
  const repository = tagged ? beforeDigest.slice(0, colon) : beforeDigest;
  return { repository, tag: digest ?? (tagged ? beforeDigest.slice(colon + 1) : 'latest') };
}

/** Makes sure that `image` is on the engine. IMAGE_NOT_FOUND, IMAGE_PULL_FAILED, RUNTIME_UNAVAILABLE. */
export async function ensureImage(engine: Engine, image: string, signal: AbortSignal): Promise<void> {
  if (!referencePattern.test(image) || image.includes('..'))
    throw imageProblem('IMAGE_NOT_FOUND', image, 'it is not an image reference');
  if (await isPresent(engine, image, signal)) return;
  await pull(engine, image, signal);
}

async function isPresent(engine: Engine, image: string, signal: AbortSignal): Promise<boolean> {
  try {
    await engine.call(limits.read, signal, (docker) => docker.getImage(image).inspect());
    return true;
  } catch (error) {
    if (statusOf(error) === 404) return false;
    throw error;
  }
}

async function pull(engine: Engine, image: string, signal: AbortSignal): Promise<void> {
  const { repository, tag } = splitReference(image);
  try {
    // The registry is asked before the first byte comes, so that the limit of a stall holds here, too.
    const stream = await engine.stream(limits.pullStall, signal, (docker, abortSignal) =>
      docker.createImage({ fromImage: repository, tag, abortSignal }),
    );
    const failure = await readProgress(stream, limits.pullStall, signal);
    if (failure !== undefined) throw pullProblem(image, undefined, failure);
  } catch (error) {
    const status = statusOf(error);
    if (status === undefined) throw error;
    throw pullProblem(image, status, messageOf(error));
  }
}

/**
 * Reads a pull's progress to its end. Answers the engine's error message, if it sent one, or says that nothing moved for
 * `stall` ms: a slow link may take hours, a dead one must not.
 */
export async function readProgress(
  stream: NodeJS.ReadableStream & { destroy(error?: Error): unknown },
  stall: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const stalled = new Error(`no progress for ${stall} ms`);
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

/** Registries say "does not exist" in many ways, and "denied" also for what does not exist. */
const notFound =
  /not found|manifest unknown|does not exist|no matching manifest|denied|unauthorized|invalid reference/i;

function pullProblem(image: string, status: number | undefined, message: string): ProblemError {
  const absent = status === 404 || status === 403 || status === 401 || status === 400 || notFound.test(message);
  return imageProblem(absent ? 'IMAGE_NOT_FOUND' : 'IMAGE_PULL_FAILED', image, message);
}

function imageProblem(code: 'IMAGE_NOT_FOUND' | 'IMAGE_PULL_FAILED', image: string, why: string): ProblemError {
  return new ProblemError(
    problem(code, `image ${image} is not on this node and could not be pulled: ${why}`, {
      subject: image,
      disposition: 'retry',
      hint: code === 'IMAGE_NOT_FOUND' ? 'check the name, the tag and the access to the registry' : 'it is tried again',
    }),
  );
}
