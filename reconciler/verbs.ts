/** Verbs on whole services: scale, stop, start, restart. Durable before anybody is told; the plan follows by itself. */
import type { VerbAnswer } from '../schemas/api.ts';
import { compareCopyIds, copyId, instanceName, parseInstanceName, type ServiceName } from '../schemas/names.ts';
import { type ProblemCode, ProblemError, problem } from '../schemas/problem.ts';
import { directSource } from '../schemas/spec.ts';
import type { Context } from './context.ts';
import type { ControlPlane } from './control-plane.ts';
import type { StuckMove } from './core/deviations.ts';
import { doneOf } from './core/done.ts';
import type { Desired } from './core/model.ts';
import { overrideView } from './core/override-views.ts';
import { seatsFor } from './core/seats.ts';
import { wantedSlots } from './core/slots.ts';
import { isRetired, stoppedText } from './core/stopped.ts';
import { wantedOf } from './core/wanted.ts';
import { type Direct, resize } from './direct.ts';
import type { Overrides } from './overrides.ts';
import type { Schedules } from './schedules.ts';
import { requireGoing } from './suspends.ts';
import type { Asked, TagDesk } from './tags.ts';

export interface Verbs extends Pick<ControlPlane, 'scale' | 'stop' | 'start'> {
  /** What a restart with `pull` starts from. All instances are of one content, so one alone cannot have another: REFUSED. */
  askTag(service: ServiceName, instance: string | undefined): Promise<Asked>;
  /** `asked`: what the tag of its image stands for by now. */
  restart(
    service: ServiceName,
    instance: string | undefined,
    actor: string,
    asked?: Asked,
  ): ReturnType<ControlPlane['restart']>;
  /** Restarts whose new copies failed end: what ran before goes on. */
  giveUp(moves: readonly StuckMove[]): void;
}

export interface VerbParts {
  readonly direct: Direct;
  readonly overrides: Overrides;
  readonly schedules: Schedules;
  readonly tags: TagDesk;
}

export function createVerbs(context: Context, { direct, overrides, schedules, tags }: VerbParts): Verbs {
  const { deps, world, journal } = context;

  const desiredOf = (service: ServiceName): Desired => {
    const desired = wantedOf(world, service) ?? refuse('NOT_FOUND', service, 'nothing asks for it any more');
    requireGoing(context, service);
    return desired;
  };
  const slotsOf = (desired: Desired): number[] => wantedSlots(world, desired).map(({ slot }) => slot);
  const answer = (desired: Desired, changed: boolean, more: Partial<VerbAnswer> = {}): VerbAnswer => ({
    service: desired.spec.name,
    digest: desired.spec.digest,
    changed,
    instances: slotsOf(desired).map((slot) => instanceName(desired.spec.name, slot)),
    ...more,
  });

  /** Runs a job now that has a schedule. */
  const run = async (desired: Desired, actor: string, again: boolean): Promise<VerbAnswer> => {
    const { name } = desired.spec;
    if (!world.schedules.has(name)) refuse('UNAVAILABLE', name, 'it has not been planned yet: try again in a moment');
    return answer(desired, await schedules.ask(name, { actor, again }));
  };
  const scaleDirect = async (desired: Desired, replicas: number, actor: string): Promise<VerbAnswer> => {
    const { name } = desired.spec;
    if (desired.slots.length === replicas) return answer(desired, false);
    await direct.revise(name, (old) => {
      const { seats, ...rest } = old;
      const next = resize(old, replicas);
      const at = deps.clock.now().wall;
      return { ...rest, spec: { ...old.spec, replicas }, ...next, ...seatsFor(seats, next.slots), actor, at };
    });
    journal.add('service_deployed', name, `scaled to ${replicas} by ${actor}`);
    return answer(desiredOf(name), true);
  };

  const unstopped = (service: ServiceName): Desired => {
    const desired = desiredOf(service);
    if (!desired.stopped) return desired;
    if (isRetired(desired.stopped))
      refuse('REFUSED', service, stoppedText(desired.stopped), `oakctl undelete ${service}`);
    return refuse('REFUSED', service, 'it is stopped', `oakctl start ${service}`);
  };
  /** REFUSED for what is wanted with no instance at all: nothing that could start. */
  const requireSome = (desired: Desired): Desired => {
    const { spec, slots, source } = desired;
    const { name, replicas } = spec;
    if (replicas === 'every' || slots.length > 0) return desired;
    const commit = source.name === directSource ? '' : `\`oakctl start ${name} --commit\`, or `;
    return refuse(
      'REFUSED',
      name,
      'it has no instance to start (replicas: 0)',
      `${commit}\`oakctl scale ${name} <n>\``,
    );
  };

  return {
    async scale(service, replicas, how) {
      const desired = desiredOf(service);
      if (desired.spec.replicas === 'every')
        refuse('REFUSED', service, 'it has one instance on every node that matches: it has no number');
      if (desired.spec.exclusive && replicas > 1)
        refuse('REFUSED', service, `it is exclusive: one copy of it runs, not ${replicas}`);
      if (desired.source.name === directSource) {
        if (how.for !== undefined)
          refuse('BAD_REQUEST', service, 'it is deployed directly: its number changes for good, without `--for`');
        return scaleDirect(desired, replicas, how.actor);
      }
      const instead = overrides.ofKind(service, 'scale');
      const [known] = instead;
      const isSame = desired.slots.length === replicas;
      if (isSame && (!known || how.for === undefined))
        return answer(desired, false, known ? { override: overrideView(world, known) } : {});
      const written = world.desired.get(service);
      if (written?.slots.length === replicas) {
        await overrides.end(instead, `${replicas} again, as the source says, by ${how.actor}`);
        return answer(desiredOf(service), true);
      }
      const counter = known?.change.counter ?? Math.max(-1, ...desired.slots) + 1;
      const next = resize({ slots: desired.slots, counter }, replicas);
      const seats = seatsFor(known?.change.seats, next.slots);
      const moot = overrides.ofKind(service, 'move').filter(({ change }) => !next.slots.includes(change.slot));
      const override = await overrides.add(service, { kind: 'scale', ...next, ...seats }, how, [...instead, ...moot]);
      return answer(desiredOf(service), true, { override });
    },

    async stop(service, how) {
      const desired = desiredOf(service);
      const instead = overrides.ofKind(service, 'stop');
      const [known] = instead;
      if (known && how.for === undefined && how.reason === undefined)
        return answer(desired, false, { override: overrideView(world, known) });
      const override = await overrides.add(service, { kind: 'stop' }, how, instead);
      return answer(desired, true, { override });
    },

    async start(service, actor) {
      const desired = desiredOf(service);
      const stopped = overrides.ofKind(service, 'stop');
      if (desired.stopped && isRetired(desired.stopped)) unstopped(service);
      if (stopped.length === 0 && desired.spec.schedule) return run(desired, actor, false);
      if (stopped.length === 0) return answer(requireSome(desired), false);
      await overrides.end(stopped, `started by ${actor}`);
      journal.add('service_started', service, `by ${actor}`);
      return answer(desiredOf(service), true);
    },

    async askTag(service, instance) {
      unstopped(service);
      if (instance !== undefined)
        refuse('REFUSED', instance, 'all instances come from one content', `oakctl restart ${service} --pull`);
      return tags.ask(service);
    },

    async restart(service, instance, actor, asked) {
      unstopped(service);
      const isMoved = asked ? await tags.renew(service, asked) : false;
      // Git may have stopped it while that was written.
      const desired = unstopped(service);
      if (!asked) tags.settle(service);
      if (desired.spec.schedule) {
        if (instance !== undefined)
          refuse('REFUSED', instance, 'the instances of a run begin together', `oakctl restart ${service}`);
        return run(desired, actor, true);
      }
      const slots = instance === undefined ? slotsOf(desired) : [slotIn(desired, instance, slotsOf(desired))];
      // What a restart under way has done so far was done with what the tag stood for before.
      const pending = isMoved ? {} : (desired.renew ?? {});
      const mark = copyId(world.fence);
      // Asked twice while it is under way: it is restarted once.
      const fresh = slots.filter((slot) => pending[slot] === undefined && hasCopy(service, slot));
      const after = slots
        .map((slot) => pending[slot])
        .reduce((a = mark, b = mark) => (compareCopyIds(a, b) <= 0 ? a : b), mark);
      const instances = slots.map((slot) => instanceName(service, slot));
      if (fresh.length === 0) return answer(desired, false, { instances, after: after ?? mark });
      await overrides.renew(service, { ...pending, ...Object.fromEntries(fresh.map((slot) => [slot, mark])) });
      journal.add('service_restarted', instance ?? service, `asked for by ${actor}`);
      return answer(desired, true, { instances, after: after ?? mark });
    },

    giveUp(moves) {
      for (const { instance, reason } of moves) {
        const named = parseInstanceName(instance);
        if (!named || world.deviations.get(named.service)?.renew[named.slot] === undefined) continue;
        // With the content before there is nothing in which the other new copies would differ.
        if (tags.giveUp(named.service)) overrides.forgetRenewals(named.service);
        else overrides.forgetRenewals(named.service, named.slot);
        journal.add('hold_added', instance, `it is not restarted, its new copy failed: ${reason}`);
      }
    },
  };

  function hasCopy(service: ServiceName, slot: number): boolean {
    if (doneOf(world, service).has(slot)) return true;
    return [...(world.copies.get(service)?.values() ?? [])].some(
      (copy) => copy.slot === slot && copy.job !== undefined,
    );
  }
}

function slotIn({ spec }: Desired, instance: string, slots: readonly number[]): number {
  const slot = parseInstanceName(instance)?.slot;
  if (slot !== undefined && slots.includes(slot)) return slot;
  const known = slots.length === 0 ? 'it has none' : `it has ${slots.join(', ')}`;
  return refuse('NOT_FOUND', instance, `${spec.name} has no such instance: ${known}`);
}

function refuse(code: ProblemCode, subject: string, message: string, hint?: string): never {
  throw new ProblemError(problem(code, message, { subject, ...(hint ? { hint } : {}) }));
}
