/** What holds have in common, whatever they are about. */
import type { Hold, HoldCode } from '../../schemas/status.ts';

/** The normal course of things, which ends by itself: shown, but no event, and nothing that a plan rests on. */
export const passingHolds: ReadonlySet<HoldCode> = new Set<HoldCode>([
  'IN_PROGRESS',
  'SETTLING',
  'UPDATE_QUEUED',
  'CANARY',
  'RECOVERING',
  'LEDGER_UNREAD',
  'SCHEDULED',
]);

/** Two holds with one key say the same of the same, if with other numbers. */
export function holdKey({ code, subject }: Hold): string {
  return `${code} ${subject}`;
}
