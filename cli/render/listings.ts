/** Columns of each kind of object. */
import type { AppView, InstanceView, NodeView, OverrideView, ServiceView } from '../../schemas/views.ts';
import { age, left } from './ages.ts';
import type { Listing } from './output.ts';
import { paintState } from './paint.ts';
import { runsText } from './runs.ts';
import { suspendText } from './suspends.ts';

const part = (used: number | undefined, total: number | undefined): string =>
  total === undefined ? '-' : `${round(used ?? 0)}/${round(total)}`;
const round = (value: number): string => (Number.isInteger(value) ? String(value) : value.toFixed(1));
const share = (percent: number | undefined): string => (percent === undefined ? '-' : `${Math.round(percent)}%`);

/** Seven characters, as git prints them. */
export function shortCommit(commit: string | undefined): string | undefined {
  return commit?.slice(0, 7);
}

/** `name@commit` of what a job comes from. */
export function sourceText(view: { readonly source: string; readonly commit?: string }): string {
  return view.commit ? `${view.source}@${shortCommit(view.commit)}` : view.source;
}

export const nodeListing: Listing<NodeView> = {
  nameOf: (node) => node.name,
  empty: 'No nodes. `oakctl nodes add` prints a line that makes a machine one.',
  columns: (paint) => [
    { title: 'NAME', value: (node) => node.name },
    {
      title: 'STATE',
      value: nodeState,
      paint: (text) => paintState(paint, text),
    },
    { title: 'IP', value: (node) => node.advertise ?? node.ip },
    { title: 'INSTANCES', value: (node) => node.instances, right: true },
    { title: 'MEMORY MB', value: (node) => part(node.used?.memory, node.capacity?.memory), right: true },
    { title: 'VCPUS', value: (node) => part(node.used?.cpu, node.capacity?.cpu), right: true },
    { title: 'CPU', value: (node) => share(node.usage?.cpu), right: true },
    { title: 'RUNTIMES', value: (node) => node.runtimes.join(',') },
    { title: 'SEEN', value: (node) => age(node.seen), right: true },
    { title: 'VERSION', value: versionText },
    { title: 'ALIASES', value: (node) => node.aliases.join(','), wide: true },
    { title: 'ID', value: (node) => node.id, wide: true },
    { title: 'POOL', value: (node) => node.pool, wide: true },
    { title: 'LISTED', value: (node) => (node.listed ? 'yes' : 'no'), wide: true },
    { title: 'ARCH', value: (node) => node.arch, wide: true },
    { title: 'LABELS', value: (node) => labelsText(node.labels), wide: true },
    { title: 'PROBLEM', value: nodeProblem, wide: true },
  ],
};

/** `0.1.0`, or `0.0.9 (older)` beside a reconciler that is not of that version. */
export function versionText({ version, skew }: Pick<NodeView, 'version' | 'skew'>): string | undefined {
  return version !== undefined && skew ? `${version} (${skew})` : version;
}

/** `online`, and what is not as it should be: `online,cordoned,duplicate`. */
function nodeState({ state, cordoned, drain, suspended, problems }: NodeView): string {
  const isDuplicate = problems.some(({ code }) => code === 'DUPLICATE_NODE');
  const asked = [...(drain ? ['drained'] : cordoned ? ['cordoned'] : []), ...(suspended ? ['suspended'] : [])];
  return [state, ...asked, ...(isDuplicate ? ['duplicate'] : [])].join(',');
}

function nodeProblem({ name, problems, cordoned, suspended }: NodeView): string | undefined {
  return problems[0]?.message ?? (suspended ? suspendText(suspended, `node/${name}`) : cordoned?.cause);
}

/** `held`, and that it is left alone: `held,suspended`. */
function outcomeText({ outcome, suspended }: Pick<ServiceView, 'outcome' | 'suspended'>): string {
  return suspended ? `${outcome},suspended` : outcome;
}

/** `a=1,b=2`, sorted. */
export function labelsText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(',');
}

export const appListing: Listing<AppView> = {
  nameOf: (app) => app.name,
  empty: 'No applications. `oakctl deploy <file>` starts one, or push a descriptor to the repository.',
  columns: (paint) => [
    { title: 'NAME', value: (app) => app.name },
    { title: 'OUTCOME', value: outcomeText, paint: (text) => paintState(paint, text) },
    { title: 'SERVICES', value: (app) => app.services, right: true },
    { title: 'INSTANCES', value: (app) => `${app.healthy}/${app.instances}`, right: true },
    { title: 'SOURCE', value: (app) => app.source },
    { title: 'MESSAGE', value: ({ name, suspended }) => suspended && suspendText(suspended, name), wide: true },
  ],
};

export const serviceListing: Listing<ServiceView> = {
  nameOf: (service) => service.name,
  empty: 'No services.',
  columns: (paint) => [
    { title: 'NAME', value: (service) => service.name },
    { title: 'OUTCOME', value: outcomeText, paint: (text) => paintState(paint, text) },
    { title: 'HEALTHY', value: (service) => `${service.healthy}/${service.slots}`, right: true },
    { title: 'IMAGE', value: (service) => service.image },
    { title: 'SOURCE', value: sourceText },
    { title: 'FILE', value: fileText, wide: true },
    { title: 'REPLICAS', value: (service) => service.replicas, wide: true, right: true },
    { title: 'DIGEST', value: (service) => service.digest.slice(0, 14), wide: true },
    { title: 'MESSAGE', value: serviceMessage },
  ],
};

/** What it waits for, when it runs if it has a schedule, and where it deviates from its source. */
function serviceMessage(service: ServiceView): string {
  const { name, outcome, message, overrides, holds, suspended } = service;
  const runs = outcome === 'settled' || outcome === 'failed' ? runsText(service) : undefined;
  const isWell = outcome === 'settled' && !holds.some(({ code }) => code === 'PLACEMENT_CHANGED');
  const isTold = isWell || outcome === 'stopped' || (outcome === 'held' && suspended !== undefined);
  const waits = runs === undefined ? (isTold ? [] : [message]) : [runs];
  const asleep = suspended ? [suspendText(suspended, name)] : [];
  return [...asleep, ...waits, ...overrides.map((one) => `override: ${overrideText(one)}`)].join('; ');
}

/** `5 instances by ann, 52m left: sale`. */
export function overrideText({ subject, kind, change, actor, reason, until }: OverrideView): string {
  const what = kind === 'move' ? `${subject} ${change}` : change;
  const rest = until === undefined ? 'until it is ended' : `${left(until - Date.now())} left`;
  return `${what} by ${actor}, ${rest}${reason === undefined ? '' : `: ${reason}`}`;
}

export const overrideListing: Listing<OverrideView> = {
  nameOf: (override) => override.id,
  empty: 'No overrides: everything is as its source says.',
  columns: () => [
    { title: 'ID', value: (override) => override.id },
    { title: 'SUBJECT', value: (override) => override.subject },
    { title: 'KIND', value: (override) => override.kind },
    { title: 'CHANGE', value: (override) => override.change },
    { title: 'BY', value: (override) => override.actor },
    { title: 'SINCE', value: (override) => age(Math.max(0, Date.now() - override.since)), right: true },
    {
      title: 'LEFT',
      value: (override) => override.until && left(override.until - Date.now()),
      right: true,
    },
    { title: 'REASON', value: (override) => override.reason },
  ],
};

/** `file:line` where a service is written. */
export function fileText(service: ServiceView): string | undefined {
  return service.file && (service.line === undefined ? service.file : `${service.file}:${service.line}`);
}

export const instanceListing: Listing<InstanceView> = {
  nameOf: (instance) => instance.name,
  empty: 'No instances.',
  rowsOf: instanceRows,
  columns: (paint) => [
    { title: 'NAME', value: (instance) => instance.name },
    {
      title: 'STATUS',
      value: instanceState,
      paint: (text) => paintState(paint, text),
    },
    { title: 'AGE', value: (instance) => age(instance.age), right: true },
    { title: 'NODE', value: (instance) => instance.node },
    { title: 'ADDRESSES', value: (instance) => instance.addresses.join(',') },
    { title: 'RESTARTS', value: (instance) => instance.restarts, right: true },
    { title: 'SEEN', value: (instance) => age(instance.seen), right: true },
    { title: 'COPY', value: (instance) => instance.copy, wide: true },
    { title: 'WANT', value: (instance) => instance.want, wide: true },
    { title: 'HANDLE', value: (instance) => instance.handle?.slice(0, 12), wide: true },
    { title: 'DIGEST', value: (instance) => instance.digest?.slice(0, 14), wide: true },
    { title: 'REASON', value: reasonText },
  ],
};

/** A line for each copy: the old one that serves is seen beside the new one that comes or fails. */
export function instanceRows(instance: InstanceView): readonly InstanceView[] {
  const { name, service, slot, others = [] } = instance;
  return [instance, ...others.map((copy) => ({ name, service, slot, ...copy }))];
}

/** `running`, and what is special: `running,leaving`. */
function instanceState({ status, assumed, leaving }: InstanceView): string {
  return [status, ...(assumed ? ['assumed'] : []), ...(leaving ? ['leaving'] : [])].join(',');
}

/** `CODE: message` of what keeps an instance. */
export function reasonText(instance: InstanceView): string | undefined {
  return instance.reason && `${instance.reason.code}: ${instance.reason.message}`;
}
