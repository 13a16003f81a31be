/**
 * What sources removed: stopped for a while, in the records, and then gone. Written with the verdict that removes it; the plan follows
 * by itself.
 */
import type { VerbAnswer } from '../schemas/api.ts';
import { instanceName, type ServiceName } from '../schemas/names.ts';
import type { Wall } from '../schemas/ports.ts';
import { ProblemError, problem } from '../schemas/problem.ts';
import type { Context } from './context.ts';
import type { ControlPlane } from './control-plane.ts';
import type { Desired } from './core/model.ts';
import { overrideView } from './core/override-views.ts';
import { wantedSlots } from './core/slots.ts';
import { retirement } from './core/verdict.ts';
import type { Overrides } from './overrides.ts';
import { onceSaved, withEntry } from './records-keeper.ts';
import { requireGoing } from './suspends.ts';

export interface Retirements extends Pick<ControlPlane, 'undelete'> {
  /** Tells the world what records/ holds: at start, before any source is read. */
  load(): void;
  /** This is what its source wants of a service now. On disk with what else changes. */
  heard(service: ServiceName, desired: Desired | undefined): void;
  /** Somebody deleted them. */
  forget(services: readonly ServiceName[]): void;
  /** Removes what was stopped for long enough; true where there was some. Called every now and then. */
  tick(): boolean;
}

export function createRetirements(context: Context, overrides: Overrides): Retirements {
  const { deps, world, keeper, journal } = context;
  /** Brought back: once that is over, their time begins anew. */
  const back = new Set<ServiceName>();
  const isBack = (service: ServiceName): boolean => overrides.ofKind(service, 'undelete').length > 0;

  const heard: Retirements['heard'] = (service, desired) => {
    const { retired } = desired ?? {};
    if (!retired && !keeper.now.retired[service]) return;
    const entry = desired && retired ? { ...desired, retired } : undefined;
    keeper.change({ retired: withEntry(keeper.now.retired, service, entry) });
  };
  const put = (service: ServiceName, desired: Desired | undefined): void => {
    heard(service, desired);
    context.apply({ kind: 'desired', service, ...(desired && { desired }) });
    onceSaved(context, () => undefined);
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

    forget(services) {
      const known = services.filter((service) => keeper.now.retired[service]);
      for (const service of known) heard(service, undefined);
      if (known.length > 0) onceSaved(context, () => undefined);
    },

    tick() {
      if (world.recovering) return false;
      const { wall } = deps.clock.now();
      let isGone = false;
      for (const service of Object.keys(keeper.now.retired)) {
        const desired = world.desired.get(service);
        // Somebody else says it by now, or deleted it.
        if (!desired?.retired) {
          this.forget([service]);
          continue;
        }
        if (isBack(service)) {
          back.add(service);
          continue;
        }
        if (back.delete(service))
          put(service, { ...desired, retired: { ...desired.retired, until: (wall + retirement) as Wall } });
        else if (desired.retired.until <= wall) {
          overrides.forget([service]);
          put(service, undefined);
          isGone = true;
          journal.add('service_deleted', service, `removed by ${desired.source.name}, and its time is over`);
        }
      }
      return isGone;
    },
  };
}
