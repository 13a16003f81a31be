/** Nodes that a command line means. */
import type { ApiClient } from '../../schemas/io/api-client.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { NodeView } from '../../schemas/views.ts';

/** Nodes by their names, or by all of the labels (`key=value`), or all that ever joined. NOT_FOUND, and what the API fails with. */
export async function chooseNodes(
  api: Pick<ApiClient, 'nodes'>,
  { names = [], labels = [] }: { readonly names?: readonly string[]; readonly labels?: readonly string[] },
  signal: AbortSignal,
): Promise<readonly string[]> {
  const nodes = await api.nodes(names, signal);
  if (names.length > 0) return nodes.map(({ name }) => name);
  const chosen = nodes.filter((node) => isMember(node) && labels.every((label) => hasLabel(node, label)));
  if (chosen.length > 0) return chosen.map(({ name }) => name);
  const which = labels.length === 0 ? 'the cluster has no nodes' : `no node has ${labels.join(' and ')}`;
  throw new ProblemError(problem('NOT_FOUND', which, { hint: 'oakctl nodes ls -o wide' }));
}

/** Did it ever join, and may it still? */
export function isMember({ state }: Pick<NodeView, 'state'>): boolean {
  return state !== 'expected' && state !== 'revoked';
}

/** `label`: key=value. */
export function hasLabel({ labels }: Pick<NodeView, 'labels'>, label: string): boolean {
  const at = label.indexOf('=');
  const key = label.slice(0, at);
  return Object.hasOwn(labels, key) && labels[key] === label.slice(at + 1);
}
