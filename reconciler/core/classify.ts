/** Sorts the copies of a service by slot, and says for each slot which copy counts. Decides nothing about what to do. */
import type { Job } from '../../schemas/messages.ts';
import { compareCopyIds, type NodeId } from '../../schemas/names.ts';
import type { Mono, Now } from '../../schemas/ports.ts';
import type { OnReturn, RunSpec } from '../../schemas/spec.ts';
import { doneOf, endOf, isAnswer, isCompleted, lastOf } from './done.ts';
import { isLeaving } from './drain.ts';
import { type Health, healthOf, mayRun, runs } from './health.ts';
import type { Copy, Done, Node, Policy, View } from './model.ts';
import { knowledgeOf, type Presence } from './presence.ts';
import type { WantedSlot } from './slots.ts';

/** A promised copy with what its node says about it. */
export interface Seen extends Health {
  readonly copy: Copy;
  readonly job: Job;
  readonly node: Node;
  readonly presence: Presence;
  /** What it was told to run. */
  readonly run: RunSpec;
}

export interface SlotState extends WantedSlot {
  /** On a node that is there, with the target digest (and where it is bound to be): the one that counts. */
  readonly target?: Seen;
  /** On a node that is there, with another digest: what runs until the target does. */
  readonly current?: Seen;
  /** On nodes that are there: copies that nothing is kept for. */
  readonly extra: readonly Seen[];
  /** On suspect nodes: may well run. */
  readonly silent: readonly Seen[];
  readonly lost: readonly Seen[];
  /** The last copy that came to its end, of whatever version and wherever. */
  readonly finished?: Done;
  /** It is of the target, and nothing of that is there any more. What is done need not be done again. */
  readonly done?: Done;
  /** Reported by nodes that were not adopted yet and are not lost. */
  readonly unread: readonly Copy[];
}

/** What a slot should run. */
export interface Target {
  readonly digest: string;
  readonly run: RunSpec;
  /** Digest of the last good run spec: among healthy copies it is worth more than another. */
  readonly good?: string;
  /** Which of two equally good copies stays. Absent: the newer one. */
  readonly onReturn?: OnReturn;
}

export interface Survey {
  readonly slots: readonly SlotState[];
  /** Copies of slots that are not wanted, on any node. */
  readonly surplus: readonly Seen[];
}

const defaultSettle = 10_000;

/** Copies of a service as they are known. */
export interface Sight {
  /** Every promised one. */
  readonly seen: readonly Seen[];
  /** Reported by nodes that were not adopted yet and are not lost. */
  readonly unread: readonly Copy[];
  /** One-shot copies that completed, as a node reported that was not adopted, and is lost. */
  readonly ended: readonly Copy[];
  /** On record, by slot. */
  readonly done: ReadonlyMap<number, Done>;
}

/** All copies of a service. */
export function seeCopies(view: View, service: string, policy: Policy, now: Now, settle = defaultSettle): Sight {
  const seen: Seen[] = [];
  const unread: Copy[] = [];
  const ended: Copy[] = [];
  const presences = new Map<NodeId, Presence>();
  const patience = view.desired.get(service)?.spec.disconnect?.replace_after;
  for (const copy of view.copies.get(service)?.values() ?? []) {
    const node = view.nodes.get(copy.node);
    if (!node) continue;
    const presence = presences.get(copy.node) ?? knowledgeOf(node, policy, now, patience);
    presences.set(copy.node, presence);
    if (copy.job && node.adopted) {
      const run = node.part.documents[copy.job.digest] ?? { virtualization: 'container', code: '' };
      seen.push({ copy, job: copy.job, node, presence, run, ...healthOf(copy, run, settle, now.mono) });
    } else if (!node.adopted && presence.state !== 'lost') unread.push(copy);
    else if (!node.adopted && isCompleted(copy)) ended.push(copy);
  }
  const done = doneOf(view, service);
  return { seen: seen.sort((a, b) => compareCopyIds(b.copy.copy, a.copy.copy)), unread, ended, done };
}

/** Sorts the copies into the wanted slots. Input order does not matter. `hasFailed`: this copy will not become healthy. */
export function survey(
  wanted: readonly WantedSlot[],
  copies: Pick<Sight, 'seen' | 'unread'> & Partial<Sight>,
  target: Target,
  hasFailed: (seen: Seen) => boolean = () => false,
): Survey {
  const slots = new Set(wanted.map(({ slot }) => slot));
  const seen = bySlot(copies.seen, ({ copy }) => copy.slot);
  const unread = bySlot(copies.unread, (copy) => copy.slot);
  const ended = bySlot(copies.ended ?? [], (copy) => copy.slot);
  const of = <T>(groups: ReadonlyMap<number, readonly T[]>, slot: number): readonly T[] => groups.get(slot) ?? [];
  const worth = [false, true].map((canGoBack) => byWorth(target, hasFailed, canGoBack)) as [Compare, Compare];
  const order: Order = (canGoBack) => worth[canGoBack ? 1 : 0];
  return {
    slots: wanted.map((one) => {
      const { slot } = one;
      const known = copies.done?.get(slot);
      const own = { seen: of(seen, slot), unread: of(unread, slot), ended: of(ended, slot), known };
      return slotState(one, own, target, order);
    }),
    surplus: copies.seen.filter(({ copy }) => !slots.has(copy.slot)),
  };
}

function bySlot<T>(items: readonly T[], slotOf: (item: T) => number): ReadonlyMap<number, readonly T[]> {
  const groups = new Map<number, T[]>();
  for (const item of items) {
    const group = groups.get(slotOf(item));
    if (group) group.push(item);
    else groups.set(slotOf(item), [item]);
  }
  return groups;
}

type Compare = (a: Seen, b: Seen) => number;
/** By whether there is a copy to go back to. */
type Order = (canGoBack: boolean) => Compare;

function slotState(
  wanted: WantedSlot,
  { seen, unread, ended, known }: Omit<Sight, 'done'> & { readonly known: Done | undefined },
  target: Target,
  order: Order,
): SlotState {
  const here = seen.filter(({ presence }) => presence.state === 'online');
  const isAt = (place: NodeId | undefined): boolean =>
    here.some(({ job, node }) => job.digest === target.digest && node.record.id === place);
  const place = wanted.bound ?? wanted.to ?? (isAt(wanted.stays) ? wanted.stays : undefined);
  const isNew = ({ copy }: Copy): boolean => wanted.after === undefined || compareCopyIds(copy, wanted.after) > 0;
  const isTarget = ({ copy, job, node }: Seen): boolean =>
    job.digest === target.digest &&
    isNew(copy) &&
    (place === undefined ? !isLeaving(node, copy) : place === node.record.id);
  const targets = here.filter(isTarget);
  const canGoBack = targets.some(({ job }) => job.want !== 'run');
  const best = targets.sort(order(canGoBack))[0];
  const others = here.filter((one) => !isTarget(one) && one.job.want !== 'prepared').sort(order(true));
  const current = others[0];
  const finished = lastOf([
    ...seen.flatMap(({ copy, job }) => (isCompleted(copy) ? [endOf(copy, job.digest)] : [])),
    ...ended.map((copy) => endOf(copy, copy.report?.digest)),
    ...(known ? [known] : []),
  ]);
  const isDone = !best && finished && isAnswer(finished, { digest: target.digest, place, after: wanted.after });
  return {
    ...wanted,
    ...(best ? { target: best } : {}),
    ...(current ? { current } : {}),
    ...(finished ? { finished } : {}),
    ...(isDone ? { done: finished } : {}),
    extra: here.filter((one) => one !== best && one !== current),
    silent: seen.filter(({ presence }) => presence.state === 'suspect'),
    lost: seen.filter(({ presence }) => presence.state === 'lost'),
    unread,
  };
}

/**
 * Healthy first (the last good digest before others), then what is meant to run (what runs before what is on its way or unhealthy),
 * then what was stopped for another copy, and that one only if it failed. Where nothing was stopped, what runs goes before what is
 * unknown though its time is over: it may have been well for long, and only just begun again. Among equals as `on_return` says, then the newer copy.
 */
function byWorth({ good, onReturn }: Target, hasFailed: (seen: Seen) => boolean, canGoBack: boolean): Compare {
  const rank = (seen: Seen): number => {
    const { healthy, job, copy } = seen;
    if (healthy) return job.digest === good ? 4 : 3;
    if (job.want !== 'run') return 0;
    const isRunning = runs(copy) && copy.report?.status !== 'unhealthy';
    if (hasFailed(seen) && (canGoBack || !isRunning)) return -1;
    return isRunning ? 2 : 1;
  };
  const newer = (a: Seen, b: Seen): number => compareCopyIds(b.copy.copy, a.copy.copy);
  const longer = (a: Seen, b: Seen): number => (a.copy.since ?? 0) - (b.copy.since ?? 0);
  const tie = (a: Seen, b: Seen): number => {
    // Of what does not serve, nothing was kept for the sake of the return.
    if (!a.healthy || onReturn === undefined) return newer(a, b);
    return onReturn === 'original' ? newer(b, a) : longer(a, b) || newer(a, b);
  };
  return (a, b) => rank(b) - rank(a) || tie(a, b);
}

/** A copy of it runs, as far as anybody knows, on a node that is silent for now, or whose ledger is unread. */
export function runsUnseen({ silent, unread }: SlotState): boolean {
  return silent.some(({ copy }) => mayRun(copy)) || unread.some(mayRun);
}

/** The earliest of the given moments. */
export function earliest(...moments: readonly (Mono | undefined)[]): Mono | undefined {
  const known = moments.filter((moment) => moment !== undefined);
  return known.length === 0 ? undefined : (Math.min(...known) as Mono);
}
