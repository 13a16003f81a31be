/** An archive of images to nodes: to some at once, each from the file, never further ahead than what an engine has taken. */
import { createReadStream } from 'node:fs';
import type { ExecConnection } from '../../schemas/exec.ts';
import { dataFrame } from '../../schemas/exec.ts';
import { type Loaded, loadFrame, loadPiece, loadWindow, parseLoadFrame } from '../../schemas/image-load.ts';
import type { ApiClient } from '../../schemas/io/api-client.ts';
import { isProblemError, type Problem, ProblemError, problem } from '../../schemas/problem.ts';
import type { ImageArchive } from './image-archive.ts';

/** Nodes that are sent to at the same time. */
const nodesAtOnce = 3;

/** What became of one node. */
export interface LoadResult {
  readonly node: string;
  /** `present`: it had all of it, and nothing was sent. */
  readonly state: 'loaded' | 'present' | 'failed';
  /** As its engine has them; empty when it failed. */
  readonly images: Loaded['images'];
  readonly problem?: Problem;
}

/** How far one node is. `taken`: bytes that its engine has; absent before it asked for any. */
export interface LoadProgress {
  readonly node: string;
  readonly state: 'waiting' | 'asking' | 'sending' | LoadResult['state'];
  readonly taken?: number;
}

/** One result per node, in their order. A node that fails keeps no other from its images; an abort ends all. */
export async function loadOnNodes(
  api: Pick<ApiClient, 'loadImages'>,
  archive: ImageArchive,
  { nodes, actor, moved }: { nodes: readonly string[]; actor: string; moved: (progress: LoadProgress) => void },
  signal: AbortSignal,
): Promise<readonly LoadResult[]> {
  const results: LoadResult[] = [];
  const queue = nodes.entries();
  const worker = async (): Promise<void> => {
    for (const [index, node] of queue) {
      const result = await loadOn(api, archive, { node, actor, moved }, signal);
      results[index] = result;
      moved({ node, state: result.state });
    }
  };
  for (const node of nodes) moved({ node, state: 'waiting' });
  await Promise.all(Array.from({ length: nodesAtOnce }, worker));
  return results;
}

async function loadOn(
  api: Pick<ApiClient, 'loadImages'>,
  archive: ImageArchive,
  { node, actor, moved }: { node: string; actor: string; moved: (progress: LoadProgress) => void },
  signal: AbortSignal,
): Promise<LoadResult> {
  moved({ node, state: 'asking' });
  try {
    const connection = await api.loadImages(node, actor, signal);
    const { already, images } = await sendArchive(connection, archive, (taken) =>
      moved({ node, state: 'sending', taken }),
    );
    return { node, state: already ? 'present' : 'loaded', images };
  } catch (error) {
    signal.throwIfAborted();
    if (!isProblemError(error)) throw error;
    return { node, state: 'failed', images: [], problem: error.problem };
  }
}

/** One archive over one connection, which is closed then. What the node tells; UNAVAILABLE when it breaks off; ARCHIVE_INVALID. */
export async function sendArchive(
  connection: ExecConnection,
  archive: ImageArchive,
  moved: (taken: number) => void,
): Promise<Loaded> {
  const { images, bytes } = archive;
  const flow = createFlow(connection.gone);
  let fault: Error | undefined;
  let isAsked = false;
  // What is refused ends before it is asked for anything: its last word says why.
  await connection.send(loadFrame({ start: { images: [...images], bytes } })).catch(() => {});
  try {
    for await (const raw of connection.frames) {
      const frame = parseLoadFrame(raw);
      if (!('kind' in frame)) throw new ProblemError(frame);
      if (frame.kind !== 'control') continue;
      const { control } = frame;
      if ('loaded' in control) return control.loaded;
      if ('failed' in control) throw new ProblemError(control.failed);
      if ('taken' in control) {
        flow.taken(control.taken);
        moved(control.taken);
      }
      if ('ready' in control && !isAsked) {
        isAsked = true;
        moved(0);
        send(connection, archive, flow).catch((error: Error) => {
          // Nobody takes it any more: the last word, which is read here, says why.
          if (isProblemError(error) && error.problem.code === 'UNAVAILABLE') return;
          fault = error;
          connection.close();
        });
      }
    }
    throw fault ?? brokenOff();
  } finally {
    flow.end();
    connection.close();
  }
}

/** How much may be on its way. */
interface Flow {
  /** So many bytes have arrived in all. */
  taken(bytes: number): void;
  /** Resolves when there is room for more after `sent` bytes; false: the connection is over. */
  room(sent: number): Promise<boolean>;
  end(): void;
}

function createFlow(gone: AbortSignal): Flow {
  let taken = 0;
  let over = gone.aborted;
  let wake = (): void => {};
  const end = (): void => {
    over = true;
    wake();
  };
  gone.addEventListener('abort', end, { once: true });
  return {
    taken(bytes) {
      taken = Math.max(taken, bytes);
      wake();
    },
    async room(sent) {
      while (!over && sent - taken >= loadWindow) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return !over;
    },
    end,
  };
}

async function send(connection: ExecConnection, { file, bytes }: ImageArchive, flow: Flow): Promise<void> {
  let sent = 0;
  const content = createReadStream(file, { highWaterMark: loadPiece, end: bytes - 1 });
  try {
    for await (const piece of content as AsyncIterable<Buffer>) {
      if (!(await flow.room(sent))) return;
      await connection.send(dataFrame('stdin', piece));
      sent += piece.length;
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (isProblemError(error) || code === undefined) throw error;
    throw new ProblemError(problem('ARCHIVE_INVALID', `it cannot be read (${code})`, { file }), { cause: error });
  }
  if (sent !== bytes)
    throw new ProblemError(problem('ARCHIVE_INVALID', 'it became shorter while it was read', { file }));
  await connection.send(loadFrame({ end: true }));
}

function brokenOff(): ProblemError {
  const hint = 'did the reconciler or the agent end? `oakctl nodes ls`; then again: nothing of it is there by halves';
  return new ProblemError(
    problem('UNAVAILABLE', 'the connection broke off in the middle', { hint, disposition: 'retry' }),
  );
}
