/**
 * What sources removed: stopped for a while, in the records, and then gone. Written with the verdict that removes it; the plan follows
 * by itself.
 */
import type { VerbAnswer } from '../schemas/api.ts';
import { copyId, instanceName, type ServiceName } from '../schemas/names.ts';
import type { Wall } from '../schemas/ports.ts';
import { ProblemError, problem } from '../schemas/problem.ts';
import type { Context } from './context.ts';
import type { ControlPlane } from './control-plane.ts';
import type { Retired } from './core/deviations.ts';
import type { Desired } from './core/model.ts';
import { overrideView } from './core/override-views.ts';
import { wantedSlots } from './core/slots.ts';
import { heldOn } from './core/suspended.ts';
import { suspendOf } from './core/suspends.ts';
import { retirement } from './core/verdict.ts';
import type { WorldEvent } from './core/world-event.ts';
import type { Overrides } from './overrides.ts';
import { onceSaved, withEntries } from './records-keeper.ts';
import { requireGoing } from './suspends.ts';

/** What is wanted of a service from now on. */
type Wanted = Extract<WorldEvent, { readonly kind: 'desired' }>;

export interface Retirements extends Pick<ControlPlane, 'undelete'> {
  /** Tells the world what records/ holds: at start, before any source is read. */
  load(): void;
  /** This is what sources want of services now. On disk with what else changes. */
  heard(events: readonly Wanted[]): void;
  /** Removes what was stopped for long enough. Called every now and then. */
  tick(): void;
}

export function createRetirements(context: Context, overrides: Overrides): Retirements {
  const { deps, world, keeper, journal } = context;
  const heard: Retirements['heard'] = (events) => {
    const entries = events.flatMap(({ service, desired }) => {
      const { retired } = desired ?? {};
      const entry = desired && retired ? { ...desired, retired } : undefined;
      return entry || keeper.now.retired[service] ? [[service, entry] as const] : [];
    });
    if (entries.length > 0) keeper.change({ retired: withEntries(keeper.now.retired, entries) });
  };
  const tell = (events: readonly Wanted[]): void => {
    if (events.length === 0) return;
    heard(events);
    for (const event of events) context.apply(event);
    onceSaved(context, () => undefined);
  };
  /** Somebody brought them back. */
  const broughtBack = (): ReadonlySet<ServiceName> => {
    const undeletes = Object.values(keeper.now.overrides).filter(({ change }) => change.kind === 'undelete');
    return new Set(undeletes.map(({ service }) => service));
  };
  /** Somebody wants it, or a node that has a copy of it, left alone. */
  const isSuspended = (service: ServiceName): boolean =>
    suspendOf(world, service) !== undefined ||
    (world.suspends.size > 0 && [...(world.copies.get(service)?.values() ?? [])].some((copy) => heldOn(world, copy)));
  /** Undefined: its time is over. While it is kept its time does not run, and begins anew after that. */
  const lookAt = (now: Retired, isKept: boolean): Retired | undefined => {
    const { wall } = deps.clock.now();
    const { until, ...retired } = now;
    if (isKept) return until === undefined ? now : retired;
    if (until === undefined) return { ...retired, until: (wall + retirement) as Wall };
    return until <= wall ? undefined : now;
  };
  const end = (over: readonly Desired[]): void => {
    const services = over.map(({ spec }) => spec.name);
    overrides.forget(services);
    // That their sources had them and said no more of them was told back then: where their copies came from is not asked again.
    buryCopies(context, services);
    for (const { spec, source } of over)
      journal.add('service_deleted', spec.name, `removed by ${source.name}, and its time is over`);
  };

  return {
    heard,
    load() {
      for (const [service, desired] of Object.entries(keeper.now.retired))
        if (!keeper.now.direct[service]) context.apply({ kind: 'desired', service, desired });
    },

    async undelete(service, { actor, reason }): Promise<VerbAnswer> {
      const desired = world.desired.get(service);
      if (!desired?.retired) {
        const message = desired ? 'nobody removed it' : 'it is gone: nothing of it is known any more';
        const hint = desired ? `oakctl why ${service}` : 'oakctl rollback, or write it again and push';
        throw new ProblemError(problem('REFUSED', message, { subject: service, hint }));
      }
      requireGoing(context, service);
      const [known] = overrides.ofKind(service, 'undelete');
      const how = { actor, ...(reason !== undefined && { reason }) };
      const override = known ? overrideView(world, known) : await overrides.add(service, { kind: 'undelete' }, how, []);
      const instances = wantedSlots(world, desired).map(({ slot }) => instanceName(service, slot));
      return { service, digest: desired.spec.digest, changed: known === undefined, instances, override };
    },

    tick() {
      const services = Object.keys(keeper.now.retired);
      if (world.recovering || services.length === 0) return;
      const back = broughtBack();
      const changed: Wanted[] = [];
      const over: Desired[] = [];
      const deployed: Wanted[] = [];
      for (const service of services) {
        const desired = world.desired.get(service);
        if (!desired?.retired) {
          deployed.push({ kind: 'desired', service });
          continue;
        }
        const retired = lookAt(desired.retired, back.has(service) || isSuspended(service));
        if (!retired) over.push(desired);
        else if (retired !== desired.retired)
          changed.push({ kind: 'desired', service, desired: { ...desired, retired } });
      }
      // Somebody deployed them.
      heard(deployed);
      end(over);
      tell([...changed, ...over.map(({ spec }): Wanted => ({ kind: 'desired', service: spec.name }))]);
    },
  };
}

/** All copies of these services up to now go, whenever they appear. On disk with what else changes. */
export function buryCopies({ deps, world, keeper, apply }: Context, services: readonly ServiceName[]): void {
  if (services.length === 0) return;
  const copy = copyId(world.fence);
  const tombstone = { copy, at: deps.clock.now().wall };
  const tombstones = Object.fromEntries(services.map((service) => [service, tombstone]));
  keeper.change({ tombstones: { ...keeper.now.tombstones, ...tombstones } });
  for (const service of services) apply({ kind: 'tombstone', service, copy });
}
