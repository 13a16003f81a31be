/** A plan for people: signs as in a diff, then what is held, then one line of sums. */

import type { PlanChange, PlanView } from '../../schemas/views.ts';
import { count } from './counts.ts';
import type { Paint } from './paint.ts';
import { renderHold, renderProblem } from './problems.ts';

const signs: Record<PlanChange['action'], string> = { start: '+', replace: '~', stop: '-', remove: '-', node: '*' };

/** True when carrying the plan out would change something, or wants to and is held. */
export function differs(plan: PlanView): boolean {
  return plan.changes.length > 0 || plan.holds.length > 0;
}

export function renderPlan(plan: PlanView, paint: Paint): string {
  const lines = [
    ...plan.problems.map((p) => renderProblem(p, paint)),
    ...plan.changes.map((change) => changeLine(change, paint)),
    ...plan.holds.map((hold) => renderHold(hold, paint)),
  ];
  return [...lines, sumLine(plan)].join('\n');
}

function changeLine(change: PlanChange, paint: Paint): string {
  const sign = signs[change.action];
  const colour = sign === '+' ? paint.good : sign === '-' ? paint.bad : paint.warn;
  const node = change.node ? ` on ${change.node}` : '';
  const detail = change.detail ? `: ${change.detail}` : '';
  return `${colour(`${sign} ${change.action}`)} ${change.subject}${node}${detail}`;
}

function sumLine(plan: PlanView): string {
  if (!differs(plan)) return `Nothing to change: ${count(plan.settled, 'instance')} as wanted.`;
  const sums = new Map<string, number>();
  for (const { action } of plan.changes) sums.set(action, (sums.get(action) ?? 0) + 1);
  const parts = [...sums].map(([action, number]) => `${number} ${action}`);
  if (plan.holds.length > 0) parts.push(`${plan.holds.length} held`);
  return `${parts.join(', ')}; ${plan.settled} as wanted.`;
}
