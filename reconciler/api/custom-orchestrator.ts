/**
 * The API of FRACTAL's custom orchestrator, for its resource manager: a tainted node gets nothing new, as one that is cordoned. Nothing
 * is kept beside the cordons: which of them are taints is written in their reason, so that those of people are never ended here.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { LoadNodesBody, TaintsBody } from '../../schemas/fractal.ts';
import { isProblemError, ProblemError, problem } from '../../schemas/problem.ts';
import type { NodeView } from '../../schemas/views.ts';
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
    const { tainted, freed } = await update(hosts, request);
    return reply.type('text/plain').send(`${tainted} tainted, ${freed} free again\n`);
  });
}

/** All of it or nothing: with a host that nobody knows the list is not what was meant, and NOT_FOUND. */
async function update(
  hosts: readonly string[],
  { control, caller }: Pick<FastifyRequest, 'control' | 'caller'>,
): Promise<{ readonly tainted: number; readonly freed: number }> {
  const all = control.nodes();
  const { found, missing } = nodesOf(hosts, all);
  const fresh = [...found].filter(({ cordoned }) => cordoned === undefined);
  const over = all.filter((node) => node.cordoned?.reason === taint && !found.has(node));
  if (missing.length > 0) throw unknownHosts(missing);
  const close = (node: NodeView) => control.cordon(idOf(node), { reason: taint, actor: caller.name });
  const open = (node: NodeView) => control.uncordon(idOf(node), caller.name);
  await allOrNothing([
    ...fresh.map((node) => ({ act: () => close(node), undo: () => open(node) })),
    ...over.map((node) => ({ act: () => open(node), undo: () => close(node) })),
  ]);
  return { tainted: fresh.length, freed: over.length };
}

interface Step {
  act(): Promise<unknown>;
  undo(): Promise<unknown>;
}

/** One after the other; when one fails, those before it are undone, as far as that goes. */
async function allOrNothing(steps: readonly Step[]): Promise<void> {
  const done: Step[] = [];
  try {
    for (const step of steps) {
      await step.act();
      done.push(step);
    }
  } catch (error) {
    for (const step of done.reverse())
      await step.undo().catch((another: unknown) => {
        if (!isProblemError(another)) throw another;
      });
    throw error;
  }
}

/** Nodes that are there, by exactly their name or an alias, else their id or an address that no other has: a program means what it says. */
function nodesOf(
  hosts: readonly string[],
  nodes: readonly NodeView[],
): { readonly found: ReadonlySet<NodeView>; readonly missing: readonly string[] } {
  const there = nodes.filter(({ id, state }) => id !== undefined && state !== 'revoked');
  const named = byEach(there, ({ name, aliases }) => [name, ...aliases]);
  const others = byEach(there, ({ id = '', ip = '' }) => [id, ip]);
  const found = new Set<NodeView>();
  const missing: string[] = [];
  for (const host of hosts) {
    const [other, ...more] = others.get(host) ?? [];
    const node = named.get(host)?.[0] ?? (more.length === 0 ? other : undefined);
    if (node) found.add(node);
    else missing.push(host);
  }
  return { found, missing };
}

/** Nodes by whatever each of them is called: fleets and lists are long. */
function byEach(
  nodes: readonly NodeView[],
  callsOf: (node: NodeView) => readonly string[],
): ReadonlyMap<string, readonly NodeView[]> {
  const index = new Map<string, NodeView[]>();
  for (const node of nodes) {
    for (const call of callsOf(node)) {
      const known = index.get(call);
      if (known) known.push(node);
      else if (call !== '') index.set(call, [node]);
    }
  }
  return index;
}

function idOf({ id, name }: NodeView): string {
  return id ?? name;
}

function unknownHosts(hosts: readonly string[]): ProblemError {
  const hint = 'hosts are called as in `oakctl nodes ls`; until all of them are, nothing is tainted or freed';
  return new ProblemError(problem('NOT_FOUND', `there is no node ${hosts.join(', ')}`, { hint }));
}
