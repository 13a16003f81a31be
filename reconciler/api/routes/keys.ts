/** Keys of the cluster, and the credential that a node exchanges. */
import type { FastifyInstance } from 'fastify';
import { RotateBody } from '../../../schemas/keys.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import type { ControlPlane } from '../../control-plane.ts';
import { needs, parseBasic } from '../access.ts';
import { checkBody } from '../bodies.ts';
import { idOf } from './enrolment.ts';

/** For people. */
export function keyRoutes(app: FastifyInstance): void {
  app.get('/v1/keys', needs('survey'), async ({ control }) => ({ items: control.keys() }));
  app.post('/v1/keys/rotate', needs('admin'), async ({ body, control, caller }) => {
    const { nodes, actor = caller.name, ...wish } = checkBody(RotateBody, body);
    const ids = nodes?.map((name) => idOf(control, name));
    return control.rotateKeys({ ...wish, actor, ...(ids && { nodes: ids }) });
  });
}

/** For nodes, with the credential that they have. */
export function credentialRoutes(app: FastifyInstance, control: ControlPlane): void {
  app.post('/v1/credential', needs('node'), async ({ headers }) => {
    const shown = parseBasic(headers.authorization);
    if (shown) return control.renewCredential(shown.user, shown.password);
    throw new ProblemError(problem('UNAUTHORIZED', 'a node shows its id and its password'));
  });
}
