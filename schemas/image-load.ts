/**
 * What travels when an archive of images goes to a node (`oakctl images load`): frames as in a session inside a copy (exec.ts).
 * Down come the start, the archive on the channel of input, and the end of it; up comes what the engine has taken, and the outcome.
 * The sender is never more than a window ahead of the engine, so that nobody on the way holds more than that.
 */
import { type Static, Type } from 'typebox';
import { controlFrame, type Frame, parseFrameOf } from './exec.ts';
import type { Problem } from './problem.ts';

/** Bytes of the archive that may be on their way. */
export const loadWindow = 1024 * 1024;
/** Bytes of the archive in one frame. */
export const loadPiece = 64 * 1024;
/** Longest archive, in bytes. */
export const maxArchive = 64 * 1024 ** 3;

const closed = { additionalProperties: false };
const id = Type.String({ pattern: '^sha256:[0-9a-f]{64}$' });
// Shown on terminals, and told by nodes.
const names = Type.Array(Type.String({ pattern: '^[!-~]{1,300}$' }), { maxItems: 64 });

/** An image of an archive. */
export const ArchivedImage = Type.Object(
  {
    /** Under which engines know it: the digest of its configuration, or of its manifest. */
    ids: Type.Array(id, { minItems: 1, maxItems: 8 }),
    names,
    /** As its configuration says. */
    arch: Type.Optional(Type.String({ maxLength: 32 })),
  },
  closed,
);
export type ArchivedImage = Static<typeof ArchivedImage>;

/** Down, first of all. */
export const LoadStart = Type.Object(
  {
    images: Type.Array(ArchivedImage, { minItems: 1, maxItems: 256 }),
    /** Of the archive as it travels. */
    bytes: Type.Integer({ minimum: 1, maximum: maxArchive }),
  },
  closed,
);
export type LoadStart = Static<typeof LoadStart>;

/** Images as an engine has them now. `already`: it had them, under all of their names. */
export const Loaded = Type.Object(
  { already: Type.Boolean(), images: Type.Array(Type.Object({ id, names }, closed), { maxItems: 256 }) },
  closed,
);
export type Loaded = Static<typeof Loaded>;

export const LoadControl = Type.Union([
  Type.Object({ start: LoadStart }, closed),
  /** Down: this was all of the archive. */
  Type.Object({ end: Type.Literal(true) }, closed),
  /** Up: the node lacks something, the archive may come. */
  Type.Object({ ready: Type.Literal(true) }, closed),
  /** Up: so many bytes has the engine taken in all. */
  Type.Object({ taken: Type.Integer({ minimum: 0 }) }, closed),
  /** Up, last. */
  Type.Object({ loaded: Loaded }, closed),
  /** Up, last: why not. */
  Type.Object({ failed: Type.Unsafe<Problem>(Type.Object({ code: Type.String(), message: Type.String() })) }, closed),
]);
export type LoadControl = Static<typeof LoadControl>;

export function loadFrame(control: LoadControl): Uint8Array {
  return controlFrame<LoadControl>(control);
}

/** Reads a frame; what is none is a problem (BAD_REQUEST). */
export function parseLoadFrame(frame: Uint8Array): Frame<LoadControl> | Problem {
  return parseFrameOf<LoadControl>(LoadControl, frame);
}
