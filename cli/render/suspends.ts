/** What is left alone for a time, for people. */
import type { SuspendAnswer } from '../../schemas/api.ts';
import type { SuspendView } from '../../schemas/views.ts';
import { left } from './ages.ts';

/** `suspended by ann, 29m left: new disk`; with its subject where that is something wider than `about`. */
export function suspendText({ subject, actor, reason, until }: SuspendView, about = subject): string {
  const rest = `${left(until - Date.now())} left`;
  const what = subject === about ? 'suspended' : `suspended with ${subject}`;
  return `${what} by ${actor}, ${rest}${reason === undefined ? '' : `: ${reason}`}`;
}

export function suspendAnswerText({ subject, changed, suspended }: SuspendAnswer): string {
  if (suspended) return `${subject} is ${suspendText(suspended)}`;
  return changed ? `${subject} goes on` : `${subject} is not suspended`;
}
