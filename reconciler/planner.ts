/**
 * The heart of the loop: takes the services that something dirtied, plans each, makes its decisions count at once, and tells the
 * nodes. Rollout records are on disk before the controls that depend on them are sent. While the disk takes nothing, nothing is decided:
 * what was right then may be wrong when it does.
 */
import { canonicalJson } from '../schemas/digest.ts';
import type { CopyId, InstanceName, ServiceName } from '../schemas/names.ts';
import type { Mono } from '../schemas/ports.ts';
import { isProblemError } from '../schemas/problem.ts';
import type { Hold } from '../schemas/status.ts';
import type { Context } from './context.ts';
import type { ServicePlan } from './core/action.ts';
import type { StuckMove } from './core/deviations.ts';
import { holdKey, passingHolds } from './core/holds.ts';
import type { Rollout } from './core/model.ts';
import { type Carried, carryOut, takeDirty } from './core/plan.ts';
import { planService } from './core/plan-service.ts';
import { apply } from './core/world.ts';
import type { Dispatcher } from './dispatch.ts';
import { withEntries, withEntry } from './records-keeper.ts';

export interface Planner {
  /** Something is dirty: plan soon, once for all that comes in this turn. */
  wake(): void;
  /** Stops planning; sends what was decided once it is on disk. */
  stop(): Promise<void>;
}

/** Who wants to know of what is planned. */
export interface Notices {
  /** Looks at a service right before it is planned. */
  before(service: ServiceName): void;
  /** This copy is started because the node of the one before it is lost. */
  replacing(instance: InstanceName, copy: CopyId): void;
  /** Moves came to nothing: told before anything else is planned. */
  gaveUp(moves: readonly StuckMove[]): void;
}

const saveRetry = 1_000;

export function createPlanner(context: Context, dispatcher: Dispatcher, notices: Notices): Planner {
  const { before, replacing, gaveUp } = notices;
  const { deps, world, keeper, plans, journal } = context;
  const wakes = new Map<ServiceName, () => void>();
  /** Holds that the journal was told of, by service. */
  const said = new Map<ServiceName, ReadonlyMap<string, Hold>>();
  /** Rollouts that the plans of this cycle changed: one by one, each for a copy of all, ten thousand services would take half a minute. */
  const rollouts = new Map<ServiceName, Rollout | undefined>();
  let scheduled = false;
  let running = false;
  let stopped = false;
  let cancelRetry = (): void => undefined;
  /** The disk refused: it is asked again after a while, and not for every message. */
  let isRefused = false;

  const wake = (): void => {
    if (scheduled || stopped || (isRefused && keeper.trouble)) return;
    scheduled = true;
    queueMicrotask(() => {
      scheduled = false;
      if (!running) void cycle();
    });
  };

  const cycle = async (): Promise<void> => {
    running = true;
    try {
      do {
        const begun = deps.clock.now().mono;
        /** What counts already, and nobody was told yet. */
        const decided: Carried[] = [];
        let services = 0;
        if (!keeper.trouble) {
          for (const name of takeDirty(world)) {
            services += 1;
            decided.push(...planOne(name));
          }
          recordRollouts();
        }
        await keeper.saved().catch((error: unknown) => {
          takeBack(decided);
          throw error;
        });
        for (const one of decided) tell(one);
        dispatcher.flush();
        deps.meter?.reconciled({ ms: deps.clock.now().mono - begun, services, actions: decided.length });
      } while (world.dirty.size > 0 && !stopped);
    } catch (error) {
      if (!isProblemError(error)) return deps.fatal(error instanceof Error ? error : new Error(String(error)));
      // Records cannot be written: what has to be done is decided anew once they can.
      deps.log('error', 'records_unwritable', { why: error.message });
      cancelRetry();
      isRefused = true;
      cancelRetry = deps.clock.after(saveRetry, () => {
        isRefused = false;
        wake();
      });
    } finally {
      running = false;
    }
  };

  /** What it decided. */
  const planOne = (name: ServiceName): readonly Carried[] => {
    before(name);
    const now = deps.clock.now();
    const plan = planService(world, name, context.policy(), now);
    note(name, plan);
    if (isForgotten(name, plan)) plans.delete(name);
    else plans.set(name, plan);
    noteRollout(name, plan.rollout);
    recordSchedule(name, plan);
    const decided = carryOut(world, name, plan, now.mono);
    for (const one of decided) decide(one);
    setWake(name, plan.wakeAt, now.mono);
    if (plan.stuck) gaveUp(plan.stuck);
    return decided;
  };

  const isForgotten = (name: ServiceName, plan: ServicePlan): boolean =>
    !world.desired.has(name) && plan.holds.length === 0 && plan.actions.length === 0 && !world.copies.has(name);

  const decide = ({ action, promised }: Carried): void => {
    if (action.kind === 'start' && action.placed && keeper.now.homes[action.instance] !== action.node) {
      keeper.change({ homes: withEntry(keeper.now.homes, action.instance, action.node) });
    }
    dispatcher.queue({ action, ...promised });
  };

  /** Nobody was told: the world is as before, unless something else came between, and all of it is decided anew. The last one first. */
  const takeBack = (decided: readonly Carried[]): void => {
    for (const { action, promised } of [...decided].reverse()) {
      world.dirty.add(action.service);
      if (world.nodes.get(promised.node)?.part !== promised.after) continue;
      apply(world, { kind: 'unpromised', action, promised });
      if (action.kind === 'start' && action.placed)
        keeper.change({ homes: withEntry(keeper.now.homes, action.instance, promised.home) });
      dispatcher.forget(promised.node);
    }
  };

  const tell = ({ action, promised }: Carried): void => {
    const node = world.nodes.get(action.node)?.record.name ?? action.node;
    if (action.kind === 'start' && action.replaces !== undefined) replacing(action.instance, promised.copy);
    if (action.kind === 'start')
      journal.add('instance_started', action.instance, `${action.why}; on ${node} as ${promised.copy}`);
    if (action.kind === 'drop')
      journal.add('instance_stopped', action.instance, `${action.why}; ${action.copy} on ${node}`);
  };

  const noteRollout = (name: ServiceName, rollout: Rollout | undefined): void => {
    const old = rollouts.has(name) ? rollouts.get(name) : keeper.now.rollouts[name];
    if (old === rollout || (old && rollout && canonicalJson(old) === canonicalJson(rollout))) return;
    rollouts.set(name, rollout);
    if (!rollout || old?.phase === rollout.phase) return;
    if (rollout.phase === 'settled')
      journal.add('service_settled', name, `${rollout.digest.slice(0, 10)} runs and is healthy`);
    if (rollout.phase === 'failed') journal.add('service_failed', name, rollout.reason ?? 'the wanted digest failed');
    if (rollout.phase === 'rolled_back')
      journal.add('service_rolled_back', name, rollout.reason ?? 'the last good digest runs again');
  };

  const recordRollouts = (): void => {
    if (rollouts.size > 0) keeper.change({ rollouts: withEntries(keeper.now.rollouts, rollouts) });
    rollouts.clear();
  };

  const recordSchedule = (name: ServiceName, { schedule, news = [] }: ServicePlan): void => {
    const old = keeper.now.schedules[name];
    if (old === schedule || (old && schedule && canonicalJson(old) === canonicalJson(schedule))) return;
    keeper.change({ schedules: withEntry(keeper.now.schedules, name, schedule) });
    for (const { kind, message } of news) journal.add(kind, name, message);
  };

  const note = (name: ServiceName, { holds }: ServicePlan): void => {
    const before = said.get(name) ?? new Map<string, Hold>();
    const now = new Map<string, Hold>();
    for (const hold of holds.filter(({ code }) => !passingHolds.has(code))) {
      now.set(holdKey(hold), hold);
      if (!before.has(holdKey(hold))) journal.add('hold_added', hold.subject, `${hold.code}: ${hold.message}`);
    }
    const trying = new Set(holds.filter(({ code }) => passingHolds.has(code)).map(({ subject }) => subject));
    for (const [key, hold] of before) {
      if (now.has(key)) continue;
      // A copy that failed and tries again is no news until it is well, or gone.
      if (failing.has(hold.code) && trying.has(hold.subject)) now.set(key, hold);
      else journal.add('hold_cleared', hold.subject, hold.code);
    }
    if (now.size > 0) said.set(name, now);
    else said.delete(name);
  };

  const setWake = (name: ServiceName, at: Mono | undefined, now: Mono): void => {
    wakes.get(name)?.();
    wakes.delete(name);
    if (at === undefined) return;
    wakes.set(
      name,
      deps.clock.after(Math.max(1, at - now), () => {
        world.dirty.add(name);
        wake();
      }),
    );
  };

  return {
    wake,
    async stop() {
      stopped = true;
      cancelRetry();
      for (const cancel of wakes.values()) cancel();
      await keeper.saved();
      dispatcher.flush();
    },
  };
}

/** Holds of copies that are tried again and again. */
const failing: ReadonlySet<string> = new Set(['COPY_FAILED', 'UNHEALTHY', 'CRASH_LOOP']);
