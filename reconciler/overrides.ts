/**
 * Overrides and restarts in the records: added durably, ended when their time is up, when the document that they deviate from
 * changes, or by hand. The world is told of each change, so that the plan follows by itself.
 */
import { createHash } from 'node:crypto';
import { canonicalJson } from '../schemas/digest.ts';
import { compareCopyIds, type ServiceName } from '../schemas/names.ts';
import type { Wall } from '../schemas/ports.ts';
import { ProblemError, problem } from '../schemas/problem.ts';
import { directSource } from '../schemas/spec.ts';
import type { OverrideView } from '../schemas/views.ts';
import type { Context } from './context.ts';
import type { VerbOptions } from './control-plane.ts';
import type { Override, OverrideChange, OverrideOf, Renewals } from './core/deviations.ts';
import { doneOf } from './core/done.ts';
import type { Desired } from './core/model.ts';
import { overrideView, overrideViews } from './core/override-views.ts';
import { savedOr, withEntry } from './records-keeper.ts';

/** How long an override of what git owns lasts if nobody says, ms. */
const defaultFor = 3_600_000;

export interface Overrides {
  /** Tells the world what records/ holds: at start. */
  load(): void;
  list(): readonly OverrideView[];
  /** Those of one kind, the oldest first. */
  ofKind<K extends OverrideChange['kind']>(service: ServiceName, kind: K): readonly OverrideOf<K>[];
  /** Adds one, in the place of those in `instead`. Durable when it resolves. */
  add(
    service: ServiceName,
    change: OverrideChange,
    how: VerbOptions,
    instead: readonly Override[],
  ): Promise<OverrideView>;
  /** Ends them. On disk with what the planner decides next. */
  drop(overrides: readonly Override[], why: string): void;
  /** Changes one, as `drop`. */
  amend(override: Override): void;
  /** Ends them, durably. */
  end(overrides: readonly Override[], why: string): Promise<void>;
  /** NOT_FOUND. */
  remove(id: string, actor: string): Promise<{ removed: string }>;
  /** Replaces what is to be restarted. Durable when it resolves. */
  renew(service: ServiceName, renewals: Renewals): Promise<void>;
  /** Gives up the restart of one slot, or of all. On disk with what the planner decides next. */
  forgetRenewals(service: ServiceName, slot?: number): void;
  /** Ends what a changed document ends, and restarts that are done. Called before each plan. */
  look(service: ServiceName): void;
  /** Ends what is over. Called every now and then. */
  tick(): void;
  /** The services are deleted. */
  forget(services: readonly ServiceName[]): void;
}

export function createOverrides(context: Context): Overrides {
  const { deps, world, keeper, journal } = context;
  const all = (): readonly Override[] => Object.values(keeper.now.overrides).sort((a, b) => a.since - b.since);
  const of = (service: ServiceName): readonly Override[] => all().filter((one) => one.service === service);

  const tell = (service: ServiceName): void => {
    const overrides = of(service);
    const renew = keeper.now.renewals[service] ?? {};
    const isNone = overrides.length === 0 && Object.keys(renew).length === 0;
    context.apply({ kind: 'deviation', service, ...(isNone ? {} : { deviation: { overrides, renew } }) });
  };
  const drop = (ended: readonly Override[], why: string): void => {
    const ids = new Set(ended.map(({ id }) => id));
    keeper.change({
      overrides: Object.fromEntries(Object.entries(keeper.now.overrides).filter(([id]) => !ids.has(id))),
    });
    for (const override of ended) {
      const { change, subject } = overrideView(world, override);
      journal.add('override_ended', subject, `${change}: ${why}`);
    }
    for (const service of new Set(ended.map((one) => one.service))) tell(service);
  };
  const amend = (override: Override): void => {
    keeper.change({ overrides: { ...keeper.now.overrides, [override.id]: override } });
    tell(override.service);
  };
  const setRenewals = (service: ServiceName, renewals: Renewals): void => {
    const entry = Object.keys(renewals).length > 0 ? renewals : undefined;
    keeper.change({ renewals: withEntry(keeper.now.renewals, service, entry) });
    tell(service);
  };
  const newId = (): string => {
    const id = Buffer.from(deps.random.bytes(4)).toString('hex');
    return keeper.now.overrides[id] ? newId() : id;
  };
  const untilOf = (
    desired: Desired,
    { kind }: OverrideChange,
    how: VerbOptions,
    now: Wall,
  ): { readonly until?: Wall } => {
    // What is removed at the source has nothing there to go back to.
    const isLasting = desired.source.name === directSource || kind === 'undelete';
    const ms = how.for ?? (isLasting ? undefined : defaultFor);
    return ms === undefined ? {} : { until: (now + ms) as Wall };
  };

  return {
    ofKind: <K extends OverrideChange['kind']>(service: ServiceName, kind: K) =>
      of(service).filter((one): one is OverrideOf<K> => one.change.kind === kind),
    drop,
    amend,
    load() {
      for (const service of new Set([...all().map((one) => one.service), ...Object.keys(keeper.now.renewals)]))
        tell(service);
    },
    list: () => [...world.deviations.keys()].sort().flatMap((service) => overrideViews(world, service)),

    async add(service, change, how, instead) {
      const desired = world.desired.get(service);
      if (!desired) throw new ProblemError(problem('NOT_FOUND', 'nothing asks for it', { subject: service }));
      const now = deps.clock.now().wall;
      const override: Override = {
        id: newId(),
        service,
        change,
        actor: how.actor,
        ...(how.reason === undefined ? {} : { reason: how.reason }),
        since: now,
        ...untilOf(desired, change, how, now),
        base: baseOf(desired),
        ...(desired.source.commit === undefined ? {} : { commit: desired.source.commit }),
      };
      const gone = new Set(instead.map(({ id }) => id));
      const kept = Object.fromEntries(Object.entries(keeper.now.overrides).filter(([id]) => !gone.has(id)));
      keeper.change({ overrides: { ...kept, [override.id]: override } });
      await savedOr(keeper, () => {
        const { [override.id]: _unsaid, ...rest } = keeper.now.overrides;
        keeper.change({ overrides: { ...rest, ...Object.fromEntries(instead.map((one) => [one.id, one])) } });
        // Whatever else changed meanwhile told of this one, too.
        tell(service);
      });
      tell(service);
      const view = overrideView(world, override);
      journal.add(
        'override_added',
        view.subject,
        `${view.change}, by ${how.actor}${how.reason ? `: ${how.reason}` : ''}`,
      );
      return view;
    },

    async end(overrides, why) {
      if (overrides.length === 0) return;
      drop(overrides, why);
      await savedOr(keeper, () => {
        keeper.change({
          overrides: { ...keeper.now.overrides, ...Object.fromEntries(overrides.map((one) => [one.id, one])) },
        });
        for (const { service } of overrides) tell(service);
      });
    },

    async remove(id, actor) {
      const override = Object.hasOwn(keeper.now.overrides, id) ? keeper.now.overrides[id] : undefined;
      if (!override) {
        const hint = 'oakctl overrides ls';
        throw new ProblemError(problem('NOT_FOUND', `no override has the id ${id}`, { subject: id, hint }));
      }
      await this.end([override], `ended by ${actor}`);
      return { removed: id };
    },

    async renew(service, renewals) {
      const before = keeper.now.renewals[service] ?? {};
      setRenewals(service, renewals);
      await savedOr(keeper, () => setRenewals(service, before));
    },
    forgetRenewals(service, slot) {
      const rest = slot === undefined ? {} : withEntry(keeper.now.renewals[service] ?? {}, `${slot}`, undefined);
      setRenewals(service, rest);
    },

    look(service) {
      if (world.recovering) return;
      const desired = world.desired.get(service);
      if (!desired || !world.deviations.has(service)) return;
      const base = baseOf(desired);
      const { commit } = desired.source;
      const isReadAnew = (one: Override): boolean => commit !== undefined && one.commit === commit;
      const isSaidAgain = ({ change }: Override): boolean => change.kind === 'undelete' && !desired.retired;
      const said = of(service).filter(isSaidAgain);
      if (said.length > 0) drop(said, 'its source says it again');
      const ended = of(service).filter((one) => one.base !== base && !isReadAnew(one));
      if (ended.length > 0) drop(ended, 'its document changed');
      const moved = of(service).filter((one) => one.base !== base || one.commit !== commit);
      for (const one of moved) amend({ ...one, base, ...(commit === undefined ? {} : { commit }) });
      const renew = keeper.now.renewals[service];
      if (!renew) return;
      const copies = [...(world.copies.get(service)?.values() ?? [])];
      const done = [...doneOf(world, service)].map(([slot, { copy }]) => ({ slot, copy }));
      const left = Object.entries(renew).filter(([slot, after]) =>
        [...copies, ...done].some((copy) => copy.slot === Number(slot) && compareCopyIds(copy.copy, after) <= 0),
      );
      if (left.length < Object.keys(renew).length) setRenewals(service, Object.fromEntries(left));
    },

    tick() {
      const { wall } = deps.clock.now();
      const over = all().filter(({ until }) => until !== undefined && until <= wall);
      if (over.length > 0) drop(over, 'its time is over');
    },

    forget(services) {
      const gone = all().filter(({ service }) => services.includes(service));
      if (gone.length > 0) drop(gone, 'the service is deleted');
      for (const service of services) if (keeper.now.renewals[service]) setRenewals(service, {});
    },
  };
}

/** Of a direct deployment the number of instances is not part of it: `scale` changes it, and must end nothing. */
function baseOf({ spec, source }: Desired): string {
  const document = source.name === directSource ? { ...spec, replicas: 0 } : spec;
  return createHash('sha256').update(canonicalJson(document)).digest('hex').slice(0, 32);
}
