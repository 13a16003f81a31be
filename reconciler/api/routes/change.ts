/** What should be: deploy, delete, plan, approve, sync. */
import type { FastifyInstance } from 'fastify';
import { ApproveBody, DeleteBody, DeployBody, EmptyBody, PlanBody } from '../../../schemas/api-bodies.ts';
import type { ControlPlane } from '../../control-plane.ts';
import { checkBody, unnamedActor } from '../bodies.ts';

/** `stopping` aborts what still waits when the server closes. */
export function changeRoutes(app: FastifyInstance, control: ControlPlane, stopping: AbortSignal): void {
  app.post('/v1/deploy', async ({ body }) => control.deploy(checkBody(DeployBody, body)));
  app.post('/v1/plan', async ({ body }) => control.plan(checkBody(PlanBody, body)));
  app.post('/v1/delete', async ({ body }) => {
    const { actor = unnamedActor, ...names } = checkBody(DeleteBody, body);
    return control.remove(names, actor);
  });
  app.post('/v1/approve', async ({ body }) => {
    const { actor = unnamedActor, id } = checkBody(ApproveBody, body);
    return control.approve(id, actor);
  });
  app.post('/v1/sync', async ({ body }) => {
    checkBody(EmptyBody, body);
    return control.sync(stopping);
  });
}
