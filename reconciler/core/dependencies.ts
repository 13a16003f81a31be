/** `depends_on`: the first start of a service waits until others are healthy. Afterwards nobody waits, whatever becomes of them. */
import type { ServiceName } from '../../schemas/names.ts';
import type { Mono, Now } from '../../schemas/ports.ts';
import { earliest, type Seen, seeCopies } from './classify.ts';
import type { Desired, Policy, Rollout, View } from './model.ts';
import { wantedSlots } from './slots.ts';
import { wantedOf } from './wanted.ts';

export interface Awaited {
  readonly names: readonly ServiceName[];
  /** `waits for a (1 of 2 healthy), b (nobody asks for it)` */
  readonly message: string;
  /** When copies of them will have run for long enough: by time alone, of which their own plans may say nothing. */
  readonly wakeAt?: Mono;
}

/** What the service waits for; undefined: nothing, or it was healthy before. */
export function awaitedBy(
  view: View,
  { spec }: Desired,
  rollout: Rollout,
  policy: Policy,
  now: Now,
): Awaited | undefined {
  if (!spec.depends_on || rollout.good) return undefined;
  const open = spec.depends_on.flatMap((name) => {
    const lack = lackOf(view, name, policy, now);
    return lack === undefined ? [] : [{ name, ...lack }];
  });
  if (open.length === 0) return undefined;
  const wakeAt = earliest(...open.map((one) => one.wakeAt));
  return {
    names: open.map(({ name }) => name),
    message: `waits for ${open.map(({ name, why }) => `${name} (${why})`).join(', ')}`,
    ...(wakeAt === undefined ? {} : { wakeAt }),
  };
}

interface Lack {
  readonly why: string;
  readonly wakeAt?: Mono | undefined;
}

/** Undefined: every wanted slot has a healthy copy, of whatever version; of a job that runs once: one that came to its end. */
function lackOf(view: View, name: ServiceName, policy: Policy, now: Now): Lack | undefined {
  const desired = wantedOf(view, name);
  if (!desired) return { why: 'nobody asks for it' };
  if (desired.spec.schedule) {
    const hasCompleted = view.schedules.get(name)?.runs.some(({ outcome }) => outcome === 'completed');
    return hasCompleted ? undefined : { why: 'no run of it has completed yet' };
  }
  const slots = wantedSlots(view, desired);
  if (slots.length === 0) return { why: 'it has no instance' };
  const { seen, done } = seeCopies(view, name, policy, now, desired.spec.update.settle);
  const { one_shot: isJob } = desired.spec.run;
  const isReady = ({ copy, healthy, presence }: Seen): boolean =>
    isJob ? copy.report?.status === 'completed' : healthy && presence.state !== 'lost';
  const ready = new Set([...seen.filter(isReady).map(({ copy }) => copy.slot), ...(isJob ? done.keys() : [])]);
  const count = slots.filter(({ slot }) => ready.has(slot)).length;
  if (count === slots.length) return undefined;
  const why = `${count} of ${slots.length} ${isJob ? 'completed' : 'healthy'}`;
  return { why, wakeAt: earliest(...seen.map(({ settlesAt }) => settlesAt)) };
}
