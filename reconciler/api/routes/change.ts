/** What should be: deploy, delete, plan, approve, sync. */
import type { FastifyInstance } from 'fastify';
import { ApproveBody, DeleteBody, DeployBody, EmptyBody, PlanBody } from '../../../schemas/api-bodies.ts';
import { needs } from '../access.ts';
import { checkBody } from '../bodies.ts';

/** `stopping` aborts what still waits when the server closes. */
export function changeRoutes(app: FastifyInstance, stopping: AbortSignal): void {
  app.post('/v1/deploy', needs('change'), async ({ body, control, caller }) =>
    control.deploy({ actor: caller.name, ...checkBody(DeployBody, body) }),
  );
  app.post('/v1/plan', needs('read'), async ({ body, control }) => control.plan(checkBody(PlanBody, body)));
  app.post('/v1/delete', needs('change'), async ({ body, control, caller }) => {
    const { actor = caller.name, ...names } = checkBody(DeleteBody, body);
    return control.remove(names, actor);
  });
  app.post('/v1/approve', needs('admin'), async ({ body, control, caller }) => {
    const { actor = caller.name, id } = checkBody(ApproveBody, body);
    return control.approve(id, actor);
  });
  app.post('/v1/sync', needs('admin'), async ({ body, control }) => {
    checkBody(EmptyBody, body);
    return control.sync(stopping);
  });
}
