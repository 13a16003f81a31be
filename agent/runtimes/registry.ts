/**
 * The runtimes that there are, by name. A new one is a folder here, a line in the table, and the conformance suite
 * (test/support/runtime-conformance.ts). Each is loaded only when a node has it.
 */
import { join } from 'node:path';
import type { Grant } from '../../schemas/grants.ts';
import { isProblemError, type Problem, ProblemError, problem } from '../../schemas/problem.ts';
import type { RuntimeName } from '../../schemas/spec.ts';
import type { ImageSources } from './docker/image.ts';
import type { Runtime, RuntimeInfo } from './runtime.ts';
import type { Secrets } from './secrets.ts';

/** What the agent's configuration says about runtimes. */
export interface RuntimeSettings {
  /** Absent: no containers on this node. */
  readonly docker?: {
    readonly socket?: string;
    readonly network?: 'cluster' | 'engine';
    /** ms for which nothing may come in the middle of a pull. */
    readonly pullStall?: number;
  };
  /** Absent, or not allowed: no processes on this node. */
  readonly process?: { readonly allow: boolean };
}

export interface RuntimePlace {
  /** Fingerprint of the cluster. */
  readonly cluster: string;
  /** Id of the node. */
  readonly node: string;
  /** Address on which ports are published. */
  readonly ip: string;
  /** Folder for the runtimes' own files. */
  readonly folder: string;
  /** What the node's owner lets copies do on it; default nothing. */
  readonly grants?: readonly Grant[];
  /** Folders that no copy sees: the agent's own. */
  readonly own?: readonly string[];
  /** Default: no age identity, so that copies with secrets fail. */
  readonly secrets?: Secrets;
  /** Where images come from; default each registry itself, without a login. */
  readonly images?: ImageSources;
  readonly onConflict?: (conflict: Problem) => void;
}

type Factory = (settings: RuntimeSettings, place: RuntimePlace) => Promise<Runtime>;

const factories: Readonly<Record<RuntimeName, Factory>> = {
  async docker(settings, place) {
    const { createDockerRuntime } = await import('./docker/index.ts');
    const { pullStall, ...docker } = settings.docker ?? {};
    return createDockerRuntime({ ...place, ...docker, ...(pullStall !== undefined && { pullStall }) });
  },
  async process(settings, place) {
    if (settings.process?.allow !== true)
      throw new ProblemError(
        problem('PROCESS_NOT_ALLOWED', 'this node does not allow processes', {
          hint: 'set runtimes.process.allow to true in agent.yaml of the node',
        }),
      );
    const { createProcessRuntime } = await import('./process/index.ts');
    return createProcessRuntime({ ...place, folder: join(place.folder, 'processes') });
  },
};

/** Names of the runtimes that the settings allow, in the order of the table. */
export function allowedRuntimes(settings: RuntimeSettings): RuntimeName[] {
  return [...(settings.docker ? ['docker' as const] : []), ...(settings.process?.allow ? ['process' as const] : [])];
}

/** One runtime. PROCESS_NOT_ALLOWED when the node's settings do not allow it; whether it answers, a probe tells. */
export function createRuntime(name: RuntimeName, settings: RuntimeSettings, place: RuntimePlace): Promise<Runtime> {
  return factories[name](settings, place);
}

/** All runtimes that the settings allow. */
export function createRuntimes(settings: RuntimeSettings, place: RuntimePlace): Promise<Runtime[]> {
  return Promise.all(allowedRuntimes(settings).map((name) => createRuntime(name, settings, place)));
}

/** What a runtime answered when it was asked whether it is there. */
export type Probe =
  | { readonly ok: true; readonly info: RuntimeInfo }
  | { readonly ok: false; readonly name: RuntimeName; readonly problem: Problem };

/** Asks all at once. One that does not answer is no failure of the others. */
export function probeAll(runtimes: readonly Runtime[], signal: AbortSignal): Promise<Probe[]> {
  return Promise.all(
    runtimes.map(async (runtime): Promise<Probe> => {
      try {
        return { ok: true, info: await runtime.probe(signal) };
      } catch (error) {
        if (!isProblemError(error)) throw error;
        return { ok: false, name: runtime.name, problem: error.problem };
      }
    }),
  );
}
