/** Keys of the cluster, and the credential that a node exchanges. */
import type { FastifyInstance } from 'fastify';
import { RotateBody } from '../../../schemas/keys.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import type { ControlPlane } from '../../control-plane.ts';
import { parseBasic } from '../access.ts';
import { checkBody, unnamedActor } from '../bodies.ts';
import { idOf } from './enrolment.ts';

/** For callers with the API token. */
export function keyRoutes(app: FastifyInstance, control: ControlPlane): void {
  app.get('/v1/keys', async () => ({ items: control.keys() }));
  app.post('/v1/keys/rotate', async ({ body }) => {
    const { nodes, actor = unnamedActor, ...wish } = checkBody(RotateBody, body);
    const ids = nodes?.map((name) => idOf(control, name));
    return control.rotateKeys({ ...wish, actor, ...(ids && { nodes: ids }) });
  });
}

/** For nodes, with the credential that they have. */
export function credentialRoutes(app: FastifyInstance, control: ControlPlane): void {
  app.post('/v1/credential', async ({ headers }) => {
    const shown = parseBasic(headers.authorization);
    if (shown) return control.renewCredential(shown.user, shown.password);
    throw new ProblemError(problem('UNAUTHORIZED', 'a node shows its id and its password'));
  });
}
