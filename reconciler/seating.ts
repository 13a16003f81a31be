/** Slots one by one: a move, a replica, a slot more or less. What git owns gets an override. Durable before anybody is told. */

import type { SlotAnswer } from '../schemas/api.ts';
import { type InstanceName, instanceName, type NodeId, parseInstanceName, type ServiceName } from '../schemas/names.ts';
import { type ProblemCode, ProblemError, problem } from '../schemas/problem.ts';
import { directSource } from '../schemas/spec.ts';
import type { OverrideView } from '../schemas/views.ts';
import type { Context } from './context.ts';
import type { ControlPlane, VerbOptions } from './control-plane.ts';
import { unplaced } from './core/away.ts';
import type { OverrideOf, Seat, Seats, StuckMove } from './core/deviations.ts';
import type { Desired } from './core/model.ts';
import { createPlacer } from './core/place.ts';
import { presenceOf } from './core/presence.ts';
import { type SeatChange, seatAt, seatsAfter, seatsFor, settleSeats } from './core/seats.ts';
import { dataElsewhere } from './core/volumes.ts';
import { wantedOf } from './core/wanted.ts';
import type { Direct } from './direct.ts';
import type { Overrides } from './overrides.ts';
import { withEntries, withEntry } from './records-keeper.ts';
import { requireGoing } from './suspends.ts';

export interface Seating extends Pick<ControlPlane, 'move' | 'replicate'> {
  /** A further slot that belongs to this node. */
  add(service: ServiceName, to: NodeId | undefined, actor: string): Promise<SlotAnswer>;
  /** The slot goes; with the last one the deployment, unless it shall `stay`. */
  drop(instance: InstanceName, actor: string, stay?: boolean): Promise<SlotAnswer>;
  /** Moves that failed go back to where they came from. */
  giveUp(moves: readonly StuckMove[]): void;
  /** Ends the seats of a service that are reached. Called before each plan. */
  look(service: ServiceName): void;
}

export function createSeating(context: Context, direct: Direct, overrides: Overrides): Seating {
  const { deps, world, keeper, journal } = context;
  const nameOf = (id: NodeId | undefined): string =>
    id === undefined ? 'any node' : (world.nodes.get(id)?.record.name ?? id);

  /** Would it fit there? Says why not, with the numbers. */
  const checkRoom = (instance: InstanceName, { spec }: Desired, to: NodeId | undefined): void => {
    const placer = createPlacer(world, spec.name, context.policy(), deps.clock.now());
    const only = to === undefined ? {} : { only: new Set([to]) };
    const { run, digest, placement, needs } = spec;
    const placed = placer.place({ instance, run, digest, placement, needs, yields: true, ...only });
    if (placed.kind === 'refused') refuse('REFUSED', instance, `not on ${nameOf(to)}: ${placed.hold.message}`);
  };
  /** Data does not move by itself. */
  const checkData = (instance: InstanceName, desired: Desired, to: NodeId): void => {
    const home = dataElsewhere(world, instance, desired, to);
    if (home === undefined) return;
    const { spec } = desired;
    const names = (spec.run.volumes ?? []).map(({ name }) => name).join(', ');
    const message = `its data (${names}) is on ${nameOf(home)} and would stay there: on ${nameOf(to)} it starts with empty volumes, or with what it left there before`;
    refuse('REFUSED', instance, message, 'say --accept-empty-volume if that is meant');
  };
  const slotOf = (instance: InstanceName): { service: ServiceName; slot: number } =>
    parseInstanceName(instance) ?? refuse('NOT_FOUND', instance, 'that is no instance');
  /** What is wanted now, of a service that can be counted. */
  const countable = (service: ServiceName, subject: string): Desired => {
    const desired = wantedOf(world, service) ?? refuse('NOT_FOUND', subject, 'nothing asks for it any more');
    requireGoing(context, service);
    if (desired.spec.replicas !== 'every') return desired;
    return refuse('REFUSED', subject, 'it has one instance on every node: they cannot be moved or counted');
  };
  const withSlot = (instance: InstanceName): { desired: Desired; service: ServiceName; slot: number } => {
    const { service, slot } = slotOf(instance);
    const desired = countable(service, instance);
    if (!desired.slots.includes(slot))
      refuse('NOT_FOUND', instance, `there is no such instance: it has ${desired.slots.join(', ') || 'none'}`);
    return { desired, service, slot };
  };
  const isDirect = ({ source }: Desired): boolean => source.name === directSource;

  /** Slots of what git owns, other than it says. */
  const reslot = (
    service: ServiceName,
    next: { readonly slots: readonly number[]; readonly counter: number; readonly seats?: Seats },
    how: VerbOptions,
  ): Promise<OverrideView> => {
    const instead = overrides.ofKind(service, 'scale');
    const seats = instead.flatMap(({ change }) => change.seats ?? []);
    const merged = seatsFor(Object.assign({}, ...seats, next.seats), next.slots);
    const { slots, counter } = next;
    return overrides.add(service, { kind: 'scale', slots, counter, ...merged }, how, instead);
  };
  const counterOf = (service: ServiceName, { slots }: Desired): number => {
    const [known] = overrides.ofKind(service, 'scale');
    return keeper.now.direct[service]?.counter ?? known?.change.counter ?? Math.max(-1, ...slots) + 1;
  };

  /** The number of a new slot: not one that has data from before, and is asked for on another node. */
  const freshSlot = (service: ServiceName, desired: Desired, to: NodeId | undefined): number => {
    let slot = counterOf(service, desired);
    while (dataElsewhere(world, instanceName(service, slot), desired, to) !== undefined) slot += 1;
    return slot;
  };

  const grow = async (
    service: ServiceName,
    to: NodeId | undefined,
    how: VerbOptions,
    seatOf: (desired: Desired, instance: InstanceName) => Seat | undefined,
  ): Promise<SlotAnswer> => {
    const desired = countable(service, service);
    if (desired.spec.exclusive && desired.slots.length > 0)
      refuse('REFUSED', service, 'it is exclusive: one copy of it runs, and no further instance');
    const counter = freshSlot(service, desired, to);
    const instance = instanceName(service, counter);
    const seat = seatOf(desired, instance);
    let override: OverrideView | undefined;
    if (isDirect(desired)) {
      await direct.revise(service, ({ seats: old, ...rest }) => {
        const slots = [...rest.slots, counter];
        const seats = seatsFor({ ...old, ...(seat ? { [counter]: seat } : {}) }, slots);
        const spec = { ...rest.spec, replicas: slots.length };
        return { ...rest, spec, slots, counter: counter + 1, ...seats, actor: how.actor, at: deps.clock.now().wall };
      });
    } else {
      const seats = seat ? { seats: { [counter]: seat } } : {};
      const slots = [...desired.slots, counter];
      override = await reslot(service, { slots, counter: counter + 1, ...seats }, how);
    }
    const from = seat?.from === undefined ? '' : `a replica of ${seat.from}; `;
    journal.add('slot_added', instance, `${from}on ${nameOf(seat?.to)}, asked for by ${how.actor}`);
    return {
      instance,
      ...(seat?.to === undefined ? {} : { node: nameOf(seat.to) }),
      ...(override ? { override } : {}),
    };
  };

  const end = (service: ServiceName, change: SeatChange): void => {
    const instance = instanceName(service, change.slot);
    if (change.outcome === 'given_up')
      journal.add('slot_moved', instance, `${nameOf(change.seat.to)} is gone: it may go anywhere`);
    else if (change.seat.command === 'move')
      journal.add('slot_moved', instance, `it runs on ${nameOf(change.seat.to)} now`);
  };

  /** The move of what git owns failed: the instance goes back, and the override ends. */
  const giveUpOverride = (
    service: ServiceName,
    slot: number,
    move: Pick<StuckMove, 'instance' | 'node' | 'reason'>,
  ) => {
    const [override] = movesOf(service, slot);
    if (override?.change.seat.origin === undefined) return;
    const { seat } = override.change;
    const { origin: _back, ...rest } = seat;
    overrides.amend({ ...override, change: { kind: 'move', slot, seat: { ...rest, to: move.node } } });
    const text = `back to ${nameOf(move.node)}: it failed on ${nameOf(seat.to)}, ${move.reason}`;
    journal.add('slot_moved', move.instance, text);
  };
  /** What its data was to leave goes on: there it belongs again. */
  const bringHome = (instance: InstanceName, node: NodeId): void => {
    const home = world.homes.get(instance);
    if (home === undefined || home === node) return;
    keeper.change({ homes: withEntry(keeper.now.homes, instance, node) });
    context.apply({ kind: 'home', instance, node });
    const service = parseInstanceName(instance)?.service;
    if (service !== undefined) world.dirty.add(service);
  };
  /** The node of a move is gone before it was reached: what is there of the instance has the data. */
  const keepHome = (service: ServiceName, { slot, seat, outcome }: SeatChange): void => {
    const instance = instanceName(service, slot);
    if (outcome !== 'given_up' || world.homes.get(instance) !== seat.to) return;
    const left = [...(world.copies.get(service)?.values() ?? [])].find(({ slot: of, job, node: id }) => {
      const node = world.nodes.get(id);
      return of === slot && job && node && presenceOf(node, context.policy(), deps.clock.now()).state !== 'lost';
    });
    if (left) bringHome(instance, left.node);
  };
  /** On record before its node can be away when a reconciler starts. */
  const keepPlaces = (service: ServiceName): void => {
    const places = world.recovering ? new Map<InstanceName, NodeId>() : unplaced(world, service);
    if (places.size > 0) keeper.change({ homes: withEntries(keeper.now.homes, places) });
    for (const [instance, node] of places) context.apply({ kind: 'home', instance, node });
  };
  const movesOf = (service: ServiceName, slot: number): OverrideOf<'move'>[] =>
    overrides.ofKind(service, 'move').filter(({ change }) => change.slot === slot);

  /** The node of a move is gone, or what went back after a failure has arrived: the override has no meaning any more. */
  const endOverrides = (service: ServiceName): void => {
    const desired = world.deviations.has(service) ? wantedOf(world, service) : undefined;
    if (!desired?.seats || isDirect(desired)) return;
    for (const change of settleSeats(world, desired, context.policy(), deps.clock.now())) {
      keepHome(service, change);
      const isBack = change.outcome === 'arrived' && change.seat.command === 'move' && change.seat.origin === undefined;
      const moot = change.outcome === 'given_up' || isBack ? movesOf(service, change.slot) : [];
      if (moot.length === 0) continue;
      overrides.drop(moot, isBack ? 'it failed there and is back' : `${nameOf(change.seat.to)} is gone`);
    }
  };

  /** Of what was deployed directly. */
  const reseat = (service: ServiceName, desired: Desired, changes: readonly Omit<SeatChange, 'outcome'>[]): void => {
    direct.reseat(service, (seats) => seatsAfter(seats, changes));
    const { seats, ...rest } = desired;
    const left = seatsFor(seatsAfter(seats, changes), desired.slots);
    context.apply({ kind: 'desired', service, desired: { ...rest, ...left } });
  };

  return {
    async move(instance, to, actor, { acceptEmptyVolume = false, ...how } = {}) {
      const { desired, service, slot } = withSlot(instance);
      const copies = [...(world.copies.get(service)?.values() ?? [])];
      const running = copies.filter((copy) => copy.slot === slot && copy.job?.want === 'run');
      const isThere = running.some((copy) => copy.node === to);
      if (isThere && running.length === 1 && seatAt(desired.seats, slot)?.to === undefined)
        refuse('REFUSED', instance, `it runs on ${nameOf(to)} already`);
      if (!acceptEmptyVolume) checkData(instance, desired, to);
      if (!isThere) checkRoom(instance, desired, to);
      const from = running.find((copy) => copy.node !== to)?.node;
      const keep = seatAt(desired.seats, slot)?.keep ? { keep: true as const } : {};
      const seat: Seat = { to, command: 'move', ...(from === undefined ? {} : { origin: from }), ...keep };
      let override: OverrideView | undefined;
      if (isDirect(desired)) {
        if (how.for !== undefined)
          refuse('BAD_REQUEST', instance, 'it is deployed directly: it moves for good, without `--for`');
        await direct.revise(service, (old) => ({ ...old, seats: { ...old.seats, [slot]: seat }, actor }));
      } else
        override = await overrides.add(
          service,
          { kind: 'move', slot, seat },
          { ...how, actor },
          movesOf(service, slot),
        );
      journal.add('slot_moved', instance, `to ${nameOf(to)}, asked for by ${actor}`);
      return { instance, node: nameOf(to), ...(override ? { override } : {}) };
    },

    async replicate(instance, to, actor, how = {}) {
      const { service, slot } = withSlot(instance);
      return grow(service, to, { ...how, actor }, (desired, next) => {
        if (isDirect(desired) && how.for !== undefined)
          refuse('BAD_REQUEST', instance, 'it is deployed directly: an instance is added for good, without `--for`');
        checkRoom(next, desired, to);
        const keep = to !== undefined && seatAt(desired.seats, slot)?.keep ? { keep: true as const } : {};
        return { command: 'replicate', from: instance, ...(to === undefined ? {} : { to }), ...keep };
      });
    },

    add: (service, to, actor) =>
      grow(service, to, { actor }, () => (to === undefined ? undefined : { to, keep: true, command: 'deploy' })),

    async drop(instance, actor, stay = false) {
      const { desired, service, slot } = withSlot(instance);
      const slots = desired.slots.filter((one) => one !== slot);
      if (!isDirect(desired)) {
        await reslot(service, { slots, counter: counterOf(service, desired) }, { actor });
      } else if (slots.length === 0 && !stay) {
        await direct.remove([service], actor);
        return { instance };
      } else {
        await direct.revise(service, ({ seats, ...rest }) => {
          return { ...rest, spec: { ...rest.spec, replicas: slots.length }, slots, ...seatsFor(seats, slots), actor };
        });
      }
      journal.add('slot_dropped', instance, `asked for by ${actor}`);
      return { instance };
    },

    giveUp(moves) {
      for (const { instance, node, reason } of moves) {
        const { service, slot } = slotOf(instance);
        bringHome(instance, node);
        const desired = world.desired.get(service);
        const record = keeper.now.direct[service];
        // What is in force: what was asked for since, and is not on disk yet, has not failed.
        const seat = seatAt(desired?.seats, slot);
        if (!record) giveUpOverride(service, slot, { instance, node, reason });
        if (!desired || !record || seat?.command !== 'move' || seat.origin === undefined) continue;
        const { origin: _back, ...rest } = seat;
        reseat(service, desired, [{ slot, seat, next: { ...rest, to: node } }]);
        journal.add('slot_moved', instance, `back to ${nameOf(node)}: it failed on ${nameOf(seat.to)}, ${reason}`);
      }
    },

    look(service) {
      overrides.look(service);
      keepPlaces(service);
      endOverrides(service);
      const desired = world.desired.get(service);
      const record = keeper.now.direct[service];
      if (!desired?.seats || !record?.seats) return;
      const changes = settleSeats(world, desired, context.policy(), deps.clock.now());
      if (changes.length === 0) return;
      reseat(service, desired, changes);
      for (const change of changes) {
        keepHome(service, change);
        end(service, change);
      }
    },
  };
}

function refuse(code: ProblemCode, subject: string, message: string, hint?: string): never {
  throw new ProblemError(problem(code, message, { subject, ...(hint && { hint }) }));
}
