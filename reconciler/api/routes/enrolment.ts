/** Who belongs to the cluster: join tokens, joining, revoking, and the proof of the cluster's own identity. */
import type { FastifyInstance } from 'fastify';
import {
  ActorBody,
  CordonBody,
  EmptyBody,
  JoinBody,
  RemoveNodeBody,
  StandingBody,
  TokenBody,
} from '../../../schemas/api-bodies.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import type { ControlPlane } from '../../control-plane.ts';
import { resolveNode } from '../../core/resolve.ts';
import { needs } from '../access.ts';
import { checkBody, type NamedRoute, type Query } from '../bodies.ts';
import { found } from './read.ts';

/** For people. */
export function enrolmentRoutes(app: FastifyInstance): void {
  app.post('/v1/tokens', needs('admin'), async ({ body, control, caller }) => {
    const { accept_empty_volume: acceptEmptyVolume = false, ...wish } = checkBody(TokenBody, body);
    return control.createToken({ actor: caller.name, ...wish, acceptEmptyVolume });
  });
  app.get('/v1/tokens', needs('survey'), async ({ control }) => ({ items: control.tokens() }));
  app.post<{ Params: { id: string } }>(
    '/v1/tokens/:id/revoke',
    needs('admin'),
    async ({ body, params, control, caller }) =>
      control.revokeToken(params.id, checkBody(ActorBody, body).actor ?? caller.name),
  );
  app.post<NamedRoute>('/v1/nodes/:name/revoke', needs('admin'), async ({ body, params, control }) => {
    checkBody(EmptyBody, body);
    return control.revoke(idOf(control, params.name));
  });
  app.post<NamedRoute>('/v1/nodes/:name/remove', needs('admin'), async ({ body, params, control }) => {
    const options = checkBody(RemoveNodeBody, body);
    return control.removeNode(isGivenUp(control, params.name) ? params.name : idOf(control, params.name), options);
  });
  for (const verb of ['cordon', 'drain'] as const) {
    app.post<NamedRoute>(`/v1/nodes/:name/${verb}`, needs('admin'), async ({ body, params, control, caller }) => {
      const { actor = caller.name, ...options } = checkBody(CordonBody, body);
      return control[verb](idOf(control, params.name), { ...options, actor });
    });
  }
  app.post<NamedRoute>('/v1/nodes/:name/uncordon', needs('admin'), async ({ body, params, control, caller }) => {
    const { actor = caller.name } = checkBody(ActorBody, body);
    return control.uncordon(idOf(control, params.name), actor);
  });
}

/** What no listing shows may still be given up, by its whole id. Seed nodes chose theirs: it may be the beginning of another one. */
function isGivenUp(control: ControlPlane, text: string): boolean {
  const isListed = control.nodes().some(({ name, id }) => name === text || id === text);
  return !isListed && control.status().conditions.some(({ code }) => code === 'RECORDS_MISSING');
}

/** A revoked node is meant only where no other one has the name; a beginning counts only where nobody has it as a name. */
export function idOf(control: ControlPlane, text: string): string {
  const nodes = control.nodes();
  const named = nodes.filter(({ name, id }) => name === text || id === text);
  const live = named.find(({ state }) => state !== 'revoked');
  const node = live ?? found(resolveNode(named.length > 0 ? named : nodes, text));
  return node.id ?? node.name;
}

/** For agents that have no credential yet. */
export function joinRoutes(app: FastifyInstance, control: ControlPlane): void {
  app.get<{ Querystring: Query }>('/v1/identity', needs('open'), async ({ query }) => {
    const nonce = query['nonce'];
    if (typeof nonce === 'string' && /^[0-9a-fA-F]{32,128}$/.test(nonce)) return control.identity(nonce);
    throw new ProblemError(problem('BAD_REQUEST', '`nonce` must be 32 to 128 hex digits', { subject: 'nonce' }));
  });
  app.post('/v1/standing', needs('node'), async ({ body }) => {
    const { node, password } = checkBody(StandingBody, body);
    return control.standing(node, password);
  });
  app.post('/v1/join', needs('node'), async ({ body, ip }) => control.join(checkBody(JoinBody, body), ip));
}
