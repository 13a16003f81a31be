/** Who belongs to the cluster: join tokens, joining, revoking, and the proof of the cluster's own identity. */
import type { FastifyInstance } from 'fastify';
import { EmptyBody, JoinBody, TokenBody } from '../../../schemas/api-bodies.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import type { ControlPlane } from '../../control-plane.ts';
import { resolveNode } from '../../core/resolve.ts';
import { checkBody, type NamedRoute, type Query } from '../bodies.ts';
import { found } from './read.ts';

/** For callers with the API token. */
export function enrolmentRoutes(app: FastifyInstance, control: ControlPlane): void {
  app.post('/v1/tokens', async ({ body }) => control.createToken(checkBody(TokenBody, body)));
  app.post<NamedRoute>('/v1/nodes/:name/revoke', async ({ body, params }) => {
    checkBody(EmptyBody, body);
    const node = found(resolveNode(control.nodes(), params.name));
    return control.revoke(node.id ?? node.name);
  });
}

/** For agents that have no credential yet. */
export function joinRoutes(app: FastifyInstance, control: ControlPlane): void {
  app.get<{ Querystring: Query }>('/v1/identity', async ({ query }) => {
    const nonce = query['nonce'];
    if (typeof nonce === 'string' && /^[0-9a-fA-F]{32,128}$/.test(nonce)) return control.identity(nonce);
    throw new ProblemError(problem('BAD_REQUEST', '`nonce` must be 32 to 128 hex digits', { subject: 'nonce' }));
  });
  app.post('/v1/join', async ({ body, ip }) => control.join(checkBody(JoinBody, body), ip));
}
