/** One instance at a time: move, replicate. */
import type { FastifyInstance } from 'fastify';
import { MoveBody, ReplicateBody } from '../../../schemas/api-bodies.ts';
import type { ControlPlane } from '../../control-plane.ts';
import { resolveInstance, resolveNode } from '../../core/resolve.ts';
import { checkBody, type NamedRoute } from '../bodies.ts';
import { found } from './read.ts';

export function slotRoutes(app: FastifyInstance, control: ControlPlane): void {
  const instanceOf = (name: string): string => found(resolveInstance(control.instances(), name)).name;
  const nodeOf = (name: string): string => {
    const node = found(resolveNode(control.nodes(), name));
    return node.id ?? node.name;
  };
  app.post<NamedRoute>('/v1/instances/:name/move', async ({ body, params }) => {
    const { to, actor = 'api' } = checkBody(MoveBody, body);
    return control.move(instanceOf(params.name), nodeOf(to), actor);
  });
  app.post<NamedRoute>('/v1/instances/:name/replicate', async ({ body, params }) => {
    const { to, actor = 'api' } = checkBody(ReplicateBody, body);
    return control.replicate(instanceOf(params.name), to === undefined ? undefined : nodeOf(to), actor);
  });
}
