/**
 * Asks registries what tags stand for, and always has an answer soon. Who was never heard is asked one question at a time, so that
 * a dead name server or registry costs one look-up and one wait, not hundreds; who did not answer in time is left alone for a while.
 */
import { parseImage } from '../schemas/image-name.ts';
import type { Clock, Mono } from '../schemas/ports.ts';
import { isProblemError, type Problem, problem } from '../schemas/problem.ts';
import { within } from './time-limit.ts';

/** Asks now: `sha256:…`. IMAGE_DENIED, IMAGE_NOT_FOUND, REGISTRY_UNREACHABLE. */
type ResolveTag = (image: string, signal: AbortSignal) => Promise<string>;

type TagAnswer = { readonly content: string } | { readonly problem: Problem };

/** Never rejects: that a registry says nothing is an answer, too. */
export interface TagLine {
  /** A registry that is silent is waited for at most {@link patience} ms, with all that is to be asked there. */
  ask(image: string): Promise<TagAnswer>;
  /** The same with more patience, at once, and whatever the registry did before: a person waits for it. */
  insist(image: string): Promise<TagAnswer>;
}

/** ms that a registry has for one answer. */
const patience = 2_000;
/** The same when somebody asked for it. */
const longPatience = 10_000;
/** ms for which a registry that was silent is not asked. */
const leftAlone = 30_000;
/** Questions to a registry that answers, at once. */
const width = 8;

interface Registry {
  /** It said something, the last time that it was asked. */
  heard: boolean;
  silentUntil?: Mono;
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
  const isSilent = ({ silentUntil }: Registry): boolean => silentUntil !== undefined && clock.now().mono < silentUntil;

  const askNow = async (image: string, registry: Registry, ms: number): Promise<TagAnswer> => {
    const answer = await within(clock, ms, async (signal) => {
      // Whoever does not heed the signal is not waited for either.
      const said = await Promise.race([answerOf(image, () => resolve(image, signal)), endOf(signal)]);
      return signal.aborted ? undefined : said;
    });
    registry.heard = answer !== undefined && !isUnreachable(answer);
    if (answer) {
      delete registry.silentUntil;
      return answer;
    }
    registry.silentUntil = (clock.now().mono + leftAlone) as Mono;
    return { problem: unreachable(image, `no answer within ${ms} ms`) };
  };

  const next = (registry: Registry): void => {
    const isOpen = (): boolean => isSilent(registry) || registry.underWay < (registry.heard ? width : 1);
    while (registry.waiting.length > 0 && isOpen()) registry.waiting.shift()?.();
  };

  return {
    insist: (image) => askNow(image, of(image), longPatience),
    ask: (image) =>
      new Promise((said) => {
        const registry = of(image);
        registry.waiting.push(() => {
          if (isSilent(registry)) return said({ problem: unreachable(image, 'it did not answer a moment ago') });
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
