/** What should be: deploy, delete, plan, approve, sync, rollback. */
import type { FastifyInstance } from 'fastify';
import {
  ApproveBody,
  DeleteBody,
  DeployBody,
  EmptyBody,
  PlanBody,
  RollbackBody,
  UnpinBody,
} from '../../../schemas/api-bodies.ts';
import { needs } from '../access.ts';
import { checkBody, manyOf, type Query } from '../bodies.ts';

/** A plan may be of a whole repository. */
const workingCopyLimit = 16 * 1024 * 1024;

/** `stopping` aborts what still waits when the server closes. */
export function changeRoutes(app: FastifyInstance, stopping: AbortSignal): void {
  app.post('/v1/deploy', needs('change'), async ({ body, control, caller }) =>
    control.deploy({ actor: caller.name, ...checkBody(DeployBody, body) }),
  );
  app.post('/v1/plan', { ...needs('read'), bodyLimit: workingCopyLimit }, async ({ body, control }) =>
    control.plan(checkBody(PlanBody, body)),
  );
  app.post('/v1/delete', needs('change'), async ({ body, control, caller }) => {
    const { actor = caller.name, ...names } = checkBody(DeleteBody, body);
    return control.remove(names, actor);
  });
  app.post('/v1/approve', needs('admin'), async ({ body, control, caller }) => {
    const { actor = caller.name, id } = checkBody(ApproveBody, body);
    return control.approve(id, actor);
  });
  app.get<{ Querystring: Query }>('/v1/history', needs('read'), async ({ query, control }) => {
    const [source] = manyOf(query, 'source');
    return { items: control.history(source) };
  });
  app.post('/v1/rollback', needs('admin'), async ({ body, control, caller }) => {
    const { actor = caller.name, ...wish } = checkBody(RollbackBody, body);
    return control.rollback({ ...wish, actor }, stopping);
  });
  app.post('/v1/unpin', needs('admin'), async ({ body, control, caller }) => {
    const { actor = caller.name, source } = checkBody(UnpinBody, body);
    return control.unpin(source, actor);
  });
  app.post('/v1/sync', needs('admin'), async ({ body, control }) => {
    checkBody(EmptyBody, body);
    return control.sync(stopping);
  });
}
