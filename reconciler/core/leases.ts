/**
 * Exclusive services: which copy may have the lease, and when the one before it has surely stopped. A lease counts from the moment
 * at which the agent sent the beat that it answers, and the agent stops its copy before the end; here it counts from when the answer was
 * given, which is later, and longer by what clocks, an agent that starts again, and the stop itself may take. So delays only make
 * the gap wider.
 */
import type { Job } from '../../schemas/messages.ts';
import {
  type CopyId,
  compareCopyIds,
  compareFence,
  type InstanceName,
  type NodeId,
  type ServiceName,
} from '../../schemas/names.ts';
import type { Mono, Now } from '../../schemas/ports.ts';
import type { RunSpec } from '../../schemas/spec.ts';
import type { Hold } from '../../schemas/status.ts';
import { copyKey } from './copy-index.ts';
import { isUp, runs, seconds } from './health.ts';
import type { Copy, Node, Policy, View } from './model.ts';
import { knowledgeOf, presenceOf } from './presence.ts';

/** Who has the lease of an exclusive service, or had it last. In records/ (but for `granted`) before it is told. */
export interface Lease {
  readonly instance: InstanceName;
  readonly copy: CopyId;
  readonly node: NodeId;
  /** Its length in ms. */
  readonly ms: number;
  /** ms after the last answer that gave it until the copy has surely stopped. */
  readonly wait: number;
  /** When it was given last. Absent: by an earlier process, at a time that nobody knows. */
  readonly granted?: Mono;
}

/** Two clocks differ by less than this share of a time. */
const drift = 0.02;
/** ms for which an agent that starts again lets a copy go on without a lease (its `firstWord`), at most. */
const restartGrace = 5_000;
/** ms that an engine takes beyond the grace of a stop, an agent to look at its clock, and the like. */
const slack = 6_000;
const defaultGrace = 10_000;

/** ms from the last answer until the copy has surely stopped. */
export function waitOf(away: NonNullable<Job['away']>, run: Pick<RunSpec, 'stop_grace'> | undefined): number {
  const { stop_after } = away;
  return Math.ceil(stop_after * (1 + drift)) + (run?.stop_grace ?? defaultGrace) + restartGrace + slack;
}

/** A copy that is to run and asks for the lease. */
export interface Asking {
  readonly service: ServiceName;
  readonly instance: InstanceName;
  readonly copy: CopyId;
  readonly node: NodeId;
  /** ms from the last answer until a copy like it has surely stopped, see `waitOf`. */
  readonly wait: number;
}

/**
 * `holder`: it has the lease, which may be given again. `free`: nobody else can be running: it may become the holder, once that is on
 * record. Otherwise: why not yet.
 */
export type Standing = 'holder' | 'free' | Waiting;

export interface Waiting {
  readonly message: string;
  readonly hint?: string;
  readonly changesAt?: Mono;
}

/** How a copy stands to the lease of its service. */
export function standingOf(view: View, asking: Asking, policy: Policy, now: Now): Standing {
  const lease = view.leases.get(asking.service);
  if (lease?.instance === asking.instance && lease.copy === asking.copy) {
    return overtaken(view, asking.service, lease, policy, now) ?? 'holder';
  }
  const held = lease && stillHeld(view, asking, lease, policy, now);
  if (held) return held;
  for (const other of view.copies.get(asking.service)?.values() ?? []) {
    const isIt = other.instance === asking.instance && other.copy === asking.copy;
    const wasHolder = other.instance === lease?.instance && other.copy === lease.copy;
    if (isIt || wasHolder || isSibling(asking, other) || hasStopped(view, other, policy, now)) continue;
    // Who needs a lease and never had it does not run. Who runs has none to need, or is not known to.
    if (other.job?.away?.exclusive && !isUp(other)) continue;
    return { message: `${describe(view, other)} may still run` };
  }
  return onStranger(view, Math.max(asking.wait, lease?.wait ?? 0), now) ?? 'free';
}

/**
 * Why the holder on record has no lease by now: what is on record is from before, as in a backup. A later copy runs by what its node
 * says, which it cannot without the lease; or did, by the last word of a node that this process has not heard yet.
 */
export function overtaken(
  view: View,
  service: ServiceName,
  lease: Lease,
  policy: Policy,
  now: Now,
): Waiting | undefined {
  const later = laterCopies(view, service, lease);
  const heard = later.find(({ job, node: id }) => {
    const node = view.nodes.get(id);
    return job?.away?.exclusive && node && knowledgeOf(node, policy, now).state === 'online';
  });
  if (heard) return { message: `${describe(view, heard)} runs, and came after it` };
  const copy = view.copies.get(service)?.get(copyKey(lease.instance, lease.copy));
  // What runs has the lease, so that nobody else has.
  if (copy && runs(copy)) return undefined;
  const unheard = later.find(({ node }) => view.nodes.get(node)?.heard === undefined);
  return (unheard && onUnheard(view, unheard, lease, now)) ?? onStranger(view, lease.wait, now);
}

/** Copies that came after the one that has the lease on record, and run by the last word of their nodes. */
function laterCopies(view: View, service: ServiceName, lease: Lease): Copy[] {
  return [...(view.copies.get(service)?.values() ?? [])].filter(
    (other) => compareCopyIds(other.copy, lease.copy) > 0 && !isSibling(lease, other) && runs(other),
  );
}

/** What an earlier process gave has ended once this one has waited for that long. */
function onUnheard(view: View, copy: Copy, { granted, wait }: Lease, { mono }: Now): Waiting | undefined {
  const message = `${describe(view, copy)} came after it, and may still run`;
  if (granted === undefined) return { message };
  const changesAt = (granted + wait) as Mono;
  return mono < changesAt ? { message, changesAt } : undefined;
}

/** A node that no record knows may run it, until nobody can have answered it for `wait` ms. */
function onStranger({ stranger }: View, wait: number, { mono }: Now): Waiting | undefined {
  const changesAt = stranger && ((stranger.at + wait) as Mono);
  if (!stranger || !changesAt || mono >= changesAt) return undefined;
  const until = `until that one was silent for ${seconds(wait)}`;
  return {
    message: `node ${stranger.node} is of this cluster and on no record: it may run there, and waits ${until}`,
    hint: `restore records/ from a backup that knows it; or give it up: oakctl nodes rm ${stranger.node}`,
    changesAt,
  };
}

/** On one node the copies of one instance follow each other by themselves: its agent stops before it starts. */
function isSibling(
  asking: Pick<Asking, 'instance' | 'node'>,
  { instance, node, job }: Pick<Copy, 'instance' | 'node' | 'job'>,
): boolean {
  return asking.instance === instance && asking.node === node && job?.want !== 'run';
}

function stillHeld(
  view: View,
  asking: Omit<Asking, 'wait'>,
  lease: Lease,
  policy: Policy,
  now: Now,
): Waiting | undefined {
  const node = view.nodes.get(lease.node);
  const where = `copy ${lease.copy} on ${node?.record.name ?? 'a node that was removed'}`;
  const copy = view.copies.get(asking.service)?.get(copyKey(lease.instance, lease.copy));
  if (node?.adopted && isSibling(asking, { ...lease, ...(copy?.job ? { job: copy.job } : {}) })) return undefined;
  const presence = node && presenceOf(node, policy, now);
  if (node && presence?.state === 'online') {
    const stopped = copy ? hasStopped(view, copy, policy, now) : isFresh(node);
    return stopped ? undefined : { message: `${where} has the lease, and has not said that it stopped` };
  }
  if (lease.granted === undefined) return { message: `${where} has a lease of unknown age` };
  const until = (lease.granted + lease.wait) as Mono;
  if (now.mono >= until) return undefined;
  const message = `${where} may run on its lease; it has surely stopped in ${seconds(until - now.mono)}`;
  return { message, changesAt: until };
}

/** Has the last holder surely stopped, whoever asks? */
export function hasEnded(view: View, service: ServiceName, policy: Policy, now: Now): boolean {
  const lease = view.leases.get(service);
  return !lease || stillHeld(view, { service, instance: '', copy: '', node: '' }, lease, policy, now) === undefined;
}

/** Its node says so, and has heard that it is not to run. */
function hasStopped(view: View, { job, report, node: id }: Copy, policy: Policy, now: Now): boolean {
  const node = view.nodes.get(id);
  if (!node) return true;
  if (job?.want === 'run' || !isFresh(node) || presenceOf(node, policy, now).state !== 'online') return false;
  return report ? report.want !== 'run' && !isUp({ report }) : job === undefined;
}

/** Its last report is about what it was told last. */
function isFresh({ adopted, stale, reported, part }: Node): boolean {
  return adopted && !stale && reported !== undefined && compareFence(reported, part.fence) >= 0;
}

function describe(view: View, { copy, instance, node, job }: Copy): string {
  const name = view.nodes.get(node)?.record.name ?? node;
  const lacks = job?.away?.exclusive ? '' : ', without a lease,';
  return `copy ${copy} of ${instance}${lacks} on ${name}`;
}

/** The copy runs as soon as it gets the lease; undefined: it has it, or will at the next beat. `changesAt`: when time alone ends the wait. */
export function leaseHold(
  view: View,
  asking: Asking,
  policy: Policy,
  now: Now,
): { readonly hold: Hold; readonly changesAt?: Mono } | undefined {
  const standing = standingOf(view, asking, policy, now);
  if (standing === 'holder' || standing === 'free') return undefined;
  const { changesAt, ...said } = standing;
  const hold: Hold = { code: 'LEASE_WAITING', subject: asking.instance, ...said };
  return { hold, ...(changesAt === undefined ? {} : { changesAt }) };
}
