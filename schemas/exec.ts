/**
 * What travels in a session inside a copy (`oakctl exec`): binary frames, the first byte names the channel. Input and controls go
 * down, output and controls go up. The command is told here, over the connection that the agent opened to the API it trusts, and
 * never over MQTT.
 */
import { type Static, type TSchema, Type } from 'typebox';
import { parseMessage } from './parse.ts';
import { type Problem, problem } from './problem.ts';

/** First byte of a frame. */
export const execChannels = { stdin: 0, stdout: 1, stderr: 2, control: 3 } as const;
export type DataChannel = 'stdin' | 'stdout' | 'stderr';

const names = ['stdin', 'stdout', 'stderr', 'control'] as const;

/** Longest frame in bytes. */
export const maxFrame = 256 * 1024;

const side = Type.Integer({ minimum: 1, maximum: 10_000 });
export const TerminalSize = Type.Object({ columns: side, rows: side });
export type TerminalSize = Static<typeof TerminalSize>;

/** Down, first of all: what is to be run. */
export const ExecStart = Type.Object({
  command: Type.Array(Type.String({ maxLength: 32_768 }), { minItems: 1, maxItems: 1024 }),
  /** With a terminal: one stream of output, and Ctrl-C is a byte. */
  tty: Type.Boolean(),
  /** Input follows, until `end`. */
  stdin: Type.Boolean(),
  size: Type.Optional(TerminalSize),
});
export type ExecStart = Static<typeof ExecStart>;

const closed = { additionalProperties: false };
export const ExecControl = Type.Union([
  Type.Object({ start: ExecStart }, closed),
  Type.Object({ resize: TerminalSize }, closed),
  /** Down: no more input. */
  Type.Object({ end: Type.Literal(true) }, closed),
  /** Up, last: how the command ended. */
  Type.Object({ exit: Type.Integer() }, closed),
  /** Up, last: why there is no session (any more). */
  Type.Object({ failed: Type.Unsafe<Problem>(Type.Object({ code: Type.String(), message: Type.String() })) }, closed),
]);
export type ExecControl = Static<typeof ExecControl>;

/** `Control`: what a kind of session says beside its data. */
export type Frame<Control> =
  | { readonly kind: DataChannel; readonly data: Uint8Array }
  | { readonly kind: 'control'; readonly control: Control };
export type ExecFrame = Frame<ExecControl>;

/** Both directions of a session, in whole frames. */
export interface ExecConnection {
  /** Ends when the other side closes, or the connection breaks. To be read once. */
  readonly frames: AsyncIterable<Uint8Array>;
  /** Resolves when the frame is on its way: waits while the reader is slow. Rejects when nobody reads any more. */
  send(frame: Uint8Array): Promise<void>;
  /** What was sent arrives before the other side sees the end. */
  close(): void;
  /** Aborts when the connection is gone. */
  readonly gone: AbortSignal;
}

export function dataFrame(channel: DataChannel, data: Uint8Array): Uint8Array {
  const frame = new Uint8Array(data.length + 1);
  frame[0] = execChannels[channel];
  frame.set(data, 1);
  return frame;
}

export function controlFrame<Control extends object = ExecControl>(control: Control): Uint8Array {
  const text = new TextEncoder().encode(JSON.stringify(control));
  const frame = new Uint8Array(text.length + 1);
  frame[0] = execChannels.control;
  frame.set(text, 1);
  return frame;
}

/** Reads a frame; what is none is a problem (BAD_REQUEST). */
export function parseFrame(frame: Uint8Array): ExecFrame | Problem {
  return parseFrameOf<ExecControl>(ExecControl, frame);
}

/** As {@link parseFrame}, for a session of another kind: `schema` is that of its controls. */
export function parseFrameOf<Control>(schema: TSchema, frame: Uint8Array): Frame<Control> | Problem {
  const kind = names[frame[0] ?? 255];
  if (kind === undefined) return problem('BAD_REQUEST', 'a frame of no known channel');
  const data = frame.subarray(1);
  if (kind !== 'control') return { kind, data };
  const parsed = parseMessage<Control>(schema, new TextDecoder().decode(data));
  return parsed.ok ? { kind, control: parsed.value } : parsed.problem;
}
