/** Direct deployments: what CLI and API ask for. Recorded durably before anybody is told; the plan follows by itself. */
import type { DeployAnswer } from '../schemas/api.ts';
import { canonicalJson } from '../schemas/digest.ts';
import { compareCopyIds, copyId, parseServiceName, type ServiceName } from '../schemas/names.ts';
import { ProblemError, problem } from '../schemas/problem.ts';
import { directSource, type ServiceSpec } from '../schemas/spec.ts';
import type { Context } from './context.ts';
import type { Seats } from './core/deviations.ts';
import type { World } from './core/model.ts';
import { counted, type DirectRecord, type Records } from './core/records.ts';
import { begun } from './core/rollout.ts';
import { isSameSealed, withFormer } from './core/sealed.ts';
import { seatsFor } from './core/seats.ts';
import { pathOfKey } from './core/snapshot.ts';
import { createDirectAttempts, type DirectAttempts } from './direct-attempts.ts';
import type { ReadDescriptors } from './read-descriptors.ts';
import { savedOr, withEntry } from './records-keeper.ts';

export interface Direct {
  /** `seats`: places for the slots of what is deployed. One request at a time for each service, here and below: requests.ts. */
  deploy(read: ReadDescriptors, actor?: string, seats?: Seats): Promise<DeployAnswer>;
  /** Changes slots and places of one direct deployment, durably. OWNED_BY_GIT, NOT_FOUND. */
  revise(name: ServiceName, change: (old: DirectRecord) => DirectRecord): Promise<void>;
  /** The services that are meant, of what is deployed or left of a deployment. NOT_FOUND. */
  find(names: Names): readonly ServiceName[];
  /** OWNED_BY_GIT. Durable, and all that it had is covered, when it resolves. */
  remove(services: readonly ServiceName[], actor: string): Promise<{ services: readonly string[] }>;
  /** Tells the world what records/ holds: at start. */
  load(): void;
  /** Git took the name over: the record goes, nothing is deleted. */
  release(name: ServiceName): void;
  readonly reseat: DirectAttempts['reseat'];
  readonly names: DirectAttempts['names'];
}

/** Full service names, and applications as `app.appns`. */
export interface Names {
  readonly services?: readonly string[];
  readonly apps?: readonly string[];
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

/** `onRemoved`: these are deleted, by whatever way; what else was asked for of them is moot, and their names are free. */
export function createDirect(context: Context, onRemoved: (services: readonly ServiceName[]) => void): Direct {
  const { deps, world, keeper, journal } = context;
  const attempts = createDirectAttempts(context);

  /** A source that cluster.yaml does not name any more owns nothing. */
  const gitOwner = (name: ServiceName): { source: string; file: string } | undefined => {
    for (const { name: source } of deps.sources) {
      for (const [file, entry] of Object.entries(keeper.now.sources[source]?.files ?? {})) {
        if (entry.services.includes(name)) return { source, file: pathOfKey(file) };
      }
    }
    return undefined;
  };
  const refuseGit = (names: readonly ServiceName[], verb: keyof typeof gitHints): void => {
    const problems = names.flatMap((name) => {
      const owner = gitOwner(name);
      if (!owner || keeper.now.direct[name]) return [];
      return [
        problem('OWNED_BY_GIT', `git owns it: source ${owner.source}, ${owner.file}`, {
          subject: name,
          hint: gitHints[verb],
        }),
      ];
    });
    if (problems.length > 0) throw new ProblemError(problems);
  };
  const want = (name: ServiceName, record: DirectRecord): void =>
    context.apply({
      kind: 'desired',
      service: name,
      desired: {
        spec: record.spec,
        source: { name: directSource },
        slots: record.slots,
        ...(record.sealed && { sealed: record.sealed }),
        ...(record.seats ? { seats: record.seats } : {}),
      },
    });

  const find = (names: Names): ServiceName[] => {
    const all = Object.keys(keeper.now.direct);
    const inApp =
      (app: string) =>
      (name: string): boolean =>
        name.startsWith(`${app}.`) && app.split('.').length === 2;
    const known = [...new Set([...all, ...world.desired.keys(), ...world.copies.keys()])];
    const given = [...(names.services ?? []), ...(names.apps ?? [])].flatMap((given) => {
      const found = parseServiceName(given) ? known.filter((name) => name === given) : known.filter(inApp(given));
      if (found.length > 0) return found;
      throw new ProblemError(
        problem('NOT_FOUND', `nothing is deployed as ${given}`, { subject: given, hint: 'oakctl services ls' }),
      );
    });
    return [...new Set(given)];
  };

  /** Records of the end of these services. Copies that the planner began meanwhile are covered as well. */
  const bury = (names: readonly ServiceName[]): Records['tombstones'] => {
    const tombstone = { copy: copyId(world.fence), at: deps.clock.now().wall };
    return Object.fromEntries(names.map((name) => [name, tombstone]));
  };
  const isCovered = (name: ServiceName): boolean => {
    const tombstone = keeper.now.tombstones[name];
    const copies = [...(world.copies.get(name)?.values() ?? [])].filter(({ job }) => job !== undefined);
    return tombstone !== undefined && copies.every(({ copy }) => compareCopyIds(copy, tombstone.copy) <= 0);
  };

  return {
    async deploy({ services, warnings }, actor = 'api', seats) {
      refuseGit(
        services.map((service) => service.spec.name),
        'deploy',
      );
      const now = deps.clock.now();
      const { direct: before, rollouts: rolledOut } = keeper.now;
      let direct = before;
      // In the same write as what is wanted: the planner would have to wait for another one.
      let rollouts = rolledOut;
      const answer = services.map(({ spec, sealed: found }) => {
        const old = before[spec.name];
        const same = old !== undefined && sameSpec(old.spec, spec) && isSameSealed(old.sealed, found);
        const sealed = withFormer(found, old?.sealed, rolledOut[spec.name]?.good?.run);
        const slots = resize(old ?? orphanSlots(world, spec.name), spec.replicas);
        const record: DirectRecord = {
          spec,
          ...slots,
          ...(sealed.length > 0 && { sealed }),
          ...seatsFor({ ...old?.seats, ...seats }, slots.slots),
          at: now.wall,
          actor,
        };
        if (!same) direct = withEntry(direct, spec.name, record);
        const known = rollouts[spec.name];
        if (!same && !spec.schedule && known?.digest !== spec.digest) {
          rollouts = withEntry(rollouts, spec.name, begun(known, spec.digest, now));
        }
        const change: 'same' | 'updated' | 'created' = same ? 'same' : old ? 'updated' : 'created';
        return { name: spec.name, digest: spec.digest, change };
      });
      keeper.change({ direct, rollouts, tally: counted(keeper.now.tally, 'requests') });
      const made = answer.flatMap(({ name, change }) => {
        if (change === 'same') return [];
        const known = { rollout: rollouts[name], formerRollout: rolledOut[name] };
        return attempts.begin({ name, record: direct[name], former: before[name], ...known });
      });
      await savedOr(keeper, () => {
        keeper.change({ tally: counted(keeper.now.tally, 'requests', -1) });
        for (const attempt of made) attempts.refuse(attempt);
      });
      for (const attempt of made) {
        const isInForce = attempts.end(attempt);
        const { name, record, former } = attempt;
        if (!record || !isInForce) continue;
        const rollout = keeper.now.rollouts[name];
        if (rollout && rollout === attempt.rollout && rollout !== attempt.formerRollout) {
          context.apply({ kind: 'rollout', service: name, rollout, at: deps.clock.now().mono });
        }
        want(name, record);
        journal.add('service_deployed', name, `${former ? 'updated' : 'created'} by ${record.actor}`);
      }
      return { services: answer, warnings };
    },

    async revise(name, change) {
      refuseGit([name], 'place');
      const old = keeper.now.direct[name];
      if (!old) {
        const hint = 'oakctl services ls';
        throw new ProblemError(problem('NOT_FOUND', 'it is not deployed directly', { subject: name, hint }));
      }
      const record = change(old);
      const rollout = keeper.now.rollouts[name];
      const attempt = attempts.begin({ name, record, former: old, rollout, formerRollout: rollout });
      keeper.change({ direct: withEntry(keeper.now.direct, name, record) });
      await savedOr(keeper, () => attempts.refuse(attempt));
      if (attempts.end(attempt)) want(name, attempt.record ?? record);
    },

    find,

    async remove(services, actor) {
      refuseGit(services, 'delete');
      const before = keeper.now;
      const pick = <T>(map: Readonly<Record<string, T>>): Record<string, T> =>
        Object.fromEntries(Object.entries(map).filter(([name]) => services.includes(name)));
      keeper.change(recordsWithout(before, services));
      const going = Object.entries(pick(before.direct)).map(([name, former]) => {
        const formerRollout = before.rollouts[name];
        return attempts.begin({ name, record: undefined, former, rollout: undefined, formerRollout });
      });
      do {
        keeper.change({ tombstones: { ...keeper.now.tombstones, ...bury(services) } });
        await savedOr(keeper, () => {
          for (const attempt of going) attempts.refuse(attempt);
          const { rollouts, schedules, retired, tombstones } = keeper.now;
          keeper.change({
            rollouts: { ...without(pick(before.rollouts), Object.keys(before.direct)), ...rollouts },
            schedules: { ...pick(before.schedules), ...schedules },
            retired: { ...pick(before.retired), ...retired },
            tombstones: { ...without(tombstones, services), ...pick(before.tombstones) },
          });
        });
      } while (!services.every(isCovered));
      for (const attempt of going) attempts.end(attempt);
      for (const name of services) {
        const tombstone = keeper.now.tombstones[name];
        if (tombstone) context.apply({ kind: 'tombstone', service: name, copy: tombstone.copy });
        journal.add('service_deleted', name, `deleted by ${actor}`);
        // Git took the name over while this was being written.
        if (gitOwner(name) && world.desired.get(name)?.source.name !== directSource) continue;
        // It was planned once more meanwhile.
        const { rollouts, schedules } = keeper.now;
        if (rollouts[name] || schedules[name]) {
          keeper.change({ rollouts: without(rollouts, [name]), schedules: without(schedules, [name]) });
        }
        context.apply({ kind: 'rollout', service: name, at: deps.clock.now().mono });
        context.apply({ kind: 'schedule', service: name });
        context.apply({ kind: 'desired', service: name });
      }
      onRemoved(services);
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

    reseat: attempts.reseat,
    names: attempts.names,
  };
}

/**
 * Slots of jobs that run without a record of them (it was lost): deploying the same descriptor adopts them as they are. What was
 * deleted is not among them.
 */
export function orphanSlots(
  world: Pick<World, 'copies' | 'tombstones' | 'desired'>,
  service: ServiceName,
): Pick<DirectRecord, 'slots' | 'counter'> | undefined {
  if (world.desired.has(service)) return undefined;
  const tombstone = world.tombstones.get(service);
  const slots = [...(world.copies.get(service)?.values() ?? [])]
    .filter(({ job, copy }) => job && (tombstone === undefined || compareCopyIds(copy, tombstone) > 0))
    .map(({ slot }) => slot);
  return slots.length > 0 ? { slots: [...new Set(slots)], counter: Math.max(...slots) + 1 } : undefined;
}

/** What to do instead, with what git owns. */
const gitHints = {
  deploy: 'change it there and push, or: oakctl deploy --commit',
  delete: 'remove it there and push',
  place: 'what git owns has no overrides yet: write a `direct` constraint or other replicas there, and push',
} as const;

function recordsWithout(
  { direct, rollouts, schedules, retired }: Records,
  names: readonly string[],
): Pick<Records, 'direct' | 'rollouts' | 'schedules' | 'retired'> {
  return {
    direct: without(direct, names),
    rollouts: without(rollouts, names),
    schedules: without(schedules, names),
    retired: without(retired, names),
  };
}

function without<T>(map: Readonly<Record<string, T>>, names: readonly string[]): Record<string, T> {
  return Object.fromEntries(Object.entries(map).filter(([name]) => !names.includes(name)));
}

function sameSpec(a: ServiceSpec, b: ServiceSpec): boolean {
  return canonicalJson(a) === canonicalJson(b);
}
