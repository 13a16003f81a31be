/** What a verb did, for people. */
import type { OverrideView } from '../../schemas/views.ts';
import { age } from './ages.ts';

/** ` (override 1a2b3c4d, 1h left)`: what git owns is as it says again when that is over. */
export function overrideNote(override: OverrideView | undefined): string {
  if (!override) return '';
  const left = override.until === undefined ? '' : `, ${age(Math.max(0, override.until - Date.now()))} left`;
  return ` (override ${override.id}${left}; oakctl overrides rm ${override.id} ends it)`;
}
