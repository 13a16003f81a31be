/** Is the instance where it was told to be? */
import type { SlotAnswer } from '../../schemas/api.ts';
import type { ServiceOutcome } from './outcome.ts';

/** A service is settled also when its instance failed elsewhere and went back, or was dropped meanwhile: then the verb has failed. */
export function checkPlaced(outcome: ServiceOutcome, { instance, node }: SlotAnswer): ServiceOutcome {
  if (outcome.verdict !== 'settled' && outcome.verdict !== 'unconfirmed') return outcome;
  const found = outcome.view?.instances.find(({ name }) => name === instance);
  if (found && (node === undefined || found.node === node)) return outcome;
  const message = found
    ? `${instance} is on ${found.node ?? 'no node'}, not on ${node}: it failed there, or somebody moved it again`
    : `${instance} is not there any more`;
  return { ...outcome, verdict: 'failed', message };
}
