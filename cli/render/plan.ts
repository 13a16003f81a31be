/** A plan for people: signs as in a diff, then what is held, then one line of sums. */

import type { PlacementScore, PlacementView, PlanChange, PlanView } from '../../schemas/views.ts';
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
  const line = `${colour(`${sign} ${change.action}`)} ${change.subject}${node}${detail}`;
  return change.placement ? `${line}\n    ${paint.dim(placementLine(change.placement))}` : line;
}

/** `0 of it there, 12.5% promised, 800 MB free; 2 of 3 nodes fit, next worker-3: 1 of it there, ...; not: 1 cordoned (pi3)` */
function placementLine({ score, others }: PlacementView): string {
  if (!others) return scoreText(score);
  const { fit, next, unfit } = others;
  const all = fit + unfit.reduce((sum, { nodes }) => sum + nodes, 0);
  const second = next ? `, next ${next.node}: ${scoreText(next.score)}` : '';
  const not = unfit.length > 0 ? `; not: ${unfit.map(({ message }) => message).join('; ')}` : '';
  return `${scoreText(score)}; ${fit} of ${count(all, 'node')} fit${second}${not}`;
}

function scoreText({ spread = [], instances, promised, free }: PlacementScore): string {
  const values = spread.map(({ label, value, instances: at }) => `${at} at ${label}=${value ?? '(none)'}`);
  const room = free === undefined ? [] : [`${Math.floor(free)} MB free`];
  return [...values, `${instances} of it there`, `${promised}% promised`, ...room].join(', ');
}

function sumLine(plan: PlanView): string {
  if (!differs(plan)) return `Nothing to change: ${count(plan.settled, 'instance')} as wanted.`;
  const sums = new Map<string, number>();
  for (const { action } of plan.changes) sums.set(action, (sums.get(action) ?? 0) + 1);
  const parts = [...sums].map(([action, number]) => `${number} ${action}`);
  if (plan.holds.length > 0) parts.push(`${plan.holds.length} held`);
  return `${parts.join(', ')}; ${plan.settled} as wanted.`;
}
