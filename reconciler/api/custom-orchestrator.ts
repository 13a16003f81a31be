/**
 * The API of FRACTAL's custom orchestrator, for its resource manager: a tainted node gets nothing new, as one that is cordoned. Nothing
 * is kept beside the cordons: which of them are taints is written in their reason, so that those of people are never ended here.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { LoadNodesBody, TaintsBody } from '../../schemas/fractal.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { NodeView } from '../../schemas/views.ts';
import { resolveNode } from '../core/resolve.ts';
import { needs } from './access.ts';
import { checkBody } from './bodies.ts';

/** Of a cordon that a resource manager asked for. */
const taint = 'NoSchedule: the resource manager of FRACTAL finds it short of resources';

export function customOrchestratorRoutes(app: FastifyInstance): void {
  app.get('/', needs('open'), async (_request, reply) => reply.type('text/plain').send('OK\n'));
  app.post('/api/v1/load_nodes', needs('admin'), async ({ body, control }, reply) => {
    const hosts = Object.keys(checkBody(LoadNodesBody, body).ips);
    const { missing } = nodesOf(hosts, control.nodes());
    const unknown = missing.length === 0 ? '' : `; there is no node ${missing.join(', ')}`;
    return reply
      .type('text/plain')
      .send(`${hosts.length - missing.length} of ${hosts.length} nodes are known${unknown}\n`);
  });
  app.post('/api/v1/update_taints', needs('admin'), async (request, reply) => {
    const hosts = Object.keys(checkBody(TaintsBody, request.body));
    const { tainted, freed, missing } = await update(hosts, request);
    if (missing.length > 0) throw unknownHosts(missing);
    return reply.type('text/plain').send(`${tainted} tainted, ${freed} free again\n`);
  });
}

/** Whatever can be done is done, also where some hosts are unknown. */
async function update(
  hosts: readonly string[],
  { control, caller }: Pick<FastifyRequest, 'control' | 'caller'>,
): Promise<{ readonly tainted: number; readonly freed: number; readonly missing: readonly string[] }> {
  const all = control.nodes();
  const { found, missing } = nodesOf(hosts, all);
  const fresh = found.filter(({ cordoned }) => cordoned === undefined);
  const over = all.filter((node) => node.cordoned?.reason === taint && !found.includes(node));
  for (const node of fresh) await control.cordon(idOf(node), { reason: taint, actor: caller.name });
  // With a host that nobody knows the set is not what was meant: nothing is freed on its word.
  if (missing.length > 0) return { tainted: fresh.length, freed: 0, missing };
  for (const node of over) await control.uncordon(idOf(node), caller.name);
  return { tainted: fresh.length, freed: over.length, missing };
}

/** Nodes that are there, by name, alias or id. */
function nodesOf(
  hosts: readonly string[],
  nodes: readonly NodeView[],
): { readonly found: readonly NodeView[]; readonly missing: readonly string[] } {
  const there = nodes.filter(({ id, state }) => id !== undefined && state !== 'revoked');
  const found: NodeView[] = [];
  const missing: string[] = [];
  for (const host of hosts) {
    const exact = there.find(({ name, aliases }) => name === host || aliases.includes(host));
    const resolved = exact ? { kind: 'found' as const, item: exact } : resolveNode(there, host);
    if (resolved.kind === 'found') found.push(resolved.item);
    else missing.push(host);
  }
  return { found, missing };
}

function idOf({ id, name }: NodeView): string {
  return id ?? name;
}

function unknownHosts(hosts: readonly string[]): ProblemError {
  const hint = 'hosts are called as in `oakctl nodes ls`; until all of them are, none is freed';
  return new ProblemError(problem('NOT_FOUND', `there is no node ${hosts.join(', ')}`, { hint }));
}
