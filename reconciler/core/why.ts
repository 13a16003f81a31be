/**
 * Why something is as it is: the chain from what a person sees down to what stands in the way, from the same views that listings
 * show. Every step has a code of a closed list, or is a plain state. Nothing is decided here.
 */

import { parseInstanceName, parseServiceName } from '../../schemas/names.ts';
import { problem } from '../../schemas/problem.ts';
import { directSource } from '../../schemas/spec.ts';
import type { Hold } from '../../schemas/status.ts';
import type {
  Cause,
  ClusterStatus,
  InstanceView,
  NodeView,
  OverrideView,
  ServiceView,
  SourceView,
} from '../../schemas/views.ts';
import { isMisspelling, type Resolution, resolveApp, resolveInstance, resolveNode, resolveService } from './resolve.ts';
import { isScheduled } from './schedule-views.ts';
import { isPassing } from './service-views.ts';
import { formatAge } from './view-input.ts';
import { appViews } from './views.ts';
import { awaited, wayOut } from './ways-out.ts';
import { nodeCause, problemCause } from './why-node.ts';

/** The cluster as people see it at one moment. */
export interface Sight {
  readonly services: readonly ServiceView[];
  readonly nodes: readonly NodeView[];
  readonly status: Pick<ClusterStatus, 'phase' | 'sources' | 'holds' | 'conditions'>;
}

/** Things of one kind that one step lists; the rest is counted. */
const listedAtMost = 5;

/**
 * The chain for an application, service, instance or `node/<name>`, by any name that listings accept. What nobody wants is
 * NOT_FOUND, with the sources that may have meant it when they cannot be read.
 */
export function whyOf(sight: Sight, text: string): Resolution<Cause> {
  const { services, nodes } = sight;
  const prefix = 'node/';
  if (text.startsWith(prefix)) {
    return map(resolveNode(nodes, text.slice(prefix.length)), (node) => nodeCause(sight, node));
  }
  const instances = services.flatMap((one) => one.instances);
  const asked: readonly Resolution<Cause>[] = [
    map(resolveService(services, text), (service) => serviceCause(sight, service)),
    map(resolveInstance(instances, text), (instance) => instanceCause(sight, serviceOf(sight, instance), instance)),
    map(resolveApp(appViews(services), text), ({ name }) => appCause(sight, name)),
    map(resolveNode(nodes, text), (node) => nodeCause(sight, node)),
  ];
  const answer = asked.find(({ kind }) => kind === 'found') ?? asked.find(isAmbiguous);
  if (answer) return answer;
  // A whole name is meant as it is written; of a part of one a misspelling is likelier than a broken source.
  const misspelt = isWhole(text) ? undefined : asked.find(isMisspelling);
  return misspelt ?? unwanted(sight, text) ?? asked.find(isMisspelling) ?? notFound(text);
}

function isWhole(text: string): boolean {
  return (parseServiceName(text) ?? parseInstanceName(text)) !== undefined;
}

function notFound(text: string): Resolution<Cause> {
  const message = `no application, service, instance or node is named \`${text}\``;
  return {
    kind: 'problem',
    problem: problem('NOT_FOUND', message, { subject: text, hint: `\`oakctl services ls\` lists what there is` }),
  };
}

function map<T>(resolution: Resolution<T>, make: (item: T) => Cause): Resolution<Cause> {
  return resolution.kind === 'found' ? { kind: 'found', item: make(resolution.item) } : resolution;
}

function isAmbiguous(resolution: Resolution<unknown>): boolean {
  return resolution.kind === 'problem' && resolution.problem.code === 'BAD_REQUEST';
}

function serviceOf({ services }: Sight, { service }: InstanceView): ServiceView | undefined {
  return services.find(({ name }) => name === service);
}

/** Nobody wants it as far as we know; a source that cannot be read may say otherwise. */
function unwanted(sight: Sight, text: string): Resolution<Cause> | undefined {
  const because = sight.status.sources.filter(({ problems }) => problems.length > 0).map(sourceCause);
  if (because.length === 0) return undefined;
  const message = 'nothing of this name is wanted, as far as the sources can be read';
  return { kind: 'found', item: { subject: text, code: 'NOT_FOUND', message, because } };
}

function appCause(sight: Sight, name: string): Cause {
  const own = sight.services.filter(({ app }) => app === name);
  const ill = own.filter((service) => !isWell(service));
  const message = `${own.length - ill.length} of ${own.length} services are as wanted`;
  return { subject: name, message, because: some(ill, (service) => serviceCause(sight, service)) };
}

function isWell({ outcome, holds }: ServiceView): boolean {
  return (outcome === 'settled' || outcome === 'unconfirmed') && holds.every(isScheduled);
}

function serviceCause(sight: Sight, service: ServiceView): Cause {
  const { name, outcome, message, holds, instances } = service;
  const of = new Set(instances.map((instance) => instance.name));
  const told = new Set(holds.map((hold) => hold.id ?? hold.code));
  const guards = sight.status.holds.filter((hold) => hold.subjects?.includes(name) && !told.has(hold.id ?? hold.code));
  const about = [...holds.filter(({ subject }) => !of.has(subject)), ...guards];
  const own = about.map((hold) => holdCause(sight, hold, service));
  // Between two runs of a job its instances are to be stopped.
  const isResting = holds.some(isScheduled);
  const ill = instances.filter((one) => (isResting ? one.status === 'failed' : isIll(one, holds)));
  const stated: Cause = { subject: name, message: `${outcome.replaceAll('_', ' ')}: ${message}`, because: [] };
  const shown = new Set(ill.map((instance) => instance.name));
  const asked = some(
    service.overrides.filter(({ subject }) => !shown.has(subject)),
    (one) => overrideCause(service, one),
  );
  if (own.length + ill.length === 0) return { ...stated, because: [...recovering(sight, service), ...asked] };
  const each = alike(ill.map((instance) => instanceCause(sight, service, instance)));
  const because = [...own, ...each].sort((a, b) => Number(isWaiting(a)) - Number(isWaiting(b)));
  return { ...stated, because: [...because, ...asked] };
}

/** What people asked for beside the source: what ends it, and what makes it last. */
function overrideCause({ source }: ServiceView, { id, subject, kind, change, actor, reason }: OverrideView): Cause {
  const what = kind === 'move' ? `${subject} ${change}` : change;
  const why = reason === undefined ? '' : `: ${reason}`;
  const isSayable = source !== directSource && kind !== 'undelete';
  const hint = `oakctl overrides rm ${id}${isSayable ? `; to keep it: oakctl adopt ${id}` : ''}`;
  return { subject: `override/${id}`, message: `${what}, as ${actor} asked for${why}`, hint, because: [] };
}

/** Time alone may end it: what needs somebody is told first. */
function isWaiting({ code, because: [first] }: Cause): boolean {
  return code === undefined ? first === undefined || isWaiting(first) : isPassing(code);
}

function recovering({ status }: Sight, service: ServiceView): readonly Cause[] {
  if (status.phase !== 'recovering' || isWell(service)) return [];
  const message = 'the reconciler started a moment ago and still listens to its nodes';
  return [{ subject: 'cluster', code: 'RECOVERING', message, because: [] }];
}

function isIll({ name, healthy }: InstanceView, holds: readonly Hold[]): boolean {
  return !healthy || holds.some(({ subject }) => subject === name);
}

function instanceCause(sight: Sight, service: ServiceView | undefined, instance: InstanceView): Cause {
  const { name, status, node, age, reason, copy } = instance;
  const holds = (service?.holds ?? []).filter(({ subject }) => subject === name);
  const where = node === undefined ? '' : ` on ${node}`;
  const carrier = sight.nodes.find((one) => one.name === node);
  // How long a copy ran says nothing of how long its node is gone.
  const spent = status === 'lost' ? carrier?.seen : age;
  const since = spent === undefined || status === 'missing' ? '' : ` for ${formatAge(spent)}`;
  const told = reason ? [reasonCause(name, copy, reason)] : [];
  const because = holds
    .map((hold) => holdCause(sight, hold, service, node))
    .map((cause, at) => (at === 0 && reason && cause.code !== reason.code ? beneath(cause, told, reason) : cause));
  if (because.length === 0) because.push(...told);
  const moved = service?.overrides.filter(({ subject }) => subject === name) ?? [];
  const scheduled = service?.holds.find(isScheduled);
  if (scheduled && because.length === 0) because.push(holdCause(sight, scheduled, service));
  const shown = because.some((one) => one.because.some(({ subject }) => subject === `node/${node}`));
  if (carrier && !shown && isTroubled(carrier)) because.push(nodeCause(sight, carrier));
  if (service) because.push(...moved.map((one) => overrideCause(service, one)));
  return { subject: name, message: `${status.replaceAll('_', ' ')}${where}${since}`, because };
}

type Reason = NonNullable<InstanceView['reason']>;

function reasonCause(instance: string, copy: string | undefined, reason: Reason): Cause {
  const hint = wayOut({ subject: instance, ...reason });
  return {
    subject: copy === undefined ? instance : `${instance}.${copy}`,
    ...reason,
    ...(hint && { hint }),
    because: [],
  };
}

/** What the copy says stands below its hold, and is not said twice. */
function beneath(cause: Cause, told: readonly Cause[], { message }: Reason): Cause {
  const end = `: ${message}`;
  const short = cause.message.endsWith(end) ? cause.message.slice(0, -end.length) : cause.message;
  return { ...cause, message: short, because: [...told, ...cause.because] };
}

/** A hold, and the nodes, files or services that it is about. */
function holdCause(sight: Sight, hold: Hold, service: ServiceView | undefined, node?: string): Cause {
  const { code, subject, message, id } = hold;
  const behind = sourceCodes.has(code)
    ? sight.status.sources.filter((one) => one.problems.length > 0 && isSourceOf(one, service)).map(sourceCause)
    : some(nodesBehind(sight, hold, node), (one) => nodeCause(sight, one));
  const because = [...behind, ...awaitedCauses(sight, hold, service)];
  const isAnswered = because.some((one) => one.because.some(({ code: inner, hint }) => inner === code && hint));
  const hint = hold.hint ?? (id === undefined ? (isAnswered ? undefined : wayOut(hold)) : `oakctl approve ${id}`);
  return { subject, code, message, ...(hint && { hint }), because };
}

/** Who waits is left out below: services of two sources may wait for each other. */
function awaitedCauses(sight: Sight, hold: Hold, waiting: ServiceView | undefined): readonly Cause[] {
  const names = awaited(hold);
  const others = sight.services.filter((one) => one !== waiting);
  const below = { ...sight, services: others };
  return some(
    others.filter(({ name }) => names.has(name)),
    (one) => serviceCause(below, one),
  );
}

/** Holds that a source's own problems explain. */
const sourceCodes: ReadonlySet<string> = new Set(['SOURCE_INCOMPLETE', 'REMOVAL_GUARD', 'ANCESTRY_UNKNOWN']);

function isSourceOf({ name }: SourceView, service: ServiceView | undefined): boolean {
  return service === undefined || service.source === name || service.source === 'unknown';
}

/** Which nodes a hold is about: the troubled ones that its sentence names, and the one that carries the copy. */
function nodesBehind({ nodes }: Sight, { message }: Hold, carrier: string | undefined): readonly NodeView[] {
  const named = new Set(message.split(/[^A-Za-z0-9_-]+/));
  return nodes.filter((node) => (node.name === carrier || named.has(node.name)) && isTroubled(node));
}

function isTroubled({ state, cordoned, suspended, problems }: NodeView): boolean {
  return state !== 'online' || cordoned !== undefined || suspended !== undefined || problems.length > 0;
}

function sourceCause({ name, state, problems }: SourceView): Cause {
  return { subject: `source/${name}`, message: state, because: some(problems, problemCause) };
}

/** The first few, and how many more there are. */
function some<T>(items: readonly T[], make: (item: T) => Cause): readonly Cause[] {
  const shown = items.slice(0, listedAtMost).map(make);
  const rest = items.length - shown.length;
  return rest > 0 ? [...shown, { subject: `${rest} more`, message: 'the same may hold for them', because: [] }] : shown;
}

/** Instances that are as they are for one and the same reason are told once. */
function alike(causes: readonly Cause[]): readonly Cause[] {
  const groups = new Map<string, Cause[]>();
  for (const cause of causes) {
    const key = cause.because.map(({ code, message }) => `${code} ${message}`).join('\n') || cause.subject;
    groups.set(key, [...(groups.get(key) ?? []), cause]);
  }
  return some([...groups.values()], ([first, ...rest]) => {
    const cause = first as Cause;
    const also = rest.length === 1 ? '1 more instance' : `${rest.length} more instances`;
    return rest.length === 0 ? cause : { ...cause, message: `${cause.message}, and ${also} for the same reason` };
  });
}
