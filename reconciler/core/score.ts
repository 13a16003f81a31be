/** Which of the admitted nodes gets it: order of preference, the same for the same input. */
import { type Candidate, freeMemory, type PlaceRequest } from './filters.ts';

/** Negative when `a` is better: the preferred node, then fewest instances of the service, then most free memory, then name. */
export function compareCandidates(a: Candidate, b: Candidate, request: PlaceRequest): number {
  return (
    Number(b.id === request.prefer) - Number(a.id === request.prefer) ||
    a.siblings - b.siblings ||
    freeShare(b, request) - freeShare(a, request) ||
    (a.node.record.name < b.node.record.name ? -1 : 1)
  );
}

/** Share of the node's memory that stays free. */
function freeShare(candidate: Candidate, request: PlaceRequest): number {
  const memory = candidate.capacity?.memory ?? 0;
  return memory > 0 ? (freeMemory(candidate, request) - (request.run.memory ?? 0)) / memory : 0;
}
