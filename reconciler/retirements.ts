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
import type { Overrides } from './overrides.ts';
import { onceSaved, withEntry } from './records-keeper.ts';
import { requireGoing } from './suspends.ts';

export interface Retirements extends Pick<ControlPlane, 'undelete'> {
  /** Tells the world what records/ holds: at start, before any source is read. */
  load(): void;
  /** This is what its source wants of a service now. On disk with what else changes. */
  heard(service: ServiceName, desired: Desired | undefined): void;
  /** Removes what was stopped for long enough. Called every now and then. */
  tick(): void;
}

export function createRetirements(context: Context, overrides: Overrides): Retirements {
  const { deps, world, keeper, journal } = context;
  const heard: Retirements['heard'] = (service, desired) => {
    const { retired } = desired ?? {};
    if (!retired && !keeper.now.retired[service]) return;
    const entry = desired && retired ? { ...desired, retired } : undefined;
    keeper.change({ retired: withEntry(keeper.now.retired, service, entry) });
  };
  const tell = (service: ServiceName, desired: Desired | undefined): void => {
    heard(service, desired);
    context.apply({ kind: 'desired', service, ...(desired && { desired }) });
    onceSaved(context, () => undefined);
  };
  /** Somebody brought it back, or wants it, or a node that has a copy of it, left alone: its time begins anew after that. */
  const isKept = (service: ServiceName): boolean =>
    overrides.ofKind(service, 'undelete').length > 0 ||
    suspendOf(world, service) !== undefined ||
    (world.suspends.size > 0 && [...(world.copies.get(service)?.values() ?? [])].some((copy) => heldOn(world, copy)));
  const end = (service: ServiceName, { source }: Desired): void => {
    overrides.forget([service]);
    // That its source had it and said no more of it was told back then: where its copies came from is not asked again.
    buryCopies(context, service);
    tell(service, undefined);
    journal.add('service_deleted', service, `removed by ${source.name}, and its time is over`);
  };
  const look = (service: ServiceName, desired: Desired, { until, ...retired }: Retired): void => {
    const { wall } = deps.clock.now();
    const isTicking = until !== undefined;
    if (isKept(service)) {
      if (isTicking) tell(service, { ...desired, retired });
    } else if (!isTicking) tell(service, { ...desired, retired: { ...retired, until: (wall + retirement) as Wall } });
    else if (until <= wall) end(service, desired);
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
      if (world.recovering) return;
      for (const service of Object.keys(keeper.now.retired)) {
        const desired = world.desired.get(service);
        if (desired?.retired) look(service, desired, desired.retired);
        // Somebody deployed it.
        else heard(service, undefined);
      }
    },
  };
}

/** All copies of a service up to now go, whenever they appear. On disk with what else changes. */
export function buryCopies({ deps, world, keeper, apply }: Context, service: ServiceName): void {
  const copy = copyId(world.fence);
  const tombstone = { copy, at: deps.clock.now().wall };
  keeper.change({ tombstones: withEntry(keeper.now.tombstones, service, tombstone) });
  apply({ kind: 'tombstone', service, copy });
}
