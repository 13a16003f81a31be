/** `depends_on`: the first start of a service waits until others are healthy. Afterwards nobody waits, whatever becomes of them. */
import type { ServiceName } from '../../schemas/names.ts';
import type { Now } from '../../schemas/ports.ts';
import { type Seen, seeCopies } from './classify.ts';
import type { Desired, Policy, Rollout, View } from './model.ts';
import { wantedSlots } from './slots.ts';
import { wantedOf } from './wanted.ts';

export interface Awaited {
  readonly names: readonly ServiceName[];
  /** `waits for a (1 of 2 healthy), b (nobody asks for it)` */
  readonly message: string;
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
    const why = whyNotReady(view, name, policy, now);
    return why === undefined ? [] : [{ name, why }];
  });
  if (open.length === 0) return undefined;
  return {
    names: open.map(({ name }) => name),
    message: `waits for ${open.map(({ name, why }) => `${name} (${why})`).join(', ')}`,
  };
}

/** Every wanted slot has a healthy copy, of whatever version; of a job that runs once: one that came to its end. */
function whyNotReady(view: View, name: ServiceName, policy: Policy, now: Now): string | undefined {
  const desired = wantedOf(view, name);
  if (!desired) return 'nobody asks for it';
  if (desired.spec.schedule) {
    const hasCompleted = view.schedules.get(name)?.runs.some(({ outcome }) => outcome === 'completed');
    return hasCompleted ? undefined : 'no run of it has completed yet';
  }
  const slots = wantedSlots(view, desired);
  if (slots.length === 0) return 'it has no instance';
  const { seen, done } = seeCopies(view, name, policy, now, desired.spec.update.settle);
  const { one_shot: isJob } = desired.spec.run;
  const isReady = ({ copy, healthy, presence }: Seen): boolean =>
    isJob ? copy.report?.status === 'completed' : healthy && presence.state !== 'lost';
  const ready = new Set([...seen.filter(isReady).map(({ copy }) => copy.slot), ...(isJob ? done.keys() : [])]);
  const count = slots.filter(({ slot }) => ready.has(slot)).length;
  return count === slots.length ? undefined : `${count} of ${slots.length} ${isJob ? 'completed' : 'healthy'}`;
}
