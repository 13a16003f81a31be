/** Pieces of sentences about nodes that were turned away. */
import type { Candidate } from './candidates.ts';

/** Names that a sentence lists. */
const mostListed = 5;

/** `1 node`, `3 nodes`. */
export function count(refused: readonly Candidate[]): string {
  return refused.length === 1 ? '1 node' : `${refused.length} nodes`;
}

/** Their names, sorted; of many only the first. */
export function listed(refused: readonly Candidate[]): string {
  const names = refused.map(({ node }) => node.record.name).sort();
  if (names.length <= mostListed) return names.join(', ');
  return `${names.slice(0, mostListed).join(', ')} and ${names.length - mostListed} more`;
}

/** The node of which most is left, and how much: `380 MB on pi3`. */
export function largest(refused: readonly Candidate[], free: (one: Candidate) => number, unit: string): string {
  const best = refused.reduce((a, b) => (free(b) > free(a) ? b : a));
  const amount = Math.max(0, Math.round(free(best) * 100) / 100);
  return `${amount}${unit} on ${best.node.record.name}`;
}
