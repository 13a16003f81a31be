/** What is wanted of a service: what its source says, and what people asked for beside that. */
import type { ServiceName } from '../../schemas/names.ts';
import type { Seats } from './deviations.ts';
import type { Desired, View } from './model.ts';

/** Undefined: nothing asks for it. */
export function wantedOf(view: Pick<View, 'desired' | 'deviations'>, service: ServiceName): Desired | undefined {
  const desired = view.desired.get(service);
  const deviation = view.deviations.get(service);
  if (!desired) return undefined;
  if (!deviation) return desired.retired ? { ...desired, stopped: desired.retired } : desired;
  const { overrides, renew } = deviation;
  let { slots } = desired;
  let seats: Seats = { ...desired.seats };
  const isBack = overrides.some(({ change }) => change.kind === 'undelete');
  let stopped: Desired['stopped'] = isBack ? undefined : desired.retired;
  for (const override of overrides) {
    const { change } = override;
    if (change.kind === 'stop') stopped ??= override;
    if (change.kind === 'move') seats = { ...seats, [change.slot]: change.seat };
    if (change.kind === 'scale' && desired.spec.replicas !== 'every') {
      slots = change.slots;
      seats = { ...seats, ...change.seats };
    }
  }
  return {
    ...desired,
    slots,
    ...(Object.keys(seats).length > 0 ? { seats } : {}),
    ...(stopped ? { stopped } : {}),
    ...(Object.keys(renew).length > 0 ? { renew } : {}),
  };
}

/** Services that this one is to be kept apart from, by its own rules. */
export function shunnedServices(desired: Desired | undefined): ServiceName[] {
  return (desired?.spec.placement.apart ?? []).flatMap(({ services }) => services);
}
