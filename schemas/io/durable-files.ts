/**
 * Files that survive a crash of the process and of the machine. A write goes to a unique temporary file, is fsynced, moves
 * the present version aside and takes its place; then the folder is fsynced. Each file starts with a line that holds length
 * and SHA-256 of what follows, so that a torn, zero-filled, truncated, empty or foreign file is seen for what it is.
 *
 *   <name>            the present version
 *   <name>~           the version before it; of the first version, the same once more
 *   <name>~<hex>      being written
 */
import { hash, randomUUID } from 'node:crypto';
import * as nodeFs from 'node:fs/promises';
import { join } from 'node:path';
import type { Files } from '../ports.ts';
import { ProblemError, problem } from '../problem.ts';

/** The calls that are made to the file system; tests cut them off at every step. */
export type DurableFs = Pick<typeof nodeFs, 'mkdir' | 'open' | 'readFile' | 'readdir' | 'rename' | 'unlink'>;

export interface DurableFilesOptions {
  /** Made when it is missing. One process at a time writes here. */
  readonly folder: string;
  readonly fs?: DurableFs;
  /** Told when a damaged version was found and the previous one is used instead. */
  readonly damaged?: (file: string, what: string) => void;
}

const namePattern = /^[a-z0-9][a-z0-9._-]{0,199}$/;
const magic = 'oakctl-file-1';
/** Of SHA-256 as hex. */
const hashLength = 64;

/** Files below one folder. Writes of one name are carried out in the order of the calls. */
export function createDurableFiles({ folder, fs = nodeFs, damaged }: DurableFilesOptions): Files {
  const queues = new Map<string, Promise<unknown>>();
  /** Names whose present version this process wrote or read whole: may become the previous one. */
  const whole = new Set<string>();
  const swept = new Set<string>();

  const inOrder = <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const turn = (queues.get(name) ?? Promise.resolve()).then(work, work);
    queues.set(name, turn);
    const leave = (): void => {
      if (queues.get(name) === turn) queues.delete(name);
    };
    turn.then(leave, leave);
    return turn;
  };
  const path = (name: string): string => join(folder, checkName(name));
  const temporaryOf = (name: string): string => `${path(name)}~${randomUUID().replaceAll('-', '')}`;
  const version = async (file: string): Promise<Version> => {
    const bytes = await fs.readFile(file).catch((error: unknown) => absent(error));
    return bytes === undefined ? { kind: 'none' } : decode(bytes);
  };

  /** Puts a version in its place, whatever was there. A failure leaves that as it was. */
  const put = async (target: string, temporary: string, content: string): Promise<void> => {
    try {
      await writeSynced(fs, temporary, encode(content));
      await fs.rename(temporary, target);
      await syncFolder(fs, folder);
    } catch (error) {
      await fs.unlink(temporary).catch(() => undefined);
      throw error;
    }
  };
  /** Two whole versions again, as far as the disk allows: what is never written again must survive the next damage, too. */
  const heal = async (name: string, content: string): Promise<void> => {
    const healed = put(path(name), temporaryOf(name), content);
    await healed.then(() => whole.add(name)).catch(() => undefined);
  };

  /** Names that an earlier process may have put there without living to sync the folder: a power cut would take them back. */
  const secured = new Set<string>();
  const secure = async (name: string): Promise<void> => {
    if (secured.has(name)) return;
    // Where nothing can be synced nothing was written either.
    await syncFolder(fs, folder).catch(() => undefined);
    secured.add(name);
  };

  const readName = async (name: string): Promise<string | undefined> => {
    const present = await version(path(name));
    if (present.kind === 'whole') {
      await secure(name);
      whole.add(name);
      return present.content;
    }
    const previous = await version(`${path(name)}~`);
    if (previous.kind === 'whole') {
      await secure(name);
      if (present.kind === 'bad') {
        damaged?.(path(name), present.what);
        await heal(name, previous.content);
      }
      return previous.content;
    }
    if (present.kind === 'none' && previous.kind === 'none') return undefined;
    const what = present.kind === 'bad' ? present.what : previous.kind === 'bad' ? previous.what : 'missing';
    throw new ProblemError(
      problem('FILE_DAMAGED', `the file is damaged (${what}) and no previous version is whole`, {
        subject: path(name),
        hint: 'restore it from a backup, or move it away to start without it',
      }),
    );
  };

  /** Removes what a crash in the middle of a write left behind. */
  const sweep = async (name: string): Promise<void> => {
    if (swept.has(name)) return;
    for (const entry of await fs.readdir(folder)) {
      if (entry.startsWith(`${name}~`) && entry !== `${name}~`) await fs.unlink(join(folder, entry));
    }
    swept.add(name);
  };

  const writeName = async (name: string, content: string): Promise<void> => {
    const target = path(name);
    const temporary = temporaryOf(name);
    try {
      // Each time: state may be removed while it is in use.
      await fs.mkdir(folder, { recursive: true, mode: 0o700 });
      await sweep(name);
      await writeSynced(fs, temporary, encode(content));
      // A damaged present version must not push out a previous one that is whole; and a first one has its like behind it.
      const isFirst = !whole.has(name) && (await readName(name).catch(() => '')) === undefined;
      if (isFirst) await put(`${target}~`, temporaryOf(name), content);
      if (whole.delete(name)) await fs.rename(target, `${target}~`).catch(absent);
      await fs.rename(temporary, target);
      await syncFolder(fs, folder);
      whole.add(name);
    } catch (error) {
      await fs.unlink(temporary).catch(() => undefined);
      throw unwritable(error, target);
    }
  };

  return {
    read: (name) => inOrder(checkName(name), () => readName(name)),
    write: (name, content) => inOrder(checkName(name), () => writeName(name, content)),
    remove: (name) =>
      inOrder(checkName(name), async () => {
        // The previous version goes first: a crash in between must not bring it back.
        whole.delete(name);
        try {
          await fs.unlink(`${path(name)}~`).catch(absent);
          await fs.unlink(path(name)).catch(absent);
          await syncFolder(fs, folder).catch(absent);
        } catch (error) {
          throw unwritable(error, path(name));
        }
      }),
    async list() {
      const entries = (await fs.readdir(folder).catch((error: unknown) => absent(error))) ?? [];
      const names = entries.map((entry) => (entry.endsWith('~') ? entry.slice(0, -1) : entry));
      return [...new Set(names)].filter((name) => namePattern.test(name)).sort();
    },
  };
}

type Version = { kind: 'none' } | { kind: 'bad'; what: string } | { kind: 'whole'; content: string };

function checkName(name: string): string {
  if (!namePattern.test(name)) throw new TypeError(`not a name of a durable file: ${JSON.stringify(name)}`);
  return name;
}

function encode(content: string): Buffer {
  const length = Buffer.byteLength(content);
  const start = `${magic} ${length} `;
  const at = start.length + hashLength + 1;
  const bytes = Buffer.allocUnsafe(at + length);
  bytes.write(content, at);
  bytes.write(`${start}${hash('sha256', bytes.subarray(at))}\n`, 0, 'latin1');
  return bytes;
}

function decode(bytes: Buffer): Version {
  if (bytes.length === 0) return { kind: 'bad', what: 'empty' };
  const header = new RegExp(`^${magic} ([0-9]{1,15}) ([0-9a-f]{64})\n`).exec(bytes.toString('latin1', 0, 128));
  if (!header) return { kind: 'bad', what: bytes.every((byte) => byte === 0) ? 'zero-filled' : 'no header' };
  const body = bytes.subarray(header[0].length);
  if (body.length !== Number(header[1])) return { kind: 'bad', what: `${body.length} of ${header[1]} bytes` };
  if (hash('sha256', body) !== header[2]) return { kind: 'bad', what: 'checksum' };
  return { kind: 'whole', content: body.toString('utf8') };
}

async function writeSynced(fs: DurableFs, file: string, bytes: Buffer): Promise<void> {
  const handle = await fs.open(file, 'wx', 0o600);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function syncFolder(fs: DurableFs, folder: string): Promise<void> {
  const handle = await fs.open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** What is not there is undefined; any other error goes on. */
function absent(error: unknown): undefined {
  if (errorCode(error) === 'ENOENT') return undefined;
  throw error;
}

function unwritable(error: unknown, file: string): unknown {
  const code = errorCode(error);
  if (code === undefined) return error;
  return new ProblemError(
    problem('FILE_UNWRITABLE', `the file cannot be written (${code})`, {
      subject: file,
      hint: code === 'ENOSPC' ? 'the disk is full: free some space' : 'look at the folder, its owner and its disk',
      disposition: 'retry',
    }),
    { cause: error },
  );
}
