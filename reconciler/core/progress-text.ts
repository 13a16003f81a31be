/** What a service waits for, in one sentence. */
import type { Hold } from '../../schemas/status.ts';
import type { SeenCopy, Slot } from './instance-views.ts';
import { formatAge, nodeName, type ViewInput } from './view-input.ts';

export interface Progress {
  /** The digest that slots are on the way to; absent: away. */
  readonly digest?: string;
  readonly slots: readonly Slot[];
  readonly holds: readonly Hold[];
}

/** `2 of 3 healthy; web.default.web.default.instance.2: pulling on pi3 for 12 s`. `blocking` goes before all else. */
export function describe(input: ViewInput, progress: Progress, blocking?: Hold): string {
  const detail = blocking ? about(blocking) : firstDetail(input, progress);
  return detail === undefined ? count(progress) : `${count(progress)}; ${detail}`;
}

function count({ digest, slots }: Progress): string {
  const wanted = slots.filter((slot) => slot.wanted);
  if (wanted.length === 0) {
    const left = slots.reduce((sum, { copies }) => sum + copies.length, 0);
    return left === 0 ? 'no instance is wanted' : `${left} ${left === 1 ? 'copy is' : 'copies are'} to go`;
  }
  const healthy = wanted.filter(({ copies, done }) => done || copies.some((seen) => seen.healthy)).length;
  const updated = wanted.filter(
    ({ copies, done }) => done?.digest === digest || copies.some((seen) => seen.healthy && seen.digest === digest),
  ).length;
  const absent = wanted.filter((slot) => slot.absent).length;
  if (absent > 0 && updated === healthy) return `${updated} of ${wanted.length} updated, ${absent} absent`;
  const both = updated === healthy ? '' : `, ${updated} with the wanted version`;
  return `${healthy} of ${wanted.length} healthy${both}`;
}

/** A copy on the way that says what is wrong with it goes before instances that wait for their turn. */
function firstDetail(input: ViewInput, progress: Progress): string | undefined {
  const isTroubled = ({ wanted, copies }: Slot): boolean =>
    wanted && copies.some(({ copy, digest, healthy }) => digest === progress.digest && !healthy && copy.report?.reason);
  for (const slot of [...progress.slots.filter(isTroubled), ...progress.slots]) {
    if (slot.absent && progress.slots.some(({ absent }) => !absent)) continue;
    const detail = slot.wanted ? wantedDetail(input, slot, progress) : leavingDetail(input, slot);
    if (detail !== undefined) return detail;
  }
  return undefined;
}

function wantedDetail(input: ViewInput, slot: Slot, { digest, holds }: Progress): string | undefined {
  const near = slot.copies.filter(({ presence }) => presence !== 'lost');
  const isDone = slot.done?.digest === digest || near.some((seen) => seen.healthy && seen.digest === digest);
  if (isDone) {
    const left = near.find((seen) => seen.digest !== digest || !seen.healthy);
    const undone = holds.find(({ code, subject }) => code === 'IN_PROGRESS' && subject === slot.instance);
    if (!left) return undone && about(undone);
    return `${slot.instance}: the old copy ${left.copy.copy} on ${nodeName(input, left.copy.node)} is to go`;
  }
  const coming = near.find((seen) => seen.digest === digest && seen.want !== 'stopped');
  if (coming) return `${slot.instance}: ${activity(input, coming)}`;
  const hold = holds.find(({ subject }) => subject === slot.instance) ?? holds[0];
  if (hold) return about(hold, slot.instance);
  const [first] = near;
  if (first) return `${slot.instance}: ${activity(input, first)}`;
  return `${slot.instance}: ${slot.copies.length > 0 ? 'its node is lost' : 'no copy yet'}`;
}

function leavingDetail(input: ViewInput, slot: Slot): string | undefined {
  const seen = slot.copies.find(({ presence }) => presence !== 'lost') ?? slot.copies[0];
  if (!seen) return undefined;
  if (seen.presence === 'lost') return `${slot.instance}: waits for ${nodeName(input, seen.copy.node)}, which is lost`;
  return `${slot.instance}: ${activity(input, seen)}`;
}

/** `pulling on pi3 for 12 s: <reason>` */
function activity(input: ViewInput, seen: SeenCopy): string {
  const name = nodeName(input, seen.copy.node);
  const heard = seen.node?.heard;
  if (seen.presence === 'suspect') {
    if (seen.node?.stale) return `${name} is back and has not reported it yet`;
    return heard === undefined ? `${name} is silent` : `${name} is silent for ${formatAge(input.now.mono - heard)}`;
  }
  const since = seen.age === undefined ? '' : ` for ${formatAge(seen.age)}`;
  const reason = seen.copy.report?.reason;
  const settling =
    seen.status === 'running' && !seen.healthy && seen.want === 'run' ? ', not long enough to count' : '';
  return `${seen.status.replaceAll('_', ' ')} on ${name}${since}${settling}${reason ? `: ${reason.message}` : ''}`;
}

function about(hold: Hold, subject = hold.subject): string {
  return `${subject}: ${hold.message}`;
}
