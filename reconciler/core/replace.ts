/** A machine takes the place of a node: when it may, and what of the records names the place. */
import type { TokenAnswer } from '../../schemas/api.ts';
import { type InstanceName, type NodeId, parseInstanceName } from '../../schemas/names.ts';
import type { Now } from '../../schemas/ports.ts';
import { type Problem, problem } from '../../schemas/problem.ts';
import type { Cordon, Override, Seat, Seats } from './deviations.ts';
import type { NodeRecord, Policy, View } from './model.ts';
import { cordonOf, isSeed } from './node-facts.ts';
import { presenceOf } from './presence.ts';
import { hasVolumes } from './volumes.ts';
import { wantedOf } from './wanted.ts';

/** A node, and not one that only waits for the place of another one. */
export function isMember({ revoked, replaces }: NodeRecord): boolean {
  return revoked === undefined && replaces === undefined;
}

/** REFUSED while the machine is at work, unless `force` is set, and for nodes whose agent is not ours. */
export function refuseReplacement(
  view: View,
  record: NodeRecord,
  { policy, now, force }: { readonly policy: Policy; readonly now: Now; readonly force: boolean },
): Problem | undefined {
  const { id, name } = record;
  const subject = `node/${name}`;
  if (isSeed({ record })) {
    const hint = `oakctl nodes rm ${name}, then register the new one`;
    return problem('REFUSED', `${name} speaks the seeds' wire, and registers under its own id`, { subject, hint });
  }
  const node = view.nodes.get(id);
  if (force || !node || presenceOf(node, policy, now).state !== 'online') return undefined;
  const message = `${name} is online: once the new machine has reported it is shut out, and what runs on it goes on beside its replacement`;
  const hint = `oakctl nodes drain ${name} and stop its agent first, or say --force`;
  return problem('REFUSED', message, { subject, hint });
}

/** What people are told before the machine is there. `empties`: its instances start with empty volumes. */
export function replacementOf(
  view: View,
  { id, name }: NodeRecord,
  { policy, now, empties }: { readonly policy: Policy; readonly now: Now; readonly empties: boolean },
): NonNullable<TokenAnswer['replaces']> {
  const node = view.nodes.get(id);
  const cordon = node && cordonOf(node, policy);
  return {
    node: name,
    state: node ? presenceOf(node, policy, now).state : 'lost',
    data: empties ? [] : dataOn(view, id),
    ...(cordon && { cordoned: withoutDrain(cordon) }),
  };
}

/** Instances that are wanted, have their data there, and wait for it. */
function dataOn(view: View, id: NodeId): InstanceName[] {
  const there = [...view.homes].filter(([instance, home]) => {
    if (home !== id) return false;
    const at = parseInstanceName(instance);
    const spec = at && wantedOf(view, at.service)?.spec;
    return spec !== undefined && hasVolumes(spec.run) && !spec.placement.portable;
  });
  return there.map(([instance]) => instance).sort();
}

/** The cordon as it goes on for another machine: there is nothing to drain. */
export function withoutDrain({ drain: _there, ...cordon }: Cordon): Cordon {
  return cordon;
}

/** The places with one node in the place of another; undefined when none is there. */
export function reseat(seats: Seats | undefined, from: NodeId, to: NodeId): Seats | undefined {
  if (!Object.values(seats ?? {}).some((seat) => seat.to === from)) return undefined;
  return Object.fromEntries(Object.entries(seats ?? {}).map(([slot, seat]) => [slot, movedSeat(seat, from, to)]));
}

/** The same for an override. */
export function reseatOverride(override: Override, from: NodeId, to: NodeId): Override | undefined {
  const { change } = override;
  if (change.kind === 'move' && change.seat.to === from)
    return { ...override, change: { ...change, seat: movedSeat(change.seat, from, to) } };
  const seats = change.kind === 'scale' ? reseat(change.seats, from, to) : undefined;
  return seats && change.kind === 'scale' ? { ...override, change: { ...change, seats } } : undefined;
}

function movedSeat(seat: Seat, from: NodeId, to: NodeId): Seat {
  return seat.to === from ? { ...seat, to } : seat;
}
