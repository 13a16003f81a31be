/** What the local verbs say. */

import type { DownReport, StopReport } from '../local/stop.ts';
import type { UpReport } from '../local/up.ts';
import { count } from './counts.ts';
import { properties } from './details.ts';
import type { Paint } from './paint.ts';

/** Addresses, remote and the next commands. `command` is how the reader calls oakctl. */
export function renderUp(report: UpReport, paint: Paint, command: string): string {
  const workers = report.workers.map(({ name, ip }) => `${name} (${ip})`).join(', ');
  const list = properties(
    [
      ['cluster', paint.strong(report.name)],
      ['started', report.started.join(', ')],
      ['was up', report.already.join(', ')],
      ['API', report.api],
      ['MQTT', report.mqtt],
      ['workers', workers && `${workers}, runtime ${report.runtime}`],
      ['git remote', report.repository],
      ['folder', report.folder],
    ],
    paint,
  );
  return `${list}\n\nNext:\n${nextCommands(report.repository, command)}`;
}

function nextCommands(repository: string, command: string): string {
  return [
    `  ${command} nodes ls`,
    `  git clone ${repository} && cd repository && ${command} init && git add -A && git commit -m 'First application' && git push`,
    `  ${command} services ls`,
    `  ${command} status`,
  ].join('\n');
}

export function renderStop(report: StopReport): string {
  if (report.ended.length === 0 && report.copies === 0) return `${report.name}: nothing was up`;
  return `${report.name}: ended ${report.ended.join(', ') || 'no process'}; ${count(report.copies, 'instance')} stopped`;
}

export function renderDown(report: DownReport): string {
  const what = `${count(report.copies, 'instance')} and ${count(report.networks, 'network')} removed`;
  const head = `${report.name}: ended ${report.ended.join(', ') || 'no process'}; ${what}`;
  const kept = report.kept.length > 0 ? ['kept:', ...report.kept.map((path) => `  ${path}`)] : ['nothing is kept'];
  return [head, ...kept].join('\n');
}
