/** The chain behind something, a line per step, each indented below what it explains. */
import type { Cause } from '../../schemas/views.ts';
import type { Paint } from './paint.ts';

/** `<subject>: <CODE> <message>`, what frees it below, then what is behind it. A subject is said once per chain. */
export function renderCause(cause: Cause, paint: Paint): string {
  return lines(cause, '', paint).join('\n');
}

function lines({ subject, code, message, hint, because }: Cause, above: string, paint: Paint): string[] {
  const said = above === subject || message.includes(subject);
  const what = said ? '' : `${above === '' ? paint.strong(subject) : subject}: `;
  const head = `${what}${code ? `${paint.warn(code)} ` : ''}${message}`;
  const free = hint ? [`  ${paint.dim('to free it:')} ${hint}`] : [];
  const behind = because.flatMap((one) => lines(one, subject, paint)).map((line) => `  ${line}`);
  return [head, ...free, ...behind];
}
