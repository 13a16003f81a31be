/** Slots one by one: a move, a replica, a slot more or less of what was deployed directly. Durable before anybody is told. */
import type { SlotAnswer } from '../schemas/api.ts';
import { type InstanceName, instanceName, type NodeId, parseInstanceName, type ServiceName } from '../schemas/names.ts';
import { type ProblemCode, ProblemError, problem } from '../schemas/problem.ts';
import type { Context } from './context.ts';
import type { Seat, Seats, StuckMove } from './core/model.ts';
import { createPlacer } from './core/place.ts';
import type { DirectRecord } from './core/records.ts';
import { type SeatChange, seatAt, seatsFor, settleSeats } from './core/seats.ts';
import type { Direct } from './direct.ts';
import { withEntry } from './records-keeper.ts';

export interface Seating {
  /** The slot goes to that node: freed where it runs, then started there. NOT_FOUND, OWNED_BY_GIT, REFUSED with the reason. */
  move(instance: InstanceName, to: NodeId, actor: string): Promise<SlotAnswer>;
  /** A further slot like this one, there or anywhere. NOT_FOUND, OWNED_BY_GIT, REFUSED. */
  replicate(instance: InstanceName, to: NodeId | undefined, actor: string): Promise<SlotAnswer>;
  /** A further slot that belongs to this node. */
  add(service: ServiceName, to: NodeId | undefined, actor: string): Promise<SlotAnswer>;
  /** The slot goes; with the last one the deployment. */
  drop(instance: InstanceName, actor: string): Promise<SlotAnswer>;
  /** Moves that failed go back to where they came from. */
  giveUp(moves: readonly StuckMove[]): void;
  /** Ends the seats of a service that are reached. Called before each plan. */
  look(service: ServiceName): void;
}

export function createSeating(context: Context, direct: Direct): Seating {
  const { deps, world, keeper, journal } = context;
  const nameOf = (id: NodeId | undefined): string =>
    id === undefined ? 'any node' : (world.nodes.get(id)?.record.name ?? id);

  /** Would it fit there? Says why not, with the numbers. */
  const checkRoom = (instance: InstanceName, record: DirectRecord, to: NodeId | undefined): void => {
    const { spec } = record;
    const placer = createPlacer(world, spec.name, context.policy(), deps.clock.now());
    const only = to === undefined ? {} : { only: new Set([to]) };
    const { run, digest, placement, needs } = spec;
    const placed = placer.place({ instance, run, digest, placement, needs, ...only });
    if (placed.kind === 'refused') refuse('REFUSED', instance, `not on ${nameOf(to)}: ${placed.hold.message}`);
  };
  const countable = (instance: InstanceName, { spec }: DirectRecord): number => {
    if (spec.replicas !== 'every') return spec.replicas;
    return refuse('REFUSED', instance, 'it has one instance on every node: they cannot be moved or counted');
  };
  const slotOf = (instance: InstanceName): { service: ServiceName; slot: number } =>
    parseInstanceName(instance) ?? refuse('NOT_FOUND', instance, 'that is no instance');
  const hasSlot = (instance: InstanceName, record: DirectRecord, slot: number): void => {
    if (!record.slots.includes(slot)) refuse('NOT_FOUND', instance, 'there is no such instance');
  };
  const grow = async (
    service: ServiceName,
    actor: string,
    seatOf: (old: DirectRecord, instance: InstanceName) => Seat | undefined,
  ): Promise<SlotAnswer> => {
    let instance = '';
    let seat: Seat | undefined;
    await direct.revise(service, (old) => {
      instance = instanceName(service, old.counter);
      countable(instance, old);
      seat = seatOf(old, instance);
      const slots = [...old.slots, old.counter];
      const seats = seatsFor({ ...old.seats, ...(seat ? { [old.counter]: seat } : {}) }, slots);
      const { seats: _old, ...rest } = old;
      const spec = { ...old.spec, replicas: slots.length };
      return { ...rest, spec, slots, counter: old.counter + 1, ...seats, actor, at: deps.clock.now().wall };
    });
    const from = seat?.from === undefined ? '' : `a replica of ${seat.from}; `;
    journal.add('slot_added', instance, `${from}on ${nameOf(seat?.to)}, asked for by ${actor}`);
    return { instance, ...(seat?.to === undefined ? {} : { node: nameOf(seat.to) }) };
  };

  const end = (service: ServiceName, change: SeatChange): void => {
    const instance = instanceName(service, change.slot);
    if (change.outcome === 'given_up')
      journal.add('slot_moved', instance, `${nameOf(change.seat.to)} is gone: it may go anywhere`);
    else if (change.seat.command === 'move')
      journal.add('slot_moved', instance, `it runs on ${nameOf(change.seat.to)} now`);
  };

  return {
    async move(instance, to, actor) {
      const { service, slot } = slotOf(instance);
      await direct.revise(service, (old) => {
        countable(instance, old);
        hasSlot(instance, old, slot);
        const copies = [...(world.copies.get(service)?.values() ?? [])];
        const isThere = copies.some((copy) => copy.slot === slot && copy.node === to && copy.job?.want === 'run');
        if (!isThere) checkRoom(instance, old, to);
        const from = copies.find((copy) => copy.slot === slot && copy.job?.want === 'run')?.node;
        const origin = from === undefined || from === to ? {} : { origin: from };
        const seat: Seat = { to, command: 'move', ...origin, ...(seatAt(old.seats, slot)?.keep ? { keep: true } : {}) };
        return { ...old, seats: { ...old.seats, [slot]: seat }, actor };
      });
      journal.add('slot_moved', instance, `to ${nameOf(to)}, asked for by ${actor}`);
      return { instance, node: nameOf(to) };
    },

    replicate(instance, to, actor) {
      const { service, slot } = slotOf(instance);
      return grow(service, actor, (old, next) => {
        hasSlot(instance, old, slot);
        checkRoom(next, old, to);
        const keep = to !== undefined && seatAt(old.seats, slot)?.keep ? { keep: true as const } : {};
        return { command: 'replicate', from: instance, ...(to === undefined ? {} : { to }), ...keep };
      });
    },

    add: (service, to, actor) =>
      grow(service, actor, () => (to === undefined ? undefined : { to, keep: true, command: 'deploy' })),

    async drop(instance, actor) {
      const { service, slot } = slotOf(instance);
      const record = keeper.now.direct[service];
      if (record?.slots.length === 1 && record.slots[0] === slot) {
        await direct.remove({ services: [service] }, actor);
        return { instance };
      }
      await direct.revise(service, (old) => {
        hasSlot(instance, old, slot);
        countable(instance, old);
        const slots = old.slots.filter((one) => one !== slot);
        const { seats, ...rest } = old;
        return { ...rest, spec: { ...old.spec, replicas: slots.length }, slots, ...seatsFor(seats, slots), actor };
      });
      journal.add('slot_dropped', instance, `asked for by ${actor}`);
      return { instance };
    },

    giveUp(moves) {
      for (const { instance, node, reason } of moves) {
        const { service, slot } = slotOf(instance);
        const desired = world.desired.get(service);
        const record = keeper.now.direct[service];
        const seat = seatAt(record?.seats, slot);
        if (!desired || !record || seat?.command !== 'move' || seat.origin === undefined) continue;
        const { origin: _back, ...rest } = seat;
        const seats = { ...record.seats, [slot]: { ...rest, to: node } };
        keeper.change({ direct: withEntry(keeper.now.direct, service, { ...record, seats }) });
        context.apply({ kind: 'desired', service, desired: { ...desired, seats } });
        journal.add('slot_moved', instance, `back to ${nameOf(node)}: it failed on ${nameOf(seat.to)}, ${reason}`);
      }
    },

    look(service) {
      const desired = world.desired.get(service);
      const record = keeper.now.direct[service];
      if (!desired?.seats || !record?.seats) return;
      const changes = settleSeats(world, desired, context.policy(), deps.clock.now());
      if (changes.length === 0) return;
      const ended = Object.fromEntries(changes.map(({ slot, next }) => [slot, next]));
      const seats: Seats = Object.fromEntries(
        Object.entries({ ...record.seats, ...ended }).flatMap(([slot, seat]) => (seat ? [[slot, seat]] : [])),
      );
      const { seats: _record, ...rest } = record;
      const { seats: _desired, ...others } = desired;
      const kept = seatsFor(seats, record.slots);
      keeper.change({ direct: withEntry(keeper.now.direct, service, { ...rest, ...kept }) });
      context.apply({ kind: 'desired', service, desired: { ...others, ...kept } });
      for (const change of changes) end(service, change);
    },
  };
}

function refuse(code: ProblemCode, subject: string, message: string): never {
  throw new ProblemError(problem(code, message, { subject }));
}
