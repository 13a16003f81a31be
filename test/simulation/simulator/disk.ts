/**
 * A disk as machines have it: what was written is in a cache until it is synced, a name is in a cache until its folder is synced, and
 * a power cut leaves any part of what was not. A process that dies leaves what it had written so far.
 */
import type { DurableFs } from '../../../schemas/io/durable-files.ts';
import type { VirtualClock } from '../../support/virtual-clock.ts';
import type { Dice } from './dice.ts';

/** Whoever writes: it can die at every call. */
export interface Life {
  isAlive(): boolean;
  /** One more call to a disk; false: the process died there. */
  step(): boolean;
}

export interface SimDisk {
  /** The calls of one process. None of them ever ends once it is dead. */
  fs(life: Life): DurableFs;
  /** What was not synced is lost, or torn. */
  powerCut(): void;
  /** Every write fails while set. */
  full: boolean;
  /** All that is in this folder, or everything. */
  wipe(folder?: string): void;
  /** The same content, all of it synced, on another disk. */
  copy(): SimDisk;
  /** How many files are there. */
  count(): number;
  /** Flips a bit of the present version of a file; its previous one stays whole. */
  rot(): string | undefined;
}

interface Inode {
  bytes: Buffer;
  /** What survives a power cut whole; undefined: nothing of it was ever synced. */
  synced: Buffer | undefined;
}
type Change = { readonly name: string; readonly inode: Inode | undefined };

export interface DiskDeps {
  readonly clock: VirtualClock;
  readonly dice: Dice;
  /** ms that a sync takes. */
  readonly latency: () => number;
  readonly synced?: (name: string) => void;
}

/** Never settles: what a dead process waits for. */
const never = <T>(): Promise<T> => new Promise<T>(() => undefined);

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}

export function createSimDisk(deps: DiskDeps, names = new Map<string, Inode>()): SimDisk {
  const { clock, dice } = deps;
  /** Names as they survive, and what happened to them since. */
  let durable = new Map(names);
  let journal: (readonly Change[])[] = [];

  const carryOut = (changes: readonly Change[], on: Map<string, Inode>): void => {
    for (const { name, inode } of changes) {
      if (inode) on.set(name, inode);
      else on.delete(name);
    }
  };
  /** All of them or none, also over a power cut. */
  const change = (...changes: readonly Change[]): void => {
    carryOut(changes, names);
    journal.push(changes);
  };
  const keep = (entries: readonly (readonly Change[])[]): void => {
    for (const changes of entries) carryOut(changes, durable);
  };
  /** What the cache had not brought to the disk yet: nothing, zeros, a beginning, or all of it. */
  const torn = ({ bytes, synced }: Inode): Buffer => {
    if (synced === bytes) return bytes;
    return dice.pick([
      () => synced ?? Buffer.alloc(0),
      () => Buffer.alloc(bytes.length),
      () => bytes.subarray(0, dice.below(bytes.length + 1)),
      () => bytes,
    ])();
  };
  const inodeOf = (name: string): Inode => {
    const inode = names.get(name);
    if (!inode) throw failure('ENOENT');
    return inode;
  };

  const createFs = (life: Life): DurableFs => {
    const call = async <T>(work: () => T, ms = 0, died?: () => void): Promise<T> => {
      if (!life.isAlive()) return never();
      if (!life.step()) {
        died?.();
        return never();
      }
      if (ms > 0) await new Promise<void>((resolve) => void clock.after(ms, resolve));
      // In a later turn, as every disk answers.
      else await Promise.resolve();
      return life.isAlive() ? work() : never();
    };
    const sync = (name: string, work: () => void): Promise<void> =>
      call(() => {
        work();
        deps.synced?.(name);
      }, deps.latency());
    const create = (name: string): Inode => {
      if (disk.full) throw failure('ENOSPC');
      if (names.has(name)) throw failure('EEXIST');
      const inode: Inode = { bytes: Buffer.alloc(0), synced: undefined };
      change({ name, inode });
      return inode;
    };
    const handleOf = (name: string, inode: Inode | undefined) => ({
      writeFile: (bytes: Buffer) => {
        const write = (length: number): void => {
          if (inode) inode.bytes = bytes.subarray(0, length);
        };
        return call(
          () => write(bytes.length),
          0,
          () => write(dice.below(bytes.length)),
        );
      },
      sync: () =>
        sync(name, () => {
          if (inode) inode.synced = inode.bytes;
          else keep(journal.splice(0));
        }),
      close: () => Promise.resolve(),
    });
    const fs = {
      mkdir: () => Promise.resolve(undefined),
      open: (name: string, flags: string) =>
        flags === 'r' ? Promise.resolve(handleOf(name, undefined)) : call(() => handleOf(name, create(name))),
      readFile: (name: string) => call(() => Buffer.from(inodeOf(name).bytes)),
      readdir: (folder: string) =>
        call(() =>
          [...names.keys()]
            .filter((name) => name.startsWith(`${folder}/`))
            .map((name) => name.slice(folder.length + 1)),
        ),
      rename: (from: string, to: string) =>
        call(() => {
          const inode = inodeOf(from);
          change({ name: from, inode: undefined }, { name: to, inode });
        }),
      unlink: (name: string) =>
        call(() => {
          inodeOf(name);
          change({ name, inode: undefined });
        }),
    };
    return fs as unknown as DurableFs;
  };

  const disk: SimDisk = {
    full: false,
    fs: createFs,
    powerCut() {
      // A journal keeps the order of names.
      keep(journal.slice(0, dice.below(journal.length + 1)));
      journal = [];
      names.clear();
      for (const [name, inode] of durable) {
        const bytes = torn(inode);
        names.set(name, { bytes, synced: bytes });
      }
      durable = new Map(names);
    },
    wipe(folder = '') {
      keep(journal.splice(0));
      for (const name of [...names.keys()]) if (name.startsWith(folder)) names.delete(name);
      for (const name of [...durable.keys()]) if (name.startsWith(folder)) durable.delete(name);
    },
    copy() {
      const bytesOf = ({ bytes }: Inode): Inode => ({ bytes, synced: bytes });
      return createSimDisk(deps, new Map([...names].map(([name, inode]) => [name, bytesOf(inode)])));
    },
    count: () => names.size,
    rot() {
      const files = [...names.keys()].filter((one) => !one.includes('~'));
      if (files.length === 0) return undefined;
      const name = dice.pick(files);
      const inode = names.get(name);
      if (!inode || inode.bytes.length === 0 || !names.has(`${name}~`)) return undefined;
      const bytes = Buffer.from(inode.bytes);
      const at = dice.below(bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      inode.bytes = bytes;
      inode.synced = bytes;
      return name;
    },
  };
  return disk;
}
