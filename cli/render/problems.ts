/** Problems and holds for people: what is wrong, then what to do about it. */
import type { Problem } from '../../schemas/problem.ts';
import type { Hold } from '../../schemas/status.ts';
import type { Paint } from './paint.ts';

/** `file:line:column: error CODE subject: message`, the hint on a line of its own. */
export function renderProblem(p: Problem, paint: Paint): string {
  const where = [p.file, p.line, p.column].filter((part) => part !== undefined).join(':');
  const kind = p.severity === 'warning' ? paint.warn('warning') : paint.bad('error');
  const subject = p.subject && !p.message.includes(p.subject) ? `${p.subject}: ` : '';
  const head = `${where ? `${where}: ` : ''}${kind} ${paint.dim(p.code)} ${subject}${p.message}`;
  return p.hint ? `${head}\n  ${paint.dim('hint:')} ${p.hint}` : head;
}

export function renderProblems(problems: readonly Problem[], paint: Paint): string {
  return problems.map((p) => renderProblem(p, paint)).join('\n');
}

/** `held CODE subject: message`, with what frees it. */
export function renderHold(hold: Hold, paint: Paint): string {
  const head = `${paint.warn('held')} ${paint.dim(hold.code)} ${hold.subject}: ${hold.message}`;
  const free = hold.hint ?? (hold.id ? `oakctl approve ${hold.id}` : undefined);
  return free ? `${head}\n  ${paint.dim('to free it:')} ${free}` : head;
}
