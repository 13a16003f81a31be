/** Takes an archive of images for the engine of this node, piece by piece: what is there already is not sent. */
import { PassThrough } from 'node:stream';
import type { ExecConnection } from '../schemas/exec.ts';
import {
  type ArchivedImage,
  type LoadControl,
  type Loaded,
  type LoadStart,
  loadFrame,
  loadPiece,
  loadWindow,
  parseLoadFrame,
} from '../schemas/image-load.ts';
import { isProblemError, type Problem, ProblemError, problem } from '../schemas/problem.ts';
import type { ImageLoader } from './runtimes/runtime.ts';

/** ms for which nothing may come of an archive: whoever sent it is gone without a word. */
const longestSilence = 300_000;

/**
 * `loader`: who takes them, or why nobody does. Resolves with what the engine has now, or undefined when it does not have all; what is wrong is told to the other side, and only
 * bugs reject. Whatever ends the session before the archive has ended makes the engine drop what came of it.
 */
export async function serveLoad(
  connection: ExecConnection,
  loader: ImageLoader | Problem,
  signal: AbortSignal,
): Promise<Loaded | undefined> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, connection.gone, over.signal]);
  try {
    const loaded = await load(connection, loader, either);
    await tell(connection, { loaded });
    return loaded;
  } catch (error) {
    if (isProblemError(error)) await tell(connection, { failed: error.problem });
    else if (!either.aborted) throw error;
    return undefined;
  } finally {
    over.abort();
    connection.close();
  }
}

/** Nobody may be there any more: then it is told to nobody. */
async function tell(connection: ExecConnection, control: LoadControl): Promise<void> {
  if (!connection.gone.aborted) await connection.send(loadFrame(control)).catch(() => {});
}

async function load(connection: ExecConnection, loader: ImageLoader | Problem, signal: AbortSignal): Promise<Loaded> {
  const input = connection.frames[Symbol.asyncIterator]();
  const { images, bytes } = startOf(await input.next());
  if ('code' in loader) throw new ProblemError(loader);
  const before = await loader.ownImages(images, signal);
  if (before) return before;
  const archive = new PassThrough({ writableHighWaterMark: loadWindow, readableHighWaterMark: loadPiece });
  // Who reads it tells.
  archive.on('error', () => {});
  try {
    await connection.send(loadFrame({ ready: true }));
    receive(connection, input, bytes, archive).catch((error: Error) => archive.destroy(error));
    await loader.loadImages(archive, signal);
  } finally {
    archive.destroy();
  }
  const after = await loader.ownImages(images, signal);
  if (after) return { ...after, already: false };
  throw new ProblemError(problem('IMAGE_LOAD_FAILED', `the engine took the archive, and lacks ${lacking(images)}`));
}

function lacking(images: readonly ArchivedImage[]): string {
  return images.length === 1 ? (images[0]?.names[0] ?? 'its image') : `some of its ${images.length} images`;
}

function startOf(first: IteratorResult<Uint8Array>): LoadStart {
  if (first.done) throw brokenOff();
  const frame = parseLoadFrame(first.value);
  if (!('kind' in frame)) throw new ProblemError(frame);
  if (frame.kind === 'control' && 'start' in frame.control) return frame.control.start;
  throw new ProblemError(problem('BAD_REQUEST', 'a load begins with what the archive holds'));
}

/** Until the end of the archive, which has to be as long as was said. Reads on when the engine is slow, so that the link stays alive. */
async function receive(
  connection: ExecConnection,
  input: AsyncIterator<Uint8Array>,
  bytes: number,
  archive: PassThrough,
): Promise<void> {
  let received = 0;
  let taken = 0;
  const silence = setTimeout(() => archive.destroy(brokenOff()), longestSilence).unref();
  archive.once('close', () => clearTimeout(silence));
  for (let next = await input.next(); !next.done; next = await input.next()) {
    silence.refresh();
    const frame = parseLoadFrame(next.value);
    if (!('kind' in frame)) throw new ProblemError(frame);
    if (frame.kind === 'control' && 'end' in frame.control) {
      if (received !== bytes) throw notAsSaid(`${received} bytes of the archive came, and it has ${bytes}`);
      clearTimeout(silence);
      archive.end();
      return;
    }
    if (frame.kind !== 'stdin') continue;
    const { data } = frame;
    received += data.length;
    if (received > bytes) throw notAsSaid(`more than ${bytes} bytes came, which is what the archive has`);
    if (archive.writableLength > 2 * loadWindow) throw notAsSaid('more came than was asked for');
    archive.write(data, (error) => {
      if (error) return;
      taken += data.length;
      void tell(connection, { taken });
    });
  }
  throw brokenOff();
}

function notAsSaid(message: string): ProblemError {
  return new ProblemError(problem('BAD_REQUEST', message));
}

function brokenOff(): ProblemError {
  return new ProblemError(problem('UNAVAILABLE', 'the archive broke off in the middle', { disposition: 'retry' }));
}
