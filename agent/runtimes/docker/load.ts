/** Archives of images for an engine, as `docker save` writes them, and what it has of them. */
import { Readable } from 'node:stream';
import type { ImageInspectInfo } from 'dockerode';
import type { ArchivedImage, Loaded } from '../../../schemas/image-load.ts';
import { imageFault, isSameImage } from '../../../schemas/image-name.ts';
import { isProblemError, ProblemError, problem } from '../../../schemas/problem.ts';
import { type Engine, limits, messageOf, statusOf } from './engine.ts';
import { architectureFault } from './image.ts';
import { readProgress, splitReference, stallText } from './pull.ts';
import { pullFailure } from './pull-failure.ts';

/** ms, as long as a timer can wait: the engine answers once it has taken all, and its silence is measured here. */
const noLimit = 2 ** 31 - 1;

/**
 * The images, if the engine has all of them: a name that one of them lacks is given to it. Undefined when one is not there.
 * IMAGE_WRONG_ARCHITECTURE, BAD_REQUEST, RUNTIME_UNAVAILABLE.
 */
export async function ownImages(
  engine: Engine,
  images: readonly ArchivedImage[],
  signal: AbortSignal,
): Promise<Loaded | undefined> {
  const found: { readonly id: string; readonly known: readonly string[]; readonly names: readonly string[] }[] = [];
  let isMissing = false;
  for (const { ids, names, arch = '' } of images) {
    for (const name of names) checkName(name);
    const label = names[0] ?? ids[0] ?? '';
    const fault = await architectureFault(engine, { architecture: arch }, signal);
    if (fault) throw loadProblem('IMAGE_WRONG_ARCHITECTURE', label, `${label}: ${fault}`);
    const there = await firstOf(engine, ids, signal);
    if (there) found.push({ ...there, names });
    else isMissing = true;
  }
  if (isMissing) return undefined;
  let already = true;
  for (const { id, known, names } of found) {
    for (const name of names.filter((one) => !known.some((other) => isSameImage(one, other)))) {
      const { repository: repo, tag } = splitReference(name);
      await engine.call(limits.change, signal, (docker) => docker.getImage(id).tag({ repo, tag }));
      already = false;
    }
  }
  return { already, images: found.map(({ id, names }) => ({ id, names: [...names] })) };
}

function checkName(name: string): void {
  const fault = name.includes('@') ? 'it has a digest' : imageFault(name);
  if (fault) throw new ProblemError(problem('BAD_REQUEST', `\`${name}\` cannot be the name of an image: ${fault}`));
}

async function firstOf(engine: Engine, ids: readonly string[], signal: AbortSignal) {
  for (const id of ids) {
    try {
      // The library's type promises more than engines keep.
      const image: Partial<ImageInspectInfo> = await engine.call(limits.read, signal, (docker) =>
        docker.getImage(id).inspect(),
      );
      return { id, known: image.RepoTags ?? [] };
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
    }
  }
  return undefined;
}

/**
 * Feeds the engine an archive. `stall`: ms for which it may neither take nor say anything; while nothing comes to be taken, the other
 * side is waited for. A failure of the archive, and an abort, cut the engine's request: it drops what it got. IMAGE_NO_SPACE,
 * IMAGE_LOAD_FAILED, RUNTIME_UNAVAILABLE, and whatever the archive failed with.
 */
export async function loadArchive(
  engine: Engine,
  archive: AsyncIterable<Uint8Array>,
  stall: number,
  signal: AbortSignal,
): Promise<void> {
  const cut = new AbortController();
  const silent = loadProblem('RUNTIME_UNAVAILABLE', undefined, `the engine took and said nothing for ${stall} ms`);
  let timer: NodeJS.Timeout | undefined;
  const wait = (): void => {
    timer = setTimeout(() => cut.abort(silent), stall);
  };
  async function* watched(): AsyncGenerator<Uint8Array> {
    for await (const piece of archive) {
      wait();
      yield piece;
      clearTimeout(timer);
    }
    wait();
  }
  const body = Readable.from(watched());
  body.on('error', (error) => cut.abort(error));
  const either = AbortSignal.any([signal, cut.signal]);
  try {
    const answer = await engine.stream(noLimit, either, (docker) => docker.loadImage(body));
    clearTimeout(timer);
    const failure = await readProgress(answer, stall, either);
    if (failure === stallText(stall)) throw silent;
    if (failure !== undefined) throw loadFailure(failure);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (cut.signal.aborted) throw cut.signal.reason;
    if (isProblemError(error) || statusOf(error) === undefined) throw error;
    throw loadFailure(messageOf(error));
  } finally {
    clearTimeout(timer);
    body.destroy();
  }
}

/** What the engine said of an archive. Only of the room on its disk it says it in words of its own. */
function loadFailure(said: string): ProblemError {
  const noSpace = pullFailure(undefined, said).code === 'IMAGE_NO_SPACE';
  return loadProblem(noSpace ? 'IMAGE_NO_SPACE' : 'IMAGE_LOAD_FAILED', undefined, `the engine says: ${said}`);
}

function loadProblem(
  code: 'IMAGE_NO_SPACE' | 'IMAGE_LOAD_FAILED' | 'IMAGE_WRONG_ARCHITECTURE' | 'RUNTIME_UNAVAILABLE',
  subject: string | undefined,
  message: string,
): ProblemError {
  const hints = {
    IMAGE_NO_SPACE: 'make room on the node: `docker image prune`; then load it again',
    IMAGE_LOAD_FAILED: 'does `docker load` take it elsewhere?',
    IMAGE_WRONG_ARCHITECTURE: 'save the image for that architecture: `docker pull --platform`, then `docker save`',
    RUNTIME_UNAVAILABLE: 'is the engine well? `docker version` on the node tells',
  };
  return new ProblemError(problem(code, message, { ...(subject && { subject }), hint: hints[code] }));
}
