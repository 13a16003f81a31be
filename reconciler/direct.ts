/** Direct deployments: what CLI and API ask for. Recorded durably before anybody is told; the plan follows by itself. */
import type { DeployAnswer, DeployRequest, DocumentText } from '../schemas/api.ts';
import { checkNames, type DescriptorOptions, type ParsedService, parseDescriptor } from '../schemas/descriptor.ts';
import { canonicalJson } from '../schemas/digest.ts';
import { copyId, parseServiceName, type ServiceName } from '../schemas/names.ts';
import { type Problem, ProblemError, problem } from '../schemas/problem.ts';
import { directSource, type ServiceSpec } from '../schemas/spec.ts';
import type { Context } from './context.ts';
import type { DirectRecord } from './core/records.ts';
import { pathOfKey } from './core/snapshot.ts';
import { withEntry } from './records-keeper.ts';

export interface Direct {
  deploy(request: DeployRequest): Promise<DeployAnswer>;
  remove(
    names: { readonly services?: readonly string[]; readonly apps?: readonly string[] },
    actor: string,
  ): Promise<{ services: readonly string[] }>;
  /** Tells the world what records/ holds: at start. */
  load(): void;
  /** Git took the name over: the record goes, nothing is deleted. */
  release(name: ServiceName): void;
}

/** Slots after a change of replicas: new ones come from the counter, the highest go first. */
export function resize(
  old: Pick<DirectRecord, 'slots' | 'counter'> | undefined,
  replicas: number | 'every',
): Pick<DirectRecord, 'slots' | 'counter'> {
  let { slots, counter } = old ?? { slots: [], counter: 0 };
  if (replicas === 'every') return { slots: [], counter };
  const kept = [...slots].sort((a, b) => a - b).slice(0, replicas);
  while (kept.length < replicas) {
    kept.push(counter);
    counter += 1;
  }
  return { slots: kept, counter };
}

/** Services of descriptors, or everything that is wrong with them. Warnings do not fail. */
export function readDescriptors(
  documents: readonly DocumentText[],
  options: DescriptorOptions,
): {
  services: readonly ParsedService[];
  warnings: readonly Problem[];
} {
  const parsed = documents.map(({ file, text }) => parseDescriptor(text, file, options));
  const services = parsed.flatMap((one) => one.services);
  const problems = [...parsed.flatMap((one) => one.problems), ...checkNames(services)];
  const errors = problems.filter((p) => p.severity !== 'warning');
  if (errors.length > 0) throw new ProblemError(errors);
  if (services.length === 0) {
    throw new ProblemError(
      problem('DESCRIPTOR_INVALID', 'no document holds a service', { hint: 'oakctl init writes one to start from' }),
    );
  }
  return { services, warnings: problems };
}

export function createDirect(context: Context): Direct {
  const { deps, world, keeper, journal } = context;

  const gitOwner = (name: ServiceName): { source: string; file: string } | undefined => {
    for (const [source, record] of Object.entries(keeper.now.sources)) {
      for (const [file, entry] of Object.entries(record.files)) {
        if (entry.services.includes(name)) return { source, file: pathOfKey(file) };
      }
    }
    return undefined;
  };
  const refuseGit = (names: readonly ServiceName[], verb: string): void => {
    const problems = names.flatMap((name) => {
      const owner = gitOwner(name);
      if (!owner || keeper.now.direct[name]) return [];
      return [
        problem('OWNED_BY_GIT', `git owns it: source ${owner.source}, ${owner.file}`, {
          subject: name,
          hint: verb === 'deploy' ? 'change it there and push, or: oakctl deploy --commit' : 'remove it there and push',
        }),
      ];
    });
    if (problems.length > 0) throw new ProblemError(problems);
  };
  const want = (name: ServiceName, record: DirectRecord): void =>
    context.apply({
      kind: 'desired',
      service: name,
      desired: { spec: record.spec, source: { name: directSource }, slots: record.slots },
    });

  const namesOf = (names: {
    readonly services?: readonly string[];
    readonly apps?: readonly string[];
  }): ServiceName[] => {
    const all = Object.keys(keeper.now.direct);
    const inApp =
      (app: string) =>
      (name: string): boolean =>
        name.startsWith(`${app}.`) && app.split('.').length === 2;
    const known = [...new Set([...all, ...world.desired.keys(), ...world.copies.keys()])];
    return [...(names.services ?? []), ...(names.apps ?? [])].flatMap((given) => {
      const found = parseServiceName(given) ? known.filter((name) => name === given) : known.filter(inApp(given));
      if (found.length > 0) return found;
      throw new ProblemError(
        problem('NOT_FOUND', `nothing is deployed as ${given}`, { subject: given, hint: 'oakctl services ls' }),
      );
    });
  };

  return {
    async deploy(request) {
      const { services, warnings } = readDescriptors(request.documents, deps.settings);
      refuseGit(
        services.map((service) => service.spec.name),
        'deploy',
      );
      let { direct } = keeper.now;
      const answer = services.map(({ spec }) => {
        const old = direct[spec.name];
        const same = old !== undefined && sameSpec(old.spec, spec);
        const record: DirectRecord = {
          spec,
          ...resize(old, spec.replicas),
          at: deps.clock.now().wall,
          actor: request.actor ?? 'api',
        };
        if (!same) direct = withEntry(direct, spec.name, record);
        const change: 'same' | 'updated' | 'created' = same ? 'same' : old ? 'updated' : 'created';
        return { name: spec.name, digest: spec.digest, change };
      });
      keeper.change({ direct });
      await keeper.saved();
      for (const { name, change } of answer) {
        const record = keeper.now.direct[name];
        if (change === 'same' || !record) continue;
        want(name, record);
        journal.add('service_deployed', name, `${change} by ${record.actor}`);
      }
      return { services: answer, warnings };
    },

    async remove(names, actor) {
      const services = namesOf(names);
      refuseGit(services, 'delete');
      const { fence } = world;
      let { direct, tombstones, rollouts } = keeper.now;
      for (const name of services) {
        direct = withEntry(direct, name, undefined);
        rollouts = withEntry(rollouts, name, undefined);
        tombstones = withEntry(tombstones, name, { copy: copyId(fence), at: deps.clock.now().wall });
      }
      keeper.change({ direct, tombstones, rollouts });
      await keeper.saved();
      for (const name of services) {
        context.apply({ kind: 'tombstone', service: name, copy: copyId(fence) });
        context.apply({ kind: 'rollout', service: name, at: deps.clock.now().mono });
        context.apply({ kind: 'desired', service: name });
        journal.add('service_deleted', name, `deleted by ${actor}`);
      }
      return { services };
    },

    load() {
      for (const [name, { copy }] of Object.entries(keeper.now.tombstones)) {
        context.apply({ kind: 'tombstone', service: name, copy });
      }
      for (const [name, record] of Object.entries(keeper.now.direct)) want(name, record);
    },

    release(name) {
      keeper.change({ direct: withEntry(keeper.now.direct, name, undefined) });
    },
  };
}

function sameSpec(a: ServiceSpec, b: ServiceSpec): boolean {
  return canonicalJson(a) === canonicalJson(b);
}
