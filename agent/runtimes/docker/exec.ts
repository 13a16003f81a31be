/** Commands inside containers. */
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecStart } from '../../../schemas/exec.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import type { CopyKey, ExecSession } from '../runtime.ts';
import type { Containers } from './containers.ts';
import { type Engine, limits, messageOf, noContainer, statusOf } from './engine.ts';

const headerBytes = 8;
/** How often the engine is asked for the exit code of a command whose output has ended, and ms between. */
const exitTries = 50;
const exitPause = 100;

/** NOT_FOUND, REFUSED when the container does not run. The command of a cut session gets the end of its input, and no signal. */
export async function openSession(
  engine: Engine,
  containers: Pick<Containers, 'find'>,
  key: CopyKey,
  start: ExecStart,
  signal: AbortSignal,
): Promise<ExecSession> {
  const id = await containers.find(key, signal);
  if (!id) throw noContainer(key);
  const exec = await create(engine, id, key, start, signal);
  const stream = (await engine.stream(limits.read, signal, (docker) =>
    docker.getExec(exec).start({ hijack: true, stdin: start.stdin, Tty: start.tty }),
  )) as Duplex;
  stream.on('error', () => {});
  const cut = () => stream.destroy();
  signal.addEventListener('abort', cut, { once: true });
  stream.once('close', () => signal.removeEventListener('abort', cut));
  if (signal.aborted) cut();
  const resize: ExecSession['resize'] = async ({ columns, rows }) => {
    await engine
      .call(limits.read, signal, (docker) => docker.getExec(exec).resize({ w: columns, h: rows }))
      .catch(ended);
  };
  if (start.tty && start.size) await resize(start.size);
  return {
    output: start.tty ? plain(stream) : demultiplexed(stream),
    async write(data) {
      if (stream.writableEnded || stream.destroyed || stream.write(data)) return;
      await hasRoom(stream);
    },
    end: () => void stream.end(),
    resize,
    exit: () => exitCode(engine, exec, signal),
  };
}

async function create(
  engine: Engine,
  id: string,
  key: CopyKey,
  start: ExecStart,
  signal: AbortSignal,
): Promise<string> {
  const options = {
    Cmd: start.command,
    AttachStdin: start.stdin,
    AttachStdout: true,
    AttachStderr: true,
    Tty: start.tty,
  };
  try {
    return (await engine.call(limits.change, signal, (docker) => docker.getContainer(id).exec(options))).id;
  } catch (error) {
    const status = statusOf(error);
    if (status === 404) throw noContainer(key);
    if (status !== 409) throw error;
    const hint = '`oakctl instances ls` shows its status';
    throw new ProblemError(
      problem('REFUSED', `the container does not run: ${messageOf(error)}`, { subject: key.instance, hint }),
    );
  }
}

/** A command that has ended has no terminal any more. */
function ended(error: unknown): void {
  if (statusOf(error) === undefined) throw error;
}

/** Leaves nothing on the stream, which may have to be waited for as often as it is written to. */
function hasRoom(stream: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done).off('close', done);
      resolve();
    };
    stream.on('drain', done).on('close', done);
  });
}

interface Piece {
  readonly stream: 'stdout' | 'stderr';
  readonly data: Uint8Array;
}

async function* plain(stream: Duplex): AsyncGenerator<Piece, void, undefined> {
  for await (const data of tolerant(stream)) yield { stream: 'stdout', data };
}

/** A header of 8 bytes (stream, 0, 0, 0, length) before each piece. */
async function* demultiplexed(stream: Duplex): AsyncGenerator<Piece, void, undefined> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of tolerant(stream)) {
    rest = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    while (rest.length >= headerBytes) {
      const end = headerBytes + rest.readUInt32BE(4);
      if (rest.length < end) break;
      yield {
        stream: rest[0] === 2 ? 'stderr' : 'stdout',
        data: rest.subarray(headerBytes, end),
      };
      rest = rest.subarray(end);
    }
  }
}

/** A stream that is cut has ended: the exit code, or its absence, tells the rest. */
async function* tolerant(stream: Duplex): AsyncGenerator<Buffer, void, undefined> {
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch {
    // Told by the exit code.
  }
}

/** The engine forgets a command together with its container. */
function untold(error: unknown): never {
  if (statusOf(error) === undefined) throw error;
  throw new ProblemError(problem('UNAVAILABLE', `nobody knows how the command ended: ${messageOf(error)}`));
}

async function exitCode(engine: Engine, exec: string, signal: AbortSignal): Promise<number> {
  for (let tries = 0; tries < exitTries; tries += 1) {
    const { Running, ExitCode } = await engine
      .call(limits.read, signal, (docker) => docker.getExec(exec).inspect())
      .catch(untold);
    if (!Running && ExitCode !== null) return ExitCode;
    await sleep(exitPause, undefined, { signal });
  }
  throw new ProblemError(problem('UNAVAILABLE', 'the output ended, but the command runs on'));
}
