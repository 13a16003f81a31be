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
}

/** Virtual time from 0; the wall clock starts at a fixed date. */
export function createVirtualClock(): VirtualClock {
  let mono = 0;
  let offset = Date.UTC(2026, 0, 1);
  let order = 0;
  const timers = new Map<number, { at: number; run: () => void }>();

  const now = (): Now => ({ mono: mono as Mono, wall: (mono + offset) as Wall });
  const settle = async (): Promise<void> => {
    // Promise chains of the code under test are short; macrotasks flush chains of any length that need no timer.
    for (let round = 0; round < 3; round += 1) await new Promise<void>((resolve) => setImmediate(resolve));
  };
  const nextDue = (limit: number): [number, { at: number; run: () => void }] | undefined => {
    let best: [number, { at: number; run: () => void }] | undefined;
    for (const entry of timers) {
      if (
        entry[1].at <= limit &&
        (!best || entry[1].at < best[1].at || (entry[1].at === best[1].at && entry[0] < best[0]))
      ) {
        best = entry;
      }
    }
    return best;
  };
  const advance = async (ms: number): Promise<void> => {
    const target = mono + ms;
    await settle();
    for (let due = nextDue(target); due; due = nextDue(target)) {
      timers.delete(due[0]);
      mono = Math.max(mono, due[1].at);
      due[1].run();
      if (!timersAt(mono)) await settle();
    }
    mono = target;
    await settle();
  };
  const timersAt = (at: number): boolean => [...timers.values()].some((timer) => timer.at <= at);

  return {
    now,
    settle,
    advance,
    after(ms, run) {
      order += 1;
      const id = order;
      timers.set(id, { at: mono + Math.max(0, ms), run });
      return () => void timers.delete(id);
    },
    async until(check, limit = 120_000, what = 'the condition') {
      const start = mono;
      await settle();
      while (!check()) {
        if (mono - start >= limit) throw new Error(`${what} did not hold within ${limit} virtual ms`);
        const due = nextDue(start + limit);
        await advance(due ? Math.max(1, Math.min(50, due[1].at - mono)) : 50);
      }
      return mono - start;
    },
    jumpWall(ms) {
      offset += ms;
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
