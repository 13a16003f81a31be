/** Logins of registries: kept by people, told to nodes. Passwords travel over TLS or loopback, whatever else is allowed. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { isLoopback } from '../../../schemas/addresses.ts';
import { ActorBody, LoginBody } from '../../../schemas/api-bodies.ts';
import type { NodeId } from '../../../schemas/names.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import type { ControlPlane } from '../../control-plane.ts';
import { needs, parseBasic } from '../access.ts';
import { checkBody, type NamedRoute } from '../bodies.ts';

/** For people. */
export function registryRoutes(app: FastifyInstance): void {
  app.get('/v1/registries', needs('survey'), async ({ control }) => ({ items: await control.registries() }));
  app.post<NamedRoute>('/v1/registries/:name/login', needs('admin'), async (request) => {
    requireSecrecy(request);
    const { actor = request.caller.name, username, password } = checkBody(LoginBody, request.body);
    return request.control.login(request.params.name, { username, password }, actor);
  });
  app.post<NamedRoute>('/v1/registries/:name/logout', needs('admin'), async ({ body, params, control, caller }) => {
    const { actor = caller.name } = checkBody(ActorBody, body);
    return control.logout(params.name, actor);
  });
}

/** For nodes, with their own credential. */
export function nodeRoutes(
  app: FastifyInstance,
  control: ControlPlane,
  authenticate: (node: NodeId, password: string) => boolean,
): void {
  app.get<NamedRoute>('/v1/registries/:name/sources', needs('node'), async (request) => {
    const who = parseBasic(request.headers.authorization);
    if (!who || !authenticate(who.user, who.password))
      throw new ProblemError(problem('UNAUTHORIZED', 'only a node of this cluster is told where its images are'));
    requireSecrecy(request);
    return { items: await control.pullSources(who.user, request.params.name) };
  });
}

function requireSecrecy({ raw, ip }: FastifyRequest): void {
  if ('encrypted' in raw.socket || isLoopback(ip.replace(/^::ffff:/, ''))) return;
  throw new ProblemError(
    problem('TLS_REQUIRED', 'logins of registries travel over TLS only, and this API speaks none', {
      hint: '`tls: auto` in cluster.yaml; or registries.yaml beside agent.yaml of each node',
    }),
  );
}
