/** One session inside a copy: what comes down goes to its command, what the command says goes up, its exit code is the last word. */
import {
  controlFrame,
  dataFrame,
  type ExecConnection,
  type ExecControl,
  type ExecFrame,
  type ExecStart,
  parseFrame,
} from '../schemas/exec.ts';
import { isProblemError, type Problem, ProblemError, problem } from '../schemas/problem.ts';
import type { ActualCopy } from './core/copy.ts';
import { canExec, type ExecSession, type Executor, type Runtime } from './runtimes/runtime.ts';

/** Longest piece of output in one frame, in bytes. */
const maxPiece = 64 * 1024;

/** Resolves when the session is over. What is wrong is told to the other side; only bugs reject. An abort cuts the session. */
export async function serveExec(
  connection: ExecConnection,
  copy: ActualCopy | undefined,
  runtime: Runtime | undefined,
  signal: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, connection.gone, over.signal]);
  try {
    const last = await run(connection, copy, runtime, either).catch((error: unknown): ExecControl => {
      if (either.aborted && !over.signal.aborted) return { exit: -1 };
      if (isProblemError(error)) return { failed: error.problem };
      throw error;
    });
    if (!connection.gone.aborted) await connection.send(controlFrame(last)).catch(() => {});
  } finally {
    over.abort();
    connection.close();
  }
}

async function run(
  connection: ExecConnection,
  copy: ActualCopy | undefined,
  runtime: Runtime | undefined,
  signal: AbortSignal,
): Promise<ExecControl> {
  const input = connection.frames[Symbol.asyncIterator]();
  const first = await input.next();
  if (first.done) return { exit: -1 };
  const start = startOf(parseFrame(first.value));
  const session = await executorOf(copy, runtime).exec(copy as ActualCopy, start, signal);
  // Its failure ends the session by the way of the connection, or is a frame that is not understood.
  const reading = takeInput(input, session);
  const failed = reading.then(
    () => new Promise<never>(() => {}),
    (error: unknown) => Promise.reject(error),
  );
  failed.catch(() => {});
  await Promise.race([sendOutput(connection, session), failed]);
  return { exit: await session.exit() };
}

function startOf(frame: ExecFrame | Problem): ExecStart {
  if (!('kind' in frame)) throw new ProblemError(frame);
  if (frame.kind === 'control' && 'start' in frame.control) return frame.control.start;
  throw new ProblemError(problem('BAD_REQUEST', 'a session begins with what is to be run'));
}

function executorOf(copy: ActualCopy | undefined, runtime: Runtime | undefined): Executor {
  if (!copy || !runtime) throw new ProblemError(problem('NOT_FOUND', 'there is no copy of the instance on this node'));
  if (canExec(runtime)) return runtime;
  const message = `copies of the runtime ${runtime.name} cannot be entered`;
  throw new ProblemError(
    problem('REFUSED', message, {
      subject: copy.instance,
      hint: runtime.name === 'process' ? 'a process runs on the node itself: look at it there' : 'use another runtime',
    }),
  );
}

async function sendOutput(connection: ExecConnection, session: ExecSession): Promise<void> {
  for await (const { stream, data } of session.output) {
    for (let from = 0; from < data.length; from += maxPiece)
      await connection.send(dataFrame(stream, data.subarray(from, from + maxPiece)));
  }
}

/** Until nothing comes any more. A command that has ended takes no input: what still comes is dropped. */
async function takeInput(input: AsyncIterator<Uint8Array>, session: ExecSession): Promise<void> {
  for (let next = await input.next(); !next.done; next = await input.next()) {
    const frame = parseFrame(next.value);
    if (!('kind' in frame)) throw new ProblemError(frame);
    if (frame.kind === 'stdin') await session.write(frame.data);
    else if (frame.kind === 'control' && 'resize' in frame.control) await session.resize(frame.control.resize);
    else if (frame.kind === 'control' && 'end' in frame.control) session.end();
  }
}
