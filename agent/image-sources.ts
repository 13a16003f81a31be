/**
 * Where this node has its images from: what its own registries.yaml says, else what the reconciler says for all nodes. The
 * reconciler is asked right before a pull, over the API that the node trusts; its answer, which may hold a login, stays in memory.
 */
import { type ImageRules, isPlaceAllowed } from '../schemas/image-rules.ts';
import type { Log } from '../schemas/io/log.ts';
import { readRegistries } from '../schemas/io/registries-file.ts';
import { isProblemError, type ProblemCode } from '../schemas/problem.ts';
import { type PullSource, sourcesOf } from '../schemas/registries.ts';
import type { ImageSources } from './runtimes/docker/image.ts';

/** ms that the reconciler has for its answer. */
const patience = 10_000;

/** Answers that say: there is nothing to tell, or somebody too old to tell it. */
const nothingToTell: ReadonlySet<ProblemCode> = new Set<ProblemCode>(['NOT_FOUND', 'REFUSED']);

export interface ImageSourcesDeps {
  /** The node's own registries.yaml. */
  readonly file: string;
  /** Asks the reconciler. Absent: this agent is its own authority. */
  readonly ask?: (registry: string, signal: AbortSignal) => Promise<readonly PullSource[]>;
  /** What the node's owner lets containers be made of. */
  readonly accepts?: ImageRules;
  readonly log: Log;
}

/** A reconciler that is away keeps nobody from pulling: what it said last counts, else the registry is asked without a login. */
export function createImageSources({ file, ask, accepts = {}, log }: ImageSourcesDeps): ImageSources {
  const told = new Map<string, readonly PullSource[]>();
  /** Whoever names a mirror does not decide for the owner of the node where bytes come from. */
  const allowed = (sources: readonly PullSource[]) => sources.filter(({ host }) => isPlaceAllowed(host, accepts));
  return {
    async of(registry, signal) {
      const { registries, problems } = await readRegistries(file);
      for (const problem of problems) log('warn', 'registries', { problem });
      const own = sourcesOf(registries, registry);
      if (own) return allowed(own);
      const [fault] = problems;
      if (!ask) return [{ host: registry, ...(fault && { note: `registries.yaml of the node: ${fault.message}` }) }];
      try {
        const sources = await ask(registry, AbortSignal.any([signal, AbortSignal.timeout(patience)]));
        told.set(registry, allowed(sources));
        return allowed(sources);
      } catch (error) {
        signal.throwIfAborted();
        const why = error instanceof Error ? error.message : String(error);
        if (!isProblemError(error)) log('warn', 'registries_unasked', { registry, why });
        else if (nothingToTell.has(error.problem.code)) return [{ host: registry }];
        else log('warn', 'registries_unasked', { registry, problem: error.problem });
        return (
          told.get(registry) ?? [{ host: registry, note: `the reconciler could not be asked for a login: ${why}` }]
        );
      }
    },
    failed: ({ host }, image, why) => log('warn', 'mirror_failed', { host, image, why }),
  };
}
