/**
 * Asks registries what tags stand for, and always has an answer soon. Who was never heard is asked one question at a time, so that
 * a dead name server or registry costs one look-up and one wait, not hundreds. Nobody waits twice for one that was silent: from
 * then on it is asked on the side, until it answers.
 */
import { parseImage } from '../schemas/image-name.ts';
import type { Clock, Mono } from '../schemas/ports.ts';
import { isProblemError, type Problem, problem } from '../schemas/problem.ts';
import { within } from './time-limit.ts';

/** Asks now, mirrors included within `ms`: `sha256:…`. IMAGE_DENIED, IMAGE_NOT_FOUND, REGISTRY_UNREACHABLE. */
type ResolveTag = (image: string, ms: number, signal: AbortSignal) => Promise<string>;

type TagAnswer = { readonly content: string } | { readonly problem: Problem };

/** Never rejects: that a registry says nothing is an answer, too. */
export interface TagLine {
  /** A registry that says nothing is waited for at most {@link patience} ms, once, with all that is to be asked there. */
  ask(image: string): Promise<TagAnswer>;
  /** The same with more patience, at once, and whatever the registry did before: a person waits for it. */
  insist(image: string): Promise<TagAnswer>;
}

/** ms that a registry has for one answer. */
const patience = 2_000;
/** The same when somebody asked for it. */
const longPatience = 10_000;
/** ms between questions to a registry that was silent. */
const leftAlone = 30_000;
/** ms for which the failure of a registry stands for all that is asked there: it failed at once, so that asking again costs little. */
const soon = 2_000;
/** ms up to which a failure is one at once. */
const atOnce = 500;
/** Questions to a registry that answers, at once. */
const width = 8;

interface Registry {
  /** It said something, the last time that it was asked. */
  heard: boolean;
  /** It did not. `isSilent`: it took its time for that, and nobody waits for it again before it answered somebody. */
  away?: { readonly isSilent: boolean; readonly until: Mono };
  underWay: number;
  readonly waiting: (() => void)[];
}

export function createTagLine({ clock }: { readonly clock: Clock }, resolve: ResolveTag): TagLine {
  const registries = new Map<string, Registry>();
  const of = (image: string): Registry => {
    const name = parseImage(image).registry;
    const known = registries.get(name) ?? { heard: false, underWay: 0, waiting: [] };
    registries.set(name, known);
    return known;
  };
  const isDue = ({ away }: Registry): boolean => away !== undefined && clock.now().mono >= away.until;
  const isAway = (registry: Registry): boolean =>
    registry.away !== undefined && (registry.away.isSilent || !isDue(registry));
  const leave = (registry: Registry, isSilent: boolean): void => {
    registry.away = { isSilent, until: (clock.now().mono + (isSilent ? leftAlone : soon)) as Mono };
  };

  const askNow = async (image: string, registry: Registry, ms: number): Promise<TagAnswer> => {
    const since = clock.now().mono;
    const said = await within(clock, ms, async (signal) => {
      // Whoever does not heed the signal is not waited for either.
      const first = await Promise.race([answerOf(image, () => resolve(image, ms, signal)), endOf(signal)]);
      return signal.aborted ? undefined : first;
    });
    const answer = said ?? { problem: unreachable(image, `no answer within ${ms} ms`) };
    registry.heard = !isUnreachable(answer);
    if (registry.heard) delete registry.away;
    else leave(registry, clock.now().mono - since > atOnce);
    return answer;
  };

  const next = (registry: Registry): void => {
    const isOpen = (): boolean => isAway(registry) || registry.underWay < (registry.heard ? width : 1);
    while (registry.waiting.length > 0 && isOpen()) registry.waiting.shift()?.();
  };

  return {
    insist: (image) => askNow(image, of(image), longPatience),
    ask: (image) =>
      new Promise((said) => {
        const registry = of(image);
        registry.waiting.push(() => {
          if (isAway(registry)) {
            if (isDue(registry)) {
              leave(registry, true);
              void askNow(image, registry, longPatience);
            }
            return said({ problem: unreachable(image, 'it did not answer when it was asked last') });
          }
          registry.underWay += 1;
          void askNow(image, registry, patience).then((answer) => {
            registry.underWay -= 1;
            said(answer);
            next(registry);
          });
        });
        next(registry);
      }),
  };
}

/** What a registry says, also if it says no, or what nobody understands: nothing may wait for ever because of it. */
async function answerOf(image: string, resolve: () => Promise<string>): Promise<TagAnswer> {
  try {
    return { content: await resolve() };
  } catch (error) {
    if (isProblemError(error)) return { problem: error.problem };
    return { problem: unreachable(image, error instanceof Error ? error.message : String(error)) };
  }
}

function isUnreachable(answer: TagAnswer): boolean {
  return 'problem' in answer && answer.problem.code === 'REGISTRY_UNREACHABLE';
}

function endOf(signal: AbortSignal): Promise<undefined> {
  return new Promise((ended) => {
    signal.addEventListener('abort', () => ended(undefined), { once: true });
  });
}

function unreachable(image: string, why: string): Problem {
  const { registry } = parseImage(image);
  return problem('REGISTRY_UNREACHABLE', `registry ${registry}: ${why}`, { subject: registry, disposition: 'retry' });
}
