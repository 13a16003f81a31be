/**
 * An exclusive lock on a folder for the life of a process. The kernel lets go of it however the process ends, so there is no
 * stale lock to judge: the holder listens on a socket that is named after the folder. Two names are used: an abstract socket
 * (Linux; atomic, but private to a network namespace) and a socket file in the folder (seen by containers that share it).
 * Whoever comes second asks the holder who it is.
 */
import { type FileHandle, mkdir, open, rm, stat } from 'node:fs/promises';
import { createConnection, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { ProblemError, problem } from '../problem.ts';

export interface FolderLock {
  /** Lets go. The end of the process does the same. */
  release(): Promise<void>;
}

interface Holder {
  readonly pid: number;
  /** ISO 8601. */
  readonly since: string;
  /** Of an agent: whether it is connected to its broker. */
  readonly connected?: boolean;
}

const socketName = '.lock';
const answerTimeout = 1_000;
/** What a socket address holds on all systems. */
const longestPath = 100;

/** Locks a folder (made when it is missing). `more` is what whoever asks is told, too. Throws FOLDER_LOCKED with pid and start of the holder, FILE_UNWRITABLE. */
export async function lockFolder(
  folder: string,
  more: () => Pick<Holder, 'connected'> = () => ({}),
): Promise<FolderLock> {
  const since = new Date().toISOString();
  const self = (): Holder => ({ pid: process.pid, since, ...more() });
  const held: { close(): Promise<void> }[] = [];
  const release = async (): Promise<void> => {
    for (const lock of held.splice(0).reverse()) await lock.close();
  };
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const { dev, ino } = await stat(folder);
    if (process.platform === 'linux') held.push(await hold(`\0oakctl-${dev}-${ino}`, self, folder));
    const file = await holdFile(folder, self);
    if (file) held.push(file);
  } catch (error) {
    await release();
    if (error instanceof ProblemError || !(error instanceof Error && 'code' in error)) throw error;
    throw new ProblemError(
      problem('FILE_UNWRITABLE', `the folder cannot be locked (${String(error.code)})`, { subject: folder }),
      { cause: error },
    );
  }
  return { release };
}

/** Listens on an address that the kernel gives to one process only. */
async function hold(address: string, self: () => Holder, folder: string): Promise<{ close(): Promise<void> }> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(JSON.stringify(self()));
  });
  // The lock must not keep a process alive that has nothing else to do.
  server.unref();
  try {
    await listen(server, address);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error;
    throw locked(folder, await askHolder(address));
  }
  return { close: () => new Promise((resolve) => server.close(() => resolve())) };
}

/** The socket file. A file whose process is gone refuses connections and is replaced. undefined where files cannot be sockets. */
async function holdFile(folder: string, self: () => Holder): Promise<{ close(): Promise<void> } | undefined> {
  const path = join(folder, socketName);
  const short = await shortPath(folder, path);
  try {
    const holder = await askHolder(short.path);
    if (holder !== 'nobody') throw locked(folder, holder);
    await rm(path, { force: true });
    const lock = await hold(short.path, self, folder);
    return { close: () => lock.close().finally(() => short.handle?.close()) };
  } catch (error) {
    await short.handle?.close();
    if (error instanceof ProblemError || process.platform !== 'linux') throw error;
    return undefined;
  }
}

/** Socket addresses are short; a long path is reached through the open folder. */
async function shortPath(folder: string, path: string): Promise<{ path: string; handle?: FileHandle }> {
  if (Buffer.byteLength(path) <= longestPath || process.platform !== 'linux') return { path };
  const handle = await open(folder, 'r');
  return { path: `/proc/self/fd/${handle.fd}/${socketName}`, handle };
}

function listen(server: Server, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(address, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Who holds a folder, as seen through the socket file in it: also across containers that share it. Locks nothing. */
export async function lockHolder(folder: string): Promise<Holder | 'nobody' | 'silent'> {
  const short = await shortPath(folder, join(folder, socketName)).catch(() => undefined);
  if (!short) return 'nobody';
  try {
    return await askHolder(short.path);
  } finally {
    await short.handle?.close();
  }
}

/** Who listens there; `nobody` when the address is free or its process is gone; `silent` when it does not say in time. */
function askHolder(address: string): Promise<Holder | 'nobody' | 'silent'> {
  return new Promise((resolve) => {
    let text = '';
    const socket = createConnection(address);
    const finish = (answer: Holder | 'nobody' | 'silent'): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(answerTimeout, () => finish('silent'));
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('end', () => finish(parseHolder(text)));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      finish(error.code === 'ECONNREFUSED' || error.code === 'ENOENT' ? 'nobody' : 'silent'),
    );
  });
}

function parseHolder(text: string): Holder | 'silent' {
  try {
    const { pid, since, connected } = JSON.parse(text) as Partial<Holder>;
    if (typeof pid !== 'number' || typeof since !== 'string') return 'silent';
    return { pid, since, ...(typeof connected === 'boolean' && { connected }) };
  } catch {
    return 'silent';
  }
}

function locked(folder: string, holder: Holder | 'nobody' | 'silent'): ProblemError {
  const who =
    typeof holder === 'string' ? 'a process that does not answer' : `process ${holder.pid} since ${holder.since}`;
  return new ProblemError(
    problem('FOLDER_LOCKED', `the folder is held by ${who}`, {
      subject: folder,
      hint: typeof holder === 'string' ? 'only one process may use a folder' : `stop it first: kill ${holder.pid}`,
    }),
  );
}
