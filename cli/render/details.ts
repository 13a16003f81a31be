/** One node, one service: everything that is known, for people. */
import { formatDuration } from '../../schemas/duration.ts';
import type { DrainView, NodeView, ServiceView } from '../../schemas/views.ts';
import { age } from './ages.ts';
import {
  fileText,
  instanceListing,
  instanceRows,
  labelsText,
  overrideText,
  sourceText,
  versionText,
} from './listings.ts';
import { type Paint, paintState } from './paint.ts';
import { renderHold } from './problems.ts';
import { lastText, nextText, runColumns, runRows, scheduleText } from './runs.ts';
import { suspendText } from './suspends.ts';
import { table } from './table.ts';

type Row = readonly [title: string, value: string | number | undefined];

/** `title  value` lines, absent values left out. */
export function properties(rows: readonly Row[], paint: Paint): string {
  const shown = rows.filter(([, value]) => value !== undefined && value !== '');
  const size = Math.max(0, ...shown.map(([title]) => title.length));
  return shown.map(([title, value]) => `${paint.dim(title.padEnd(size))}  ${value}`).join('\n');
}

export function renderService(service: ServiceView, paint: Paint): string {
  const { schedule } = service;
  const head = properties(
    [
      ['service', paint.strong(service.name)],
      ['outcome', paintState(paint, service.outcome)],
      ['message', service.message],
      ['suspended', service.suspended && suspendText(service.suspended, service.name)],
      ['image', service.image],
      ['content', service.content ?? unresolvedText(service)],
      ['secrets', service.secrets?.join(', ')],
      ['node secrets', service.node_secrets?.join(', ')],
      ['replicas', service.replicas],
      ['healthy', `${service.healthy} of ${service.slots}`],
      ['schedule', schedule && scheduleText(schedule)],
      ['next run', schedule && nextText(schedule)],
      ['last run', schedule && lastText(schedule)],
      ['skipped', schedule?.skipped ? schedule.skipped : undefined],
      ['exclusive', exclusiveText(service)],
      ['out of reach', disconnectText(service)],
      ['source', sourceText(service)],
      ['file', fileText(service)],
      ['digest', service.digest],
    ],
    paint,
  );
  const instances = table(service.instances.flatMap(instanceRows), instanceListing.columns(paint), {
    wide: true,
    header: paint.dim,
  });
  const overrides = service.overrides.map((one) => `override ${paint.dim(one.id)} ${overrideText(one)}`);
  const runs = schedule && table(runRows(schedule), runColumns, { header: paint.dim });
  return [head, ...overrides, instances, runs, ...service.holds.map((hold) => renderHold(hold, paint))]
    .filter(Boolean)
    .join('\n\n');
}

function unresolvedText({ unresolved }: ServiceView): string | undefined {
  return unresolved && `whatever the tag is: ${unresolved}`;
}

function exclusiveText({ exclusive }: ServiceView): string | undefined {
  if (!exclusive) return undefined;
  const { lease, copy, node } = exclusive;
  const holder = copy === undefined ? 'nobody had it yet' : `${copy} on ${node} has it, or had it last`;
  return `one copy at a time, on a lease of ${formatDuration(lease)}; ${holder}`;
}

function disconnectText({ disconnect, exclusive }: ServiceView): string | undefined {
  if (!disconnect) return undefined;
  const { stop_after: stop, replace_after: replace, on_return } = disconnect;
  const parts = [
    ...(stop === undefined || exclusive ? [] : [`stops after ${formatDuration(stop)}`]),
    ...(replace === undefined
      ? []
      : [`is replaced ${replace === 'never' ? replace : `after ${formatDuration(replace)}`}`]),
    ...(on_return === 'replacement' ? [] : [`on return the ${on_return.replace('_', ' ')} copy stays`]),
  ];
  return parts.join(', ');
}

export function renderNode(node: NodeView, paint: Paint): string {
  const { capacity, used, usage } = node;
  const head = properties(
    [
      ['node', paint.strong(node.name)],
      ['state', paintState(paint, node.state)],
      ['cordoned', cordonedText(node)],
      ['suspended', node.suspended && suspendText(node.suspended, `node/${node.name}`)],
      ['aliases', node.aliases.join(', ')],
      ['id', node.id],
      ['listed', node.listed ? 'in nodes.yaml' : 'not in nodes.yaml'],
      ['ip', node.ip],
      ['advertised', node.advertise],
      ['pool', node.pool],
      ['labels', labelsText(node.labels)],
      ['location', node.location],
      ['memory', capacity && `${used?.memory ?? 0} of ${capacity.memory} MB promised${percent(usage?.memory)}`],
      ['vcpus', capacity && `${used?.cpu ?? 0} promised on ${capacity.cpu} cores${percent(usage?.cpu)}`],
      ['runtimes', node.runtimes.join(', ')],
      ['arch', node.arch],
      ['version', versionText(node)],
      ['recipient', node.recipient],
      ['own secrets', node.secrets?.join(', ')],
      ['instances', node.instances],
      ['seen', node.seen === undefined ? undefined : `${age(node.seen)} ago`],
    ],
    paint,
  );
  const problems = node.problems.map(({ code, message }) => `${paint.bad(code)} ${message}`);
  return [head, ...problems, ...drainText(node.drain)].join('\n');
}

function cordonedText({ cordoned }: NodeView): string | undefined {
  if (cordoned?.since === undefined) return cordoned?.cause;
  return `${cordoned.cause}, ${age(Math.max(0, Date.now() - cordoned.since))} ago`;
}

/** What a drained node still carries: first what must go, then what belongs there. */
function drainText(drain: DrainView | undefined): string[] {
  if (!drain) return [];
  const lines = (word: string, list: DrainView['apart']) =>
    list.map(({ instance, message }) => `${word} ${instance}: ${message}`);
  return [...lines('to move', drain.left), ...lines('stays', drain.apart)];
}

function percent(usage: number | undefined): string {
  return usage === undefined ? '' : `, ${Math.round(usage)}% in use`;
}
