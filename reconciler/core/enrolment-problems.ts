/** What stands against nodes that join, as problems. */
import type { NodeId } from '../../schemas/names.ts';
import { type Problem, problem } from '../../schemas/problem.ts';

/** RECORDS_MISSING: nodes (at least one) that no record knows have credentials. */
export function recordsMissing(nodes: ReadonlySet<NodeId>): Problem {
  const [first = ''] = nodes;
  const which =
    nodes.size === 1 ? `node ${first}` : `${nodes.size} nodes (${[...nodes].sort().slice(0, 3).join(', ')} ...)`;
  return problem('RECORDS_MISSING', `${which} have credentials of this cluster, and no record; enrolment is closed`, {
    subject: 'records/',
    hint: `stop the reconciler and restore records/ from a backup; or give such a node up: oakctl nodes rm ${first}`,
  });
}
