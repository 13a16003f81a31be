/** Long work beside everything else: after some of it the event loop goes round, so that beats, requests and timers do not wait for its end. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../schemas/ports.ts';
import type { Steps } from './core/steps.ts';

export interface Turns {
  /**
   * Carries work out, one at a time and in the order in which it was asked for: each may hold a copy of the world. `make` is called,
   * and its first step follows, at once when nothing else is under way, and else when its turn has come. What either throws goes to the
   * caller.
   */
  run<T>(make: () => Steps<T> | Promise<Steps<T>>): Promise<T>;
}

/** ms of work after which others have their turn. A beat may wait as long without anybody noticing. */
const piece = 20;

/** `turn`: resolves when the event loop has gone round. */
export function createTurns(clock: Pick<Clock, 'now'>, turn: () => Promise<void> = nextTurn): Turns {
  let last: Promise<unknown> | undefined;
  return {
    run<T>(make: () => Steps<T> | Promise<Steps<T>>): Promise<T> {
      const begin = async (): Promise<T> => {
        const made = make();
        return inTurns(made instanceof Promise ? await made : made, clock, turn);
      };
      const work = last ? last.then(begin) : begin();
      const ended = work
        .catch(() => undefined)
        .then(() => {
          if (last === ended) last = undefined;
        });
      last = ended;
      return work;
    },
  };
}

/** The result of the steps, with a turn for all others after each piece. */
export async function inTurns<T>(
  steps: Steps<T>,
  clock: Pick<Clock, 'now'>,
  turn: () => Promise<void> = nextTurn,
): Promise<T> {
  for (let since = clock.now().mono; ; ) {
    const { done, value } = steps.next();
    if (done) return value;
    if (clock.now().mono - since < piece) continue;
    await turn();
    since = clock.now().mono;
  }
}
