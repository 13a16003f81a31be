/** What is: status, listings, one service, one node, holds. */
import type { FastifyInstance } from 'fastify';
import { parseInstanceName } from '../../../schemas/names.ts';
import { type Problem, ProblemError } from '../../../schemas/problem.ts';
import type { ServiceView } from '../../../schemas/views.ts';
import type { ControlPlane } from '../../control-plane.ts';
import {
  type Resolution,
  resolveApp,
  resolveInstance,
  resolveNode,
  resolveService,
  selectInstances,
} from '../../core/resolve.ts';
import { needs } from '../access.ts';
import { manyOf, type NamedRoute, type Query } from '../bodies.ts';
import { sendJson } from '../json-flow.ts';

interface ListRoute {
  Querystring: Query;
}

export function readRoutes(app: FastifyInstance): void {
  app.get('/v1/status', needs('read'), async ({ control }) => control.status());
  app.get<ListRoute>('/v1/why', needs('read'), async ({ query, control }) => {
    const [subject = ''] = manyOf(query, 'subject');
    return control.why(subject);
  });
  app.get('/v1/snapshot', needs('survey'), async ({ control }, reply) => sendJson(reply, await control.snapshot()));
  app.get('/v1/holds', needs('read'), async ({ control }) => ({ items: control.holds() }));
  app.get<ListRoute>('/v1/apps', needs('read'), async ({ query, control }) => ({
    items: select(control.apps(), query, resolveApp),
  }));
  app.get<ListRoute>('/v1/services', needs('read'), async ({ query, control }) => ({
    items: select(control.services(), query, resolveService),
  }));
  app.get<ListRoute>('/v1/nodes', needs('survey'), async ({ query, control }) => ({
    items: select(control.nodes(), query, resolveNode),
  }));
  app.get<ListRoute>('/v1/instances', needs('read'), async ({ query, control }) => {
    const names = manyOf(query, 'name');
    if (names.length === 0) return { items: control.instances() };
    const { items, problems } = selectInstances(control.instances(), control.services(), names);
    if (problems.length > 0) throw new ProblemError(problems);
    return { items };
  });
  app.get<NamedRoute>('/v1/services/:name', needs('read'), async ({ params, control }) =>
    serviceNamed(control, params.name),
  );
  app.get<NamedRoute>('/v1/nodes/:name', needs('survey'), async ({ params, control }) => {
    return control.node(params.name) ?? found(resolveNode(control.nodes(), params.name));
  });
}

/** A service by any of its names; by its whole name at a cost that does not grow with the cluster. NOT_FOUND, BAD_REQUEST. */
export function serviceNamed(control: ControlPlane, text: string): ServiceView {
  return control.service(text) ?? found(resolveService(control.services(), text));
}

/** The whole name of an instance, as {@link serviceNamed}. */
export function instanceNamed(control: ControlPlane, text: string): string {
  const whole = parseInstanceName(text);
  const isThere = whole && control.service(whole.service)?.instances.some(({ name }) => name === text);
  return isThere ? text : found(resolveInstance(control.instances(), text)).name;
}

/** What was resolved, or its problem thrown. */
export function found<T>(resolution: Resolution<T>): T {
  if (resolution.kind === 'found') return resolution.item;
  throw new ProblemError(resolution.problem);
}

/** All items, or those that the names of the query tell; throws the problems of all names that tell none. */
function select<T>(
  items: readonly T[],
  query: Query,
  resolve: (items: readonly T[], text: string) => Resolution<T>,
): readonly T[] {
  const names = manyOf(query, 'name');
  if (names.length === 0) return items;
  const chosen = new Set<T>();
  const problems: Problem[] = [];
  for (const name of names) {
    const resolution = resolve(items, name);
    if (resolution.kind === 'found') chosen.add(resolution.item);
    else problems.push(resolution.problem);
  }
  if (problems.length > 0) throw new ProblemError(problems);
  return items.filter((item) => chosen.has(item));
}
