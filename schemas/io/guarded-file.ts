/** Files that count only if nobody but their owner could have written, or read, them: what is judged is what is read. */
import { constants, type Stats } from 'node:fs';
import { open } from 'node:fs/promises';

/** Why a file does not count, and what its owner can do. */
export interface FileFault {
  readonly why: string;
  readonly hint?: string;
}

/** What is in a file, what is wrong with it, or nothing where no file is. */
type GuardedBytes = { readonly bytes: Buffer } | FileFault | undefined;
/** The same of a text. */
export type Guarded = { readonly text: string } | FileFault | undefined;

type Judge = (info: Stats) => FileFault | undefined | Promise<FileFault | undefined>;

/**
 * Reads a file of at most `longest` bytes, if `judge` finds no fault with its owner and mode. No link is followed, unless asked for.
 * Rejects with what `judge` throws, never for what the file system refuses.
 */
export async function readGuarded(
  file: string,
  longest: number,
  judge: Judge,
  options: { readonly followLinks?: boolean } = {},
): Promise<Guarded> {
  const found = await readGuardedBytes(file, longest, judge, options);
  return found && 'bytes' in found ? { text: found.bytes.toString('utf8') } : found;
}

/** As {@link readGuarded}, of what may be no text. */
export async function readGuardedBytes(
  file: string,
  longest: number,
  judge: Judge,
  { followLinks = false } = {},
): Promise<GuardedBytes> {
  try {
    const links = followLinks ? 0 : constants.O_NOFOLLOW;
    const handle = await open(file, constants.O_RDONLY | links | constants.O_NONBLOCK);
    try {
      const info = await handle.stat();
      if (!info.isFile()) return { why: 'it is no file' };
      const fault = await judge(info);
      if (fault) return fault;
      if (info.size > longest) return { why: `it is ${info.size} bytes long, at most ${longest} are read` };
      return { bytes: await handle.readFile() };
    } finally {
      await handle.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    if (code === 'ELOOP') return { why: 'it is a link, and links are not followed' };
    if (code === undefined) throw error;
    return { why: `it cannot be read (${code})` };
  }
}

type Rights = Pick<Stats, 'uid' | 'mode'>;

/** What is wrong with a file that others than its owner can read or write, or whose owner is neither root nor this process' user. */
export function secretFault(file: string, { uid, mode }: Rights, forbidden = 0o077): FileFault | undefined {
  const fault = ownerFault(file, uid);
  if (fault || (mode & forbidden) === 0) return fault;
  return { why: `others than its owner may read or write it (mode ${shownMode(mode)})`, hint: `chmod 600 ${file}` };
}

/** As {@link secretFault} for a secret that something else put there: its group may read it, as those of container engines. */
export function mountedSecretFault(file: string, rights: Rights): FileFault | undefined {
  return secretFault(file, rights, 0o037);
}

/** What is wrong with a file that is trusted and no secret. */
export function trustedFault(file: string, { uid, mode }: Rights): FileFault | undefined {
  const fault = ownerFault(file, uid);
  if (fault || (mode & 0o022) === 0) return fault;
  return { why: `others than its owner may write it (mode ${shownMode(mode)})`, hint: `chmod 644 ${file}` };
}

function ownerFault(file: string, uid: number): FileFault | undefined {
  if (uid === 0 || uid === process.getuid?.()) return undefined;
  return { why: `it belongs to user ${uid}`, hint: `chown root ${file}` };
}

/** Permissions as `chmod` takes them: `0640`. */
export function shownMode(mode: number): string {
  return (mode & 0o777).toString(8).padStart(4, '0');
}
