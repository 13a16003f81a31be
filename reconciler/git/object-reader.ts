/**
 * One process of git that reads objects of a mirror, question after question: a push asks for a handful of them, and a process for each
 * question costs more than all else. What it does not give, for whichever reason, is for the caller to ask for in another way; only
 * whether an object is there it may deny, which costs a fetch of what is there at worst. It ends by itself when nobody asks, and with us.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

export interface ObjectReader {
  /** Answers as `cat-file --batch` (or `--batch-check`) gives them, if it has all of these objects. Throws the signal's reason. */
  ask(
    objects: readonly string[],
    what: 'info' | 'contents',
    signal: AbortSignal,
  ): Promise<readonly GitObject[] | undefined>;
  /** Is the object there? Undefined: it did not say. */
  has(object: string, signal: AbortSignal): Promise<boolean | undefined>;
  /** The mirror is replaced: what was opened of it is let go. */
  end(): void;
}

/** An object that is there. */
export interface GitObject {
  readonly id: string;
  readonly kind: string;
  readonly size: number;
  /** Empty where only the size was asked for. */
  readonly content: Buffer;
}

/** How its process is started. */
export interface ReaderProcess {
  /** Where it runs; of the repository alone. */
  readonly folder: string;
  readonly env: () => Readonly<Record<string, string>>;
}

/** ms without a question after which the process ends. */
const idle = 10_000;
/** ms that an answer may take. */
const patience = 30_000;
/** Objects of one question. */
const mostAsked = 512;
const nothing = Buffer.alloc(0);

interface Running {
  readonly child: ChildProcess;
  readonly stdin: Writable;
  readonly stdout: Readable;
}

export function createObjectReader({ folder, env }: ReaderProcess): ObjectReader {
  let running: Running | undefined;
  let resting: NodeJS.Timeout | undefined;
  let isBusy = false;
  /** This git is too old. */
  let isHopeless = false;

  const end = (): void => {
    clearTimeout(resting);
    const ended = running;
    running = undefined;
    ended?.child.kill('SIGKILL');
  };

  /** Undefined: we have no files left, so that it has no streams, and the reason comes as an event a moment later. */
  const start = (): Running | undefined => {
    const args = ['cat-file', '--batch-command', '--buffer'];
    const child: ChildProcess = spawn('git', args, { cwd: folder, env: env(), stdio: ['pipe', 'pipe', 'ignore'] });
    const gone = (): void => {
      if (running?.child === child) running = undefined;
    };
    child.once('error', gone);
    const { stdin, stdout } = child;
    if (!stdin || !stdout) return undefined;
    const made: Running = { child, stdin, stdout };
    child.once('exit', (code) => {
      isHopeless ||= code === usageError;
      gone();
    });
    made.stdin.on('error', gone);
    made.stdout.on('error', gone);
    return made;
  };

  const part = async (objects: readonly string[], what: 'info' | 'contents', signal: AbortSignal) => {
    running ??= start();
    if (!running) return undefined;
    const { stdin } = running;
    const answers = collect(running, objects.length, what === 'contents', signal);
    stdin.write(`${objects.map((object) => `${what} ${object}\n`).join('')}flush\n`);
    return answers;
  };

  /** What it says of them, of what is missing, too. */
  const answers: ObjectReader['ask'] = async (objects, what, signal) => {
    signal.throwIfAborted();
    if (isBusy || isHopeless || objects.some((object) => !/^[0-9a-f]{40,64}(\^\{tree\})?$/.test(object)))
      return undefined;
    isBusy = true;
    clearTimeout(resting);
    if (running) hold(running, true);
    try {
      const found: GitObject[] = [];
      for (let at = 0; at < objects.length; at += mostAsked) {
        const some = await part(objects.slice(at, at + mostAsked), what, signal);
        signal.throwIfAborted();
        if (some === undefined) {
          end();
          return undefined;
        }
        found.push(...some);
      }
      return found;
    } catch (error) {
      end();
      throw error;
    } finally {
      isBusy = false;
      if (running) {
        hold(running, false);
        resting = setTimeout(end, idle).unref();
      }
    }
  };

  return {
    async ask(objects, what, signal) {
      const found = await answers(objects, what, signal);
      return found?.every(({ kind }) => kind !== missing) ? found : undefined;
    },
    async has(object, signal) {
      const found = await answers([object], 'info', signal);
      return found?.every(({ kind }) => kind !== missing);
    },
    end,
  };
}

const usageError = 129;
const missing = 'missing';

/** While nobody waits for it, it keeps no process of ours alive. */
function hold({ child, stdin, stdout }: Running, isHeld: boolean): void {
  for (const one of [child, stdin, stdout] as Partial<Record<'ref' | 'unref', () => void>>[]) {
    if (isHeld) one.ref?.();
    else one.unref?.();
  }
}

/** So many answers; undefined when they do not come. */
function collect(
  { child, stdout }: Running,
  count: number,
  withContent: boolean,
  signal: AbortSignal,
): Promise<GitObject[] | undefined> {
  return new Promise((resolve) => {
    const found: GitObject[] = [];
    let chunks: Buffer[] = [];
    let have = 0;
    /** Bytes with which it is worth to look again. */
    let need = 1;
    const finish = (answer: GitObject[] | undefined): void => {
      clearTimeout(timer);
      stdout.off('data', take);
      stdout.pause();
      child.off('exit', fail);
      child.off('error', fail);
      signal.removeEventListener('abort', fail);
      resolve(answer);
    };
    const fail = (): void => finish(undefined);
    const take = (chunk: Buffer): void => {
      chunks.push(chunk);
      have += chunk.length;
      if (have < need) return;
      const bytes = chunks.length === 1 ? chunk : Buffer.concat(chunks);
      const read = readObjects(bytes, count - found.length, withContent);
      found.push(...read.objects);
      const rest = bytes.subarray(read.end);
      chunks = [rest];
      have = rest.length;
      need = read.need;
      if (found.length === count) finish(have === 0 ? found : undefined);
    };
    const timer = setTimeout(fail, patience);
    stdout.on('data', take);
    child.once('exit', fail);
    child.once('error', fail);
    signal.addEventListener('abort', fail, { once: true });
    stdout.resume();
  });
}

/** As many whole answers as there are. `need`: bytes after `end` without which there is no further one. */
export function readObjects(
  bytes: Buffer,
  most: number,
  withContent: boolean,
): { readonly objects: GitObject[]; readonly end: number; readonly need: number } {
  const objects: GitObject[] = [];
  let at = 0;
  while (objects.length < most) {
    const line = bytes.indexOf(0x0a, at);
    if (line < 0) return { objects, end: at, need: bytes.length - at + 1 };
    const [id = '', kind = missing, length] = bytes.toString('latin1', at, line).split(' ');
    const isThere = length !== undefined;
    const size = isThere ? Number(length) : 0;
    const after = line + 1 + (withContent && isThere ? size + 1 : 0);
    if (after > bytes.length) return { objects, end: at, need: after - at };
    const content = withContent && isThere ? bytes.subarray(line + 1, after - 1) : nothing;
    objects.push({ id, kind: isThere ? kind : missing, size, content });
    at = after;
  }
  return { objects, end: at, need: 1 };
}
