/** Was everything that should restart restarted? */
import type { VerbAnswer } from '../../schemas/api.ts';
import { compareCopyIds } from '../../schemas/names.ts';
import type { ServiceOutcome } from './outcome.ts';

/** A service is settled also when the new copies failed and the old ones went on: then the restart has failed. */
export function checkRestarted(outcome: ServiceOutcome, { after, instances }: VerbAnswer): ServiceOutcome {
  if (after === undefined || outcome.verdict !== 'settled') return outcome;
  const old = outcome.view?.instances.filter(
    ({ name, copy }) => instances.includes(name) && copy !== undefined && compareCopyIds(copy, after) <= 0,
  );
  if (!old || old.length === 0) return outcome;
  const names = old.map(({ name }) => name).join(', ');
  return { ...outcome, verdict: 'failed', message: `the new copy failed, the old one goes on: ${names}` };
}
