/** When a repository is looked at next: all its sources together, with jitter, and less often while it fails or refuses. */
import type { Clock, Random } from '../schemas/ports.ts';
import type { Source } from './context.ts';

/** How the last looks at a source went. */
export interface Pace {
  /** ms between two looks while all is well. */
  readonly poll: number;
  /** Looks in a row that failed. */
  readonly failures: number;
  /** The remote is there and refused: ms for which it wants to be left alone. */
  readonly refusal?: number | undefined;
  /** A look is under way. */
  readonly isBusy: boolean;
}

export interface Polls {
  /** After a look at a source. The last one of its repository that ends sets the time of the next. */
  schedule(source: Source): void;
  stop(): void;
}

const firstBackoff = 5_000;
const longestBackoff = 300_000;
/** For remotes that refuse: each further request makes it worse. */
const longestRest = 900_000;

export function createPolls(deps: {
  readonly sources: readonly Source[];
  readonly clock: Clock;
  readonly random: Random;
  readonly paceOf: (source: Source) => Pace;
  readonly look: (source: Source) => void;
}): Polls {
  const timers = new Map<string, () => void>();
  let isStopped = false;
  return {
    schedule(source) {
      const key = repositoryOf(source);
      const group = deps.sources.filter((one) => repositoryOf(one) === key);
      const paces = group.map(deps.paceOf);
      timers.get(key)?.();
      if (isStopped || paces.some(({ isBusy }) => isBusy)) return;
      // Whoever wants it first decides, unless the remote wants nobody.
      const isRefused = paces.some(({ refusal }) => refusal !== undefined);
      const wait = (isRefused ? Math.max : Math.min)(...paces.map(waitOf));
      const jitter = (isRefused ? 1 : 0.8) + 0.4 * deps.random.number();
      timers.set(
        key,
        deps.clock.after(wait * jitter, () => {
          for (const one of group) deps.look(one);
        }),
      );
    },
    stop() {
      isStopped = true;
      for (const cancel of timers.values()) cancel();
    },
  };
}

function repositoryOf({ repository, name }: Source): string {
  return repository ?? name;
}

function waitOf({ poll, failures, refusal }: Pace): number {
  if (failures === 0) return poll;
  const slowest = Math.max(poll, firstBackoff);
  if (refusal !== undefined) return Math.max(refusal, Math.min(longestRest, slowest * 2 ** (failures - 1)));
  return Math.min(longestBackoff, firstBackoff * 2 ** (failures - 1), slowest);
}
