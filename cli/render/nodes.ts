/** What happened to a node, for people. */
import type { CordonAnswer } from '../../schemas/api.ts';
import type { Drained } from '../services/drain.ts';
import { count } from './counts.ts';
import { type Paint, paintState } from './paint.ts';
import type { ProgressLine } from './progress.ts';

export function cordonText({ node, changed, cordoned }: CordonAnswer): string {
  if (cordoned) return `${node} is ${changed ? '' : 'already '}cordoned: ${cordoned.cause}`;
  return changed ? `${node} takes instances again` : `${node} is not cordoned`;
}

/** One line per instance: gone, or what it waits for. */
export function drainLines({ moved, left }: Drained, paint: Paint): readonly ProgressLine[] {
  return [
    ...moved.map((key) => ({ key, text: `${key}  ${paintState(paint, 'healthy')} elsewhere` })),
    ...left.map(({ instance, message }) => ({ key: instance, text: `${instance}  ${paint.dim(message)}` })),
  ];
}

export function renderDrained({ node, moved, left, apart }: Drained, paint: Paint): string {
  const lines = (word: string, list: Drained['apart']) =>
    list.map(({ instance, message }) => `  ${word} ${instance}: ${message}`);
  const head = left.length === 0 ? `${node} is drained` : `${node} is not drained, ${left.length} left`;
  return [
    `${paint.strong(head)}: ${count(moved.length, 'instance')} moved`,
    ...lines('left', left),
    ...lines('stays', apart),
  ].join('\n');
}
