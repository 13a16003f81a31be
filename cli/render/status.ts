/** The state of a cluster on one screen. */

import type { Problem } from '../../schemas/problem.ts';
import type { ClusterStatus, SourceView } from '../../schemas/views.ts';
import { age } from './ages.ts';
import { count } from './counts.ts';
import { overrideText, shortCommit } from './listings.ts';
import { type Paint, paintState } from './paint.ts';
import { renderHold, renderProblem } from './problems.ts';
import { pinText } from './revisions.ts';
import { suspendText } from './suspends.ts';

export function renderStatus(status: ClusterStatus, url: string, paint: Paint): string {
  const healthy = `${status.instances.healthy} of ${status.instances.wanted} healthy`;
  return [
    `${paint.strong(status.cluster)}  ${status.phase} at ${url}, oakctl ${status.version}, epoch ${status.epoch}`,
    ...(status.location === undefined ? [] : [`location   ${status.location}`]),
    `nodes      ${words(status.nodes, paint)}`,
    `services   ${words(status.services, paint)}`,
    `instances  ${healthy}`,
    ...status.sources.flatMap((source) => renderSource(source, paint)),
    ...status.overrides.map((one) => `override   ${paint.dim(one.id)} ${one.subject}: ${overrideText(one)}`),
    ...status.suspended.map((one) => `suspended  ${one.subject} ${suspendText(one)}`),
    ...untold(status).map((condition) => renderProblem(condition, paint)),
    ...status.holds.map((hold) => renderHold(hold, paint)),
  ].join('\n');
}

/** Conditions that no source above has shown already. */
function untold({ sources, conditions }: ClusterStatus): readonly Problem[] {
  const told = new Set(sources.flatMap(({ problems }) => problems.map((one) => JSON.stringify(one))));
  return conditions.filter((one) => !told.has(JSON.stringify(one)));
}

/** One source: where it stands, and why it does not go on. Problems follow on lines of their own. */
export function renderSource(source: SourceView, paint: Paint): string[] {
  const at = shortCommit(source.accepted) ?? 'nothing accepted yet';
  const head = source.head && source.head !== source.accepted ? `, head ${shortCommit(source.head)}` : '';
  const checked = source.checked === undefined ? '' : `, checked ${age(source.checked)} ago`;
  const ignored = source.ignored > 0 ? `, ${count(source.ignored, 'file')} ignored` : '';
  const line = `${paintState(paint, source.state)} ${source.branch}@${at}${head}${checked}, ${count(source.services, 'service')}${ignored}`;
  return [
    `source     ${source.name}  ${line}`,
    `           ${paint.dim(source.url)}`,
    ...(source.pin ? [`           ${pinText(source.pin)}`] : []),
    ...source.problems.map((p) => renderProblem(p, paint)),
  ];
}

function words(values: Readonly<Record<string, number>>, paint: Paint): string {
  const parts = Object.entries(values).filter(([, number]) => number > 0);
  return parts.map(([word, number]) => `${number} ${paintState(paint, word)}`).join(', ') || 'none';
}
