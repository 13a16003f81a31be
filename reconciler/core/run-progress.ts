/** How the run of a job does, told from its copies. */
import { compareCopyIds } from '../../schemas/names.ts';
import type { Mono, Now } from '../../schemas/ports.ts';
import { earliest, type Seen, type Sight } from './classify.ts';
import { outcomeOf, type RunProgress } from './follow-schedule.ts';
import { failsAt } from './health.ts';
import type { Copy } from './model.ts';
import { isSeed } from './node-facts.ts';
import type { EndedRun, JobRun } from './runs.ts';
import type { WantedSlot } from './slots.ts';

type Kind = 'completed' | 'active' | 'assumed' | 'retrying' | 'failed' | 'lost' | 'unplaced';
type Result = Pick<EndedRun, 'exit_code' | 'node' | 'reason'>;

/** Of several copies of an instance, and of several instances of a run, the first of these counts. */
const weight: readonly Kind[] = ['completed', 'active', 'assumed', 'retrying', 'failed', 'lost', 'unplaced'];

/** Copies of a run. */
export type RunCopies = Omit<Sight, 'done'>;

export interface RunSight {
  readonly progress: RunProgress;
  /** Slots that have not come to their end. */
  readonly open: ReadonlySet<number>;
  /** When a copy that fails will have failed for good. */
  readonly wakeAt?: Mono;
}

/** The copies of a run are those that were made for it. */
export function isOf({ after }: JobRun, { copy }: Pick<Copy, 'copy'>): boolean {
  return compareCopyIds(copy, after) > 0;
}

/** Copies of the run. */
export function progressOf(
  wanted: readonly WantedSlot[],
  { seen, unread, ended: done }: RunCopies,
  now: Now,
): RunSight {
  const slots = wanted.map(({ slot }) => {
    const end = done.find((copy) => copy.slot === slot);
    if (end) return { slot, kind: 'completed' as const, result: { exit_code: end.report?.exit_code ?? 0 } };
    const isUnread = unread.some((copy) => copy.slot === slot);
    return {
      slot,
      ...slotOf(
        seen.filter(({ copy }) => copy.slot === slot),
        isUnread,
        now,
      ),
    };
  });
  const open = slots.filter(({ kind }) => kind !== 'completed' && kind !== 'failed');
  const fails = seen.map(({ copy }) => (copy.report?.status === 'failed' ? failsAt(copy) : undefined));
  const wakeAt = earliest(...fails.filter((at) => at !== undefined && at > now.mono));
  return {
    progress: open.length === 0 ? ended(slots) : underWay(open),
    open: new Set(open.map(({ slot }) => slot)),
    ...(wakeAt === undefined ? {} : { wakeAt }),
  };
}

interface SlotRun {
  readonly kind: Kind;
  readonly result: Result;
}

function ended(slots: readonly SlotRun[]): RunProgress {
  const failed = slots.find(({ kind }) => kind === 'failed');
  if (failed) return { is: 'ended', result: { outcome: 'failed', ...failed.result } };
  const [first] = slots;
  if (!first) return { is: 'ended', result: { outcome: 'stopped', reason: 'no instance is wanted any more' } };
  return { is: 'ended', result: { outcome: 'completed', ...first.result } };
}

function underWay(open: readonly SlotRun[]): RunProgress {
  const [first] = [...open].sort(byWeight);
  const is = first?.kind ?? 'unplaced';
  if (is === 'completed' || is === 'failed') return { is: 'unplaced', result: { outcome: outcomeOf.unplaced } };
  return { is, result: { outcome: outcomeOf[is], ...first?.result } };
}

function slotOf(seen: readonly Seen[], isUnread: boolean, now: Now): SlotRun {
  const [best] = seen.map((one) => ({ kind: kindOf(one, now), result: resultOf(one) })).sort(byWeight);
  if (best?.kind === 'completed' || (best && !isUnread)) return best;
  return { kind: isUnread ? 'active' : 'unplaced', result: {} };
}

function byWeight(a: SlotRun, b: SlotRun): number {
  return weight.indexOf(a.kind) - weight.indexOf(b.kind);
}

function kindOf({ copy, node, presence, healthy }: Seen, now: Now): Kind {
  const status = copy.report?.status;
  if (status === 'completed') return 'completed';
  if (status === 'failed' && (failsAt(copy) ?? Number.POSITIVE_INFINITY) <= now.mono) return 'failed';
  if (isSeed(node) && healthy) return 'assumed';
  if (presence.state === 'lost') return 'lost';
  // What is silent may run again by now.
  if (presence.state === 'suspect') return 'active';
  return status === 'failed' || status === 'backing_off' || status === 'crash_loop' ? 'retrying' : 'active';
}

function resultOf({ copy: { report }, node }: Seen): Result {
  const code = report?.exit_code ?? (report?.status === 'completed' ? 0 : undefined);
  return {
    node: node.record.name,
    ...(code === undefined ? {} : { exit_code: code }),
    ...(code === undefined && report?.reason ? { reason: report.reason.message } : {}),
  };
}
