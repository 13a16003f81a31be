/** A session inside an instance, on this terminal: keys go down, output comes up, the exit code is that of the command. */
import {
  controlFrame,
  dataFrame,
  type ExecConnection,
  type ExecStart,
  parseFrame,
  type TerminalSize,
} from '../../schemas/exec.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';

/** What a session needs of this side. */
export interface ExecTerminal {
  /** Absent: no input is sent. */
  readonly input?: AsyncIterable<Uint8Array>;
  /** Resolves when there is room for more. */
  write(stream: 'stdout' | 'stderr', data: Uint8Array): Promise<void>;
  /** Calls back when the window changed; answers how to stop. */
  onResize(changed: (size: TerminalSize) => void): () => void;
}

/** Resolves with the exit code of the command. The problem that the other side tells; UNAVAILABLE when the session breaks off. */
export async function runSession(
  connection: ExecConnection,
  start: ExecStart,
  terminal: ExecTerminal,
): Promise<number> {
  // A session that is refused ends before it is asked for anything: its last word says why.
  await connection.send(controlFrame({ start })).catch(() => {});
  const stop = terminal.onResize((resize) => void connection.send(controlFrame({ resize })).catch(() => {}));
  // Ends with the session: what cannot be sent any more is dropped.
  const sending = terminal.input ? sendInput(connection, terminal.input) : undefined;
  sending?.catch(() => {});
  try {
    return await receive(connection, terminal);
  } finally {
    stop();
    connection.close();
  }
}

async function receive(connection: ExecConnection, terminal: ExecTerminal): Promise<number> {
  for await (const raw of connection.frames) {
    const frame = parseFrame(raw);
    if (!('kind' in frame)) throw new ProblemError(frame);
    if (frame.kind === 'stdout' || frame.kind === 'stderr') await terminal.write(frame.kind, frame.data);
    if (frame.kind !== 'control') continue;
    if ('exit' in frame.control) return frame.control.exit;
    if ('failed' in frame.control) throw new ProblemError(frame.control.failed);
  }
  throw new ProblemError(problem('UNAVAILABLE', 'the session broke off', { hint: 'the command may run on' }));
}

async function sendInput(connection: ExecConnection, input: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const data of input) await connection.send(dataFrame('stdin', data));
  await connection.send(controlFrame({ end: true }));
}
