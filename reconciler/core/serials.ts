/** Serials of credentials. Whoever shows the least valid one of his node, or a later one, is let in. */
import { eraOf } from '../../schemas/endpoints.ts';
import type { NodeRecord } from './model.ts';

/** More than a node is given in one era. */
const ofAnEra = 1_000;

/** Of the next credential of a node. Those that it was given after a backup are on no restored record. */
export function nextSerial({ serial, next }: Pick<NodeRecord, 'serial' | 'next'>, epoch: number): number {
  return Math.max((next?.serial ?? serial) + 1, eraOf(epoch) * ofAnEra + 1);
}
