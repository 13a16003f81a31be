/** Events, one line each. */
import type { ClusterEvent } from '../../schemas/cluster-events.ts';
import type { Paint } from './paint.ts';

const bad = /failed|lost|refused|unreachable|rolled_back|conflict|revoked/;
const good = /settled|online|returned|recovered|joined|accepted/;

/** `12:30:05 kind subject message`, in local time. */
export function renderEvent(event: ClusterEvent, paint: Paint): string {
  const time = new Date(event.at).toTimeString().slice(0, 8);
  const colour = bad.test(event.kind) ? paint.bad : good.test(event.kind) ? paint.good : paint.warn;
  return `${paint.dim(time)} ${colour(event.kind)} ${event.subject}  ${event.message}`;
}
