/** Instances as people see them: one line per slot, told by the copy that matters most there. */

import { type CopyId, compareCopyIds, instanceName, type NodeId, type ServiceName } from '../../schemas/names.ts';
import type { RunSpec } from '../../schemas/spec.ts';
import { type CopyStatus, copyStatuses, driftKinds, type Want } from '../../schemas/status.ts';
import type { CopyView, DriftView, InstanceView } from '../../schemas/views.ts';
import { doneOf, isAnswer } from './done.ts';
import { healthOf } from './health.ts';
import type { Copy, Desired, Done, Node } from './model.ts';
import { isSeed } from './node-facts.ts';
import { knowledgeOf, type Presence, presenceOf } from './presence.ts';
import { targetOf } from './rollout.ts';
import { endOfCopy } from './schedule-views.ts';
import { type WantedSlot, wantedSlots } from './slots.ts';
import { nodeName, optional, rolloutOf, type ViewInput } from './view-input.ts';
import { wantedOf } from './wanted.ts';

/** When neither descriptor nor record says how long a copy must run to count as healthy, in ms. */
const defaultSettle = 10_000;
/** Stands for a run spec that nobody told us: without a healthcheck. */
const unknownRun: RunSpec = { virtualization: 'container', code: '' };

/** A copy with what it takes to judge it. */
export interface SeenCopy {
  readonly copy: Copy;
  readonly node?: Node;
  /** Of its node; a node that nobody knows is lost. */
  readonly presence: Presence['state'];
  readonly want: Want;
  readonly digest?: string;
  readonly status: CopyStatus;
  /** Runs as it should, as far as its node was heard lately, and is not about to be stopped. */
  readonly healthy: boolean;
  /** ms since its status was reached. */
  readonly age?: number;
}

export interface Slot {
  readonly slot: number;
  readonly instance: string;
  readonly wanted: boolean;
  /** The node that it was told to be on or belongs to, and the copy up to which it is to be replaced. */
  readonly place?: NodeId;
  readonly after?: CopyId;
  /** It belongs to a node that is lost: nobody else can take it, and nobody waits for it. */
  readonly absent: boolean;
  /** The one that matters most first. */
  readonly copies: readonly SeenCopy[];
  /** It is done, as is on record, and nothing of it needs to be there any more. */
  readonly done?: Done;
}

/** Instances of all services, by name and slot. */
export function instanceViews(input: ViewInput): readonly InstanceView[] {
  return serviceNames(input).flatMap((service) =>
    slotsOf(input, service).map((slot) => instanceView(input, service, slot)),
  );
}

/** Every service that is wanted or has a copy, sorted. */
export function serviceNames(input: ViewInput): readonly ServiceName[] {
  return [...new Set([...input.view.desired.keys(), ...input.view.copies.keys()])].sort();
}

/** Slots that are wanted or have a copy, ascending. */
export function slotsOf(input: ViewInput, service: ServiceName): readonly Slot[] {
  const desired = wantedOf(input.view, service);
  const copies = [...(input.view.copies.get(service)?.values() ?? [])].map((copy) => seeCopy(input, copy, desired));
  const wanted = new Map((desired ? wantedSlots(input.view, desired) : []).map((slot) => [slot.slot, slot]));
  const all = new Set([...wanted.keys(), ...copies.map(({ copy }) => copy.slot)]);
  const doneAs = doneIn(input, desired);
  return [...all]
    .sort((a, b) => a - b)
    .map((slot) => ({
      slot,
      instance: instanceName(service, slot),
      wanted: wanted.has(slot),
      ...optional('place', wanted.get(slot)?.to ?? wanted.get(slot)?.bound),
      ...optional('after', wanted.get(slot)?.after),
      ...optional('done', doneAs(wanted.get(slot))),
      absent: isAbsent(input, wanted.get(slot)),
      copies: copies.filter(({ copy }) => copy.slot === slot).sort((a, b) => compareCopies(a, b, desired?.spec.digest)),
    }));
}

/** What of a job that runs once, and of the version that counts now, is on record as done. */
function doneIn(input: ViewInput, desired: Desired | undefined): (slot: WantedSlot | undefined) => Done | undefined {
  const known = desired && !desired.spec.schedule ? doneOf(input.view, desired.spec.name) : undefined;
  if (!desired || !known || known.size === 0) return () => undefined;
  const rollout = rolloutOf(input, desired.spec.name);
  const { digest } = rollout?.digest === desired.spec.digest ? targetOf(desired, rollout) : desired.spec;
  return (slot) => {
    const done = slot && known.get(slot.slot);
    return done && isAnswer(done, { digest, place: slot.to ?? slot.bound, after: slot.after }) ? done : undefined;
  };
}

function isAbsent(input: ViewInput, wanted: WantedSlot | undefined): boolean {
  const node = wanted?.bound === undefined ? undefined : input.view.nodes.get(wanted.bound);
  return node !== undefined && presenceOf(node, input.policy, input.now).state === 'lost';
}

/** A slot for people. */
export function instanceView(
  input: ViewInput,
  service: ServiceName,
  { slot, instance, copies, done }: Slot,
): InstanceView {
  const [seen] = copies;
  const base = { name: instance, service, slot };
  if (done && (!seen || seen.presence === 'lost')) {
    const { copy, digest } = done;
    const node = nodeName(input, done.node);
    return { ...base, copy, node, status: 'completed', healthy: true, digest, addresses: [], restarts: 0 };
  }
  if (!seen) {
    return {
      ...base,
      status: 'missing',
      healthy: false,
      addresses: [],
      restarts: 0,
      ...missingReason(input, service, instance),
    };
  }
  const { node } = seen;
  const heard = node?.heard;
  const others = copies.slice(1).map(copyView);
  return {
    ...base,
    ...copyView(seen),
    ...optional('reason', endOfCopy(input, seen.copy)?.reason ?? seen.copy.report?.reason),
    ...(node && isSeed(node) ? { assumed: true as const } : {}),
    ...optional('seen', heard === undefined ? undefined : Math.max(0, input.now.mono - heard)),
    ...optional('others', others.length > 0 ? others : undefined),
  };
}

function copyView(seen: SeenCopy): CopyView {
  const { copy, node, presence } = seen;
  return {
    copy: copy.copy,
    node: node?.record.name ?? copy.node,
    want: seen.want,
    status: presence === 'lost' ? 'lost' : seen.status,
    healthy: seen.healthy,
    ...optional('digest', seen.digest),
    ...optional('age', seen.age),
    addresses: copy.report?.addresses ?? [],
    ...optional('handle', copy.report?.handle),
    restarts: copy.report?.restarts ?? 0,
    ...optional('reason', copy.report?.reason),
    ...optional('drift', driftOf(seen)),
    ...(copy.notice === undefined ? {} : { leaving: true as const }),
  };
}

function driftOf({ copy: { report }, age: now = 0 }: SeenCopy): DriftView | undefined {
  const kind = driftKinds.find((one) => one === report?.drift?.kind);
  if (!report?.drift || !kind) return undefined;
  const { what, age, healed } = report.drift;
  // It has aged since the report as its status has.
  return { kind, ...optional('what', what), age: age + Math.max(0, now - report.age), healed: healed === true };
}

function missingReason(input: ViewInput, service: ServiceName, instance: string): Pick<InstanceView, 'reason'> {
  const holds = input.plans.get(service)?.holds ?? [];
  const hold = holds.find(({ subject }) => subject === instance) ?? holds.find(({ subject }) => subject === service);
  return hold ? { reason: { code: hold.code, message: hold.message } } : {};
}

function seeCopy(input: ViewInput, copy: Copy, desired: Desired | undefined): SeenCopy {
  const node = input.view.nodes.get(copy.node);
  const presence = node ? knowledgeOf(node, input.policy, input.now).state : 'lost';
  const age = copy.since === undefined ? undefined : Math.max(0, input.now.mono - copy.since);
  const want = wantOf(copy, node);
  const seen = {
    copy,
    ...optional('node', node),
    presence,
    want,
    ...optional('digest', copy.report?.digest ?? copy.job?.digest),
    status: endOfCopy(input, copy)?.status ?? statusOf(copy),
    ...optional('age', age),
  };
  const run = documentOf(input, seen, desired) ?? unknownRun;
  const settle = desired?.spec.update.settle ?? defaultSettle;
  const { healthy } = healthOf({ ...copy, job: { want } }, run, settle, input.now.mono);
  return { ...seen, healthy: healthy && presence === 'online' && copy.notice === undefined };
}

/** A copy that left its node's part is to go; before the part is known, what the agent has been told counts. */
function wantOf(copy: Copy, node: Node | undefined): Want {
  if (copy.job) return copy.job.want;
  return node?.adopted ? 'stopped' : (copy.report?.want ?? 'stopped');
}

function statusOf({ report }: Copy): CopyStatus {
  if (!report) return 'waiting';
  return Object.hasOwn(copyStatuses, report.status) ? (report.status as CopyStatus) : 'unknown';
}

/** The run spec that a copy was made with, as far as it is known. */
export function documentOf(
  input: ViewInput,
  { copy, digest, node }: Pick<SeenCopy, 'copy' | 'digest' | 'node'>,
  desired: Desired | undefined,
): RunSpec | undefined {
  if (digest === undefined) return undefined;
  if (desired?.spec.digest === digest) return desired.spec.run;
  const good = rolloutOf(input, copy.service)?.good;
  return node?.part.documents[digest] ?? (good?.digest === digest ? good.run : undefined);
}

/** Wanted before others, reachable before lost, the asked-for digest, healthy, then the younger copy. */
function compareCopies(a: SeenCopy, b: SeenCopy, digest: string | undefined): number {
  const rank = (seen: SeenCopy) => [
    seen.presence !== 'lost',
    seen.want === 'run',
    seen.want === 'prepared',
    seen.digest === digest,
    seen.healthy,
  ];
  const [left, right] = [rank(a), rank(b)];
  const differing = left.findIndex((value, index) => value !== right[index]);
  return differing >= 0 ? Number(right[differing]) - Number(left[differing]) : compareCopyIds(b.copy.copy, a.copy.copy);
}
