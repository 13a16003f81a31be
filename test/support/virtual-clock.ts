import type { Clock, Mono, Now, Random, Wall } from '../../schemas/ports.ts';

/** A clock that moves only when told, and runs what is due in order of time, then of call. */
export interface VirtualClock extends Clock {
  /** Moves on by `ms`, running everything that falls due, and lets promises settle before each step. */
  advance(ms: number): Promise<void>;
  /** Advances in small steps until `check` holds; throws after `limit` virtual ms. Returns the ms that passed. */
  until(check: () => boolean, limit?: number, what?: string): Promise<number>;
  /** Moves the wall clock only (a clock jump). */
  jumpWall(ms: number): void;
  /** Lets pending promises settle without moving time. */
  settle(): Promise<void>;
  /** Timers that are set. */
  pending(): number;
}

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
  cancelled: boolean;
}

/**
 * Virtual time from 0; the wall clock starts at a fixed date. `rounds`: turns of the event loop in which promises settle. With none
 * of them they settle within the turn, which is enough, and faster, where nothing under test takes a turn of its own.
 */
export function createVirtualClock({ rounds = 3 }: { readonly rounds?: number } = {}): VirtualClock {
  let mono = 0;
  let offset = Date.UTC(2026, 0, 1);
  let order = 0;
  let live = 0;
  const timers = createHeap();

  const now = (): Now => ({ mono: mono as Mono, wall: (mono + offset) as Wall });
  const settle = async (): Promise<void> => {
    // Node comes to its tick queue when no promise is left that could go on.
    if (rounds === 0) await new Promise<void>((resolve) => process.nextTick(resolve));
    // Promise chains of the code under test are short; macrotasks flush chains of any length that need no timer.
    for (let round = 0; round < rounds; round += 1) await new Promise<void>((resolve) => setImmediate(resolve));
  };
  const nextDue = (limit: number): Timer | undefined => {
    for (let first = timers.first(); first; first = timers.first()) {
      if (!first.cancelled) return first.at <= limit ? first : undefined;
      timers.take();
    }
    return undefined;
  };
  const advance = async (ms: number): Promise<void> => {
    const target = mono + ms;
    await settle();
    for (let due = nextDue(target); due; due = nextDue(target)) {
      timers.take();
      live -= 1;
      due.cancelled = true;
      mono = Math.max(mono, due.at);
      due.run();
      if (!nextDue(mono)) await settle();
    }
    mono = target;
    await settle();
  };

  return {
    now,
    settle,
    advance,
    after(ms, run) {
      order += 1;
      const timer: Timer = { at: mono + Math.max(0, ms), order, run, cancelled: false };
      timers.add(timer);
      live += 1;
      return () => {
        if (!timer.cancelled) live -= 1;
        timer.cancelled = true;
      };
    },
    async until(check, limit = 120_000, what = 'the condition') {
      const start = mono;
      await settle();
      while (!check()) {
        if (mono - start >= limit) throw new Error(`${what} did not hold within ${limit} virtual ms`);
        const due = nextDue(start + limit);
        await advance(due ? Math.max(1, Math.min(50, due.at - mono)) : 50);
      }
      return mono - start;
    },
    jumpWall(ms) {
      offset += ms;
    },
    pending: () => live,
  };
}

/** Timers by time, then by the order in which they were set. */
function createHeap(): { first(): Timer | undefined; take(): void; add(timer: Timer): void } {
  const heap: Timer[] = [];
  const isBefore = (a: Timer, b: Timer): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);
  const swap = (a: number, b: number): void => {
    [heap[a], heap[b]] = [heap[b] as Timer, heap[a] as Timer];
  };
  const sink = (at: number): void => {
    for (let i = at; ; ) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2]) {
        if (child < heap.length && isBefore(heap[child] as Timer, heap[least] as Timer)) least = child;
      }
      if (least === i) return;
      swap(i, least);
      i = least;
    }
  };
  return {
    first: () => heap[0],
    take() {
      const last = heap.pop();
      if (!last || heap.length === 0) return;
      heap[0] = last;
      sink(0);
    },
    add(timer) {
      heap.push(timer);
      for (let i = heap.length - 1; i > 0; ) {
        const parent = (i - 1) >> 1;
        if (!isBefore(heap[i] as Timer, heap[parent] as Timer)) return;
        swap(i, parent);
        i = parent;
      }
    },
  };
}

/** A small seeded generator (mulberry32): the same seed gives the same run. */
export function createSeededRandom(seed: number): Random {
  let state = seed >>> 0;
  const number = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return { number, bytes: (length) => Uint8Array.from({ length }, () => Math.floor(number() * 256)) };
}
