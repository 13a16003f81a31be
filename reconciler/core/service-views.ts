/** Services and applications as people see them: how they do with what is wanted, and what that waits for. */

import { compareCopyIds, parseServiceName, type ServiceName } from '../../schemas/names.ts';
import type { RunSecret } from '../../schemas/spec.ts';
import { type Hold, type HoldCode, holdCodes } from '../../schemas/status.ts';
import type { AppView, Outcome, ServiceView } from '../../schemas/views.ts';
import { isUndone, isUp } from './health.ts';
import { documentOf, instanceView, type SeenCopy, type Slot, serviceNames, slotsOf } from './instance-views.ts';
import type { Desired, Rollout } from './model.ts';
import { isSeed } from './node-facts.ts';
import { overrideViews } from './override-views.ts';
import { describe, type Progress } from './progress-text.ts';
import { digestUnderWay, isUnderWay, judgeResting, scheduleView } from './schedule-views.ts';
import { isRetired, stoppedText } from './stopped.ts';
import { suspendOf, suspendView } from './suspends.ts';
import { contentOf } from './tags.ts';
import { optional, rolloutOf, type ViewInput } from './view-input.ts';
import { wantedOf } from './wanted.ts';

/** Holds that time alone frees: the service moves on. All others wait for a node, a file or a human. */
const passing: ReadonlySet<string> = new Set<HoldCode>([
  'SILENT_NODE',
  'IN_PROGRESS',
  'SETTLING',
  'UNHEALTHY',
  'CRASH_LOOP',
  'COPY_FAILED',
  'ENGINE_UNKNOWN',
  'UPDATE_QUEUED',
  'CANARY',
  'DEPENDENCY_WAITING',
  'SCHEDULED',
  'LEASE_WAITING',
  'ROLLED_BACK',
  'UPDATE_PAUSED',
  'RECOVERING',
  'LEDGER_UNREAD',
]);

/** False for a hold that needs a node, a file or a human. */
export function isPassing(code: string): boolean {
  return passing.has(code);
}

/** The worst first: what an application is said to be when its services differ. */
const gravity: readonly Outcome[] = [
  'failed',
  'rolled_back',
  'paused',
  'held',
  'orphaned',
  'progressing',
  'removing',
  'stopped',
  'unconfirmed',
  'settled',
];

/** Services that are wanted or have copies, sorted by name. */
export function serviceViews(input: ViewInput): readonly ServiceView[] {
  return serviceNames(input).flatMap((name) => serviceView(input, name) ?? []);
}

/** One service by its full name; undefined when it is not wanted and has no copy. */
export function serviceView(input: ViewInput, name: ServiceName): ServiceView | undefined {
  const desired = wantedOf(input.view, name);
  const slots = slotsOf(input, name);
  if (!desired && slots.length === 0) return undefined;
  const holds = holdsOf(input, name);
  const isResting = desired?.spec.schedule !== undefined && !isUnderWay(input, desired);
  const isLeaving = desired?.stopped !== undefined && isRetired(desired.stopped);
  const wanted = isResting || isLeaving ? [] : slots.filter((slot) => slot.wanted);
  const suspended = suspendOf(input.view, name);
  return {
    name,
    app: appOf(name),
    ...provenance(desired, slots),
    ...what(input, desired, slots),
    ...optional('updated', updatedAt(input, name)),
    replicas: desired?.spec.replicas ?? 0,
    slots: wanted.length,
    healthy: wanted.filter(isHealthy).length,
    ...judge(input, { name, ...optional('desired', desired), slots, holds }),
    holds,
    overrides: overrideViews(input.view, name),
    ...optional('suspended', suspended && suspendView(input.view, suspended)),
    ...outOfReach(input, desired),
    instances: slots.map((slot) => instanceView(input, name, slot)),
    ...optional('schedule', desired && scheduleView(input, desired)),
  };
}

/** Applications of `services`, sorted by name. */
export function appViews(services: readonly ServiceView[]): readonly AppView[] {
  const names = [...new Set(services.map(({ app }) => app))].sort();
  return names.map((name) => {
    const own = services.filter(({ app }) => app === name);
    const suspended = own.find((one) => one.suspended && one.suspended.subject !== one.name)?.suspended;
    return {
      name,
      source: [...new Set(own.map(({ source }) => source))].sort().join(', '),
      services: own.length,
      healthy: own.reduce((sum, { healthy }) => sum + healthy, 0),
      instances: own.reduce((sum, { slots }) => sum + slots, 0),
      outcome: gravity.find((outcome) => own.some((service) => service.outcome === outcome)) ?? 'settled',
      ...optional('suspended', suspended),
    };
  });
}

/** What its descriptor says about nodes that are out of reach, and who has its lease. */
function outOfReach({ view }: ViewInput, desired: Desired | undefined): Pick<ServiceView, 'disconnect' | 'exclusive'> {
  const { disconnect, exclusive, name = '' } = desired?.spec ?? {};
  const lease = exclusive && view.leases.get(name);
  const node = lease && (view.nodes.get(lease.node)?.record.name ?? lease.node);
  return {
    ...(disconnect ? { disconnect: { on_return: 'replacement', ...disconnect } } : {}),
    ...(exclusive ? { exclusive: { ...exclusive, ...optional('copy', lease?.copy), ...optional('node', node) } } : {}),
  };
}

/** When it was last deployed, or its present digest began. */
function updatedAt(input: ViewInput, name: ServiceName): number | undefined {
  const times = [input.records.direct?.[name]?.at, rolloutOf(input, name)?.started].filter((at) => at !== undefined);
  return times.length === 0 ? undefined : Math.max(...times);
}

function appOf(name: ServiceName): string {
  const parts = parseServiceName(name);
  return parts ? `${parts.app}.${parts.appNamespace}` : name;
}

function holdsOf(input: ViewInput, name: ServiceName): readonly Hold[] {
  const held = input.view.held.get(name);
  const planned = input.plans.get(name)?.holds ?? [];
  return held ? [held, ...planned.filter((hold) => hold !== held)] : planned;
}

type Provenance = Pick<ServiceView, 'source' | 'commit' | 'file' | 'line'>;

function provenance(desired: Desired | undefined, slots: readonly Slot[]): Provenance {
  const source =
    desired?.source ?? slots.flatMap(({ copies }) => copies).find(({ copy }) => copy.job)?.copy.job?.source;
  return {
    source: source?.name ?? 'unknown',
    ...optional('commit', source?.commit),
    ...optional('file', desired?.origin?.file),
    ...optional('line', desired?.origin?.line),
  };
}

/** Sorted, each once; of none nothing. */
function namesOf(secrets: readonly RunSecret[] = []): readonly string[] | undefined {
  return secrets.length > 0 ? [...new Set(secrets.map(({ name }) => name))].sort() : undefined;
}

/** What runs it: as wanted, else as the first copy has it. */
function what(
  input: ViewInput,
  desired: Desired | undefined,
  slots: readonly Slot[],
): Pick<ServiceView, 'image' | 'content' | 'unresolved' | 'secrets' | 'node_secrets' | 'digest'> {
  if (desired) {
    const { name, run, digest } = desired.spec;
    return {
      image: run.code,
      ...optional('content', contentOf(input.view, name, digest)),
      ...optional('unresolved', input.view.tags.get(name)?.known[digest]?.why),
      ...optional('secrets', namesOf(run.secrets?.filter(({ source }) => source === undefined))),
      ...optional('node_secrets', namesOf(run.secrets?.filter(({ source }) => source === 'node'))),
      digest,
    };
  }
  const first = slots.flatMap(({ copies }) => copies)[0];
  return { image: (first && documentOf(input, first, desired)?.code) ?? '', digest: first?.digest ?? '' };
}

function isHealthy({ copies, done }: Slot): boolean {
  return done !== undefined || copies.some(({ healthy }) => healthy);
}

interface Judged {
  readonly name: ServiceName;
  readonly desired?: Desired;
  readonly slots: readonly Slot[];
  readonly holds: readonly Hold[];
}

function judge(input: ViewInput, judged: Judged): Pick<ServiceView, 'outcome' | 'message'> {
  const { name, desired, slots, holds } = judged;
  if (!desired) return judgeUnwanted(input, judged);
  const guard = input.view.held.get(name);
  const digest = digestUnderWay(input, desired);
  const progress = { digest, slots, holds };
  if (guard) return { outcome: 'held', message: describe(input, progress, guard) };
  if (desired.stopped) return judgeStopped(desired.stopped, slots);
  if (desired.spec.schedule && !isUnderWay(input, desired)) return judgeResting(input, desired);
  if (hasOnly(slots, digest) && !slots.some((slot) => isUndoneIn(slot, desired))) {
    const unfit = holds.find(({ code }) => code === 'PLACEMENT_CHANGED');
    return settledAs(slots, describe(input, progress, unfit));
  }
  const ended = judgeRollout(input, progress, rolloutOf(input, name));
  if (ended) return ended;
  const blocking = holds.find(({ code }) => !isPassing(code));
  return { outcome: blocking ? 'held' : 'progressing', message: describe(input, progress, blocking) };
}

/** Its job runs, and has not come to its end. What has a schedule is as wanted between two runs, and in the middle of one. */
function isUndoneIn({ copies }: Slot, { spec }: Desired): boolean {
  if (spec.schedule) return false;
  const [first] = copies.filter(({ presence }) => presence !== 'lost');
  return first?.node !== undefined && first.status !== 'completed' && isUndone(first.copy, spec.run, first.node);
}

function judgeStopped(
  stopped: NonNullable<Desired['stopped']>,
  slots: readonly Slot[],
): Pick<ServiceView, 'outcome' | 'message'> {
  const message = stoppedText(stopped);
  const up = slots.flatMap(({ copies }) => copies).filter(({ copy, presence }) => presence !== 'lost' && isUp(copy));
  if (isRetired(stopped)) return { outcome: 'removing', message };
  if (up.length === 0) return { outcome: 'stopped', message };
  return { outcome: 'progressing', message: `${up.length} still to stop; ${message}` };
}

const isAssumed = ({ node, presence }: SeenCopy): boolean => node !== undefined && isSeed(node) && presence !== 'lost';

/** Nobody has seen what runs on seed nodes. */
function settledAs(slots: readonly Slot[], message: string): Pick<ServiceView, 'outcome' | 'message'> {
  const assumed = slots.filter(({ copies }) => copies.some(isAssumed));
  if (assumed.length === 0) return { outcome: 'settled', message };
  return { outcome: 'unconfirmed', message: `${message}; ${assumed.length} on nodes that do not report` };
}

function judgeUnwanted(input: ViewInput, { slots, holds }: Judged): Pick<ServiceView, 'outcome' | 'message'> {
  const orphaned = holds.find(({ code }) => code === 'ORPHANED');
  if (orphaned) return { outcome: 'orphaned', message: orphaned.message };
  const blocking = holds.find(({ code }) => !isPassing(code));
  if (blocking) return { outcome: 'held', message: blocking.message };
  if (input.view.recovering) return { outcome: 'progressing', message: holdCodes.RECOVERING };
  return { outcome: 'removing', message: describe(input, { slots, holds }) };
}

/** How the rollout of the wanted digest ended; undefined while it goes on, and while a rollback is not done. */
function judgeRollout(
  input: ViewInput,
  progress: Progress & { readonly digest: string },
  rollout: Rollout | undefined,
): Pick<ServiceView, 'outcome' | 'message'> | undefined {
  if (rollout?.digest !== progress.digest) return undefined;
  const { phase, reason = 'the wanted digest did not become healthy', good } = rollout;
  if (phase === 'failed' || phase === 'paused') {
    return { outcome: phase, message: `${reason}; ${describe(input, progress)}` };
  }
  if (phase !== 'rolled_back') return undefined;
  const back: Progress = { ...progress, ...optional('digest', good?.digest) };
  const done = rollout.ended !== undefined;
  const message = `${reason}; ${done ? 'rolled back' : 'rolling back'}: ${describe(input, back)}`;
  return { outcome: done ? 'rolled_back' : 'progressing', message };
}

/**
 * Every wanted slot has one healthy copy of this digest where it should be, and no other copy is left where we can see. What
 * belongs to lost nodes is counted apart, as long as there is anything else.
 */
function hasOnly(slots: readonly Slot[], digest: string): boolean {
  const here = slots.filter(({ absent }) => !absent);
  return (here.length > 0 ? here : slots).every(({ wanted, copies, place, after, done }) => {
    const [first, ...others] = copies.filter(({ presence }) => presence !== 'lost');
    if (!first) return !wanted || done?.digest === digest;
    if (place !== undefined && first.copy.node !== place) return false;
    if (after !== undefined && compareCopyIds(first.copy.copy, after) <= 0) return false;
    return wanted && others.length === 0 && first.healthy && first.digest === digest;
  });
}
