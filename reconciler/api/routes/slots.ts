/** Verbs on services and instances, and the overrides that they make. */
import type { FastifyInstance } from 'fastify';
import { ActorBody, MoveBody, ReplicateBody, RestartBody, ScaleBody, VerbBody } from '../../../schemas/api-bodies.ts';
import type { ControlPlane } from '../../control-plane.ts';
import { resolveInstance, resolveNode, resolveService } from '../../core/resolve.ts';
import { checkBody, type NamedRoute, unnamedActor } from '../bodies.ts';
import { found } from './read.ts';

export function slotRoutes(app: FastifyInstance, control: ControlPlane): void {
  const serviceOf = (name: string): string => found(resolveService(control.services(), name)).name;
  const instanceOf = (name: string): string => found(resolveInstance(control.instances(), name)).name;
  const nodeOf = (name: string): string => {
    const node = found(resolveNode(control.nodes(), name));
    return node.id ?? node.name;
  };
  app.post<NamedRoute>('/v1/instances/:name/move', async ({ body, params }) => {
    const { to, accept_empty_volume: acceptEmptyVolume, actor = unnamedActor, ...how } = checkBody(MoveBody, body);
    const data = acceptEmptyVolume ? { acceptEmptyVolume } : {};
    return control.move(instanceOf(params.name), nodeOf(to), actor, { ...how, ...data });
  });
  app.post<NamedRoute>('/v1/instances/:name/replicate', async ({ body, params }) => {
    const { to, actor = unnamedActor, ...how } = checkBody(ReplicateBody, body);
    return control.replicate(instanceOf(params.name), to === undefined ? undefined : nodeOf(to), actor, how);
  });
  app.post<NamedRoute>('/v1/instances/:name/restart', async ({ body, params }) => {
    const { actor = unnamedActor, ...how } = checkBody(RestartBody, body);
    const instance = instanceOf(params.name);
    return control.restart(instance.slice(0, instance.lastIndexOf('.instance.')), instance, actor, how);
  });
  app.post<NamedRoute>('/v1/services/:name/scale', async ({ body, params }) => {
    const { replicas, actor = unnamedActor, ...how } = checkBody(ScaleBody, body);
    return control.scale(serviceOf(params.name), replicas, { ...how, actor });
  });
  app.post<NamedRoute>('/v1/services/:name/stop', async ({ body, params }) => {
    const { actor = unnamedActor, ...how } = checkBody(VerbBody, body);
    return control.stop(serviceOf(params.name), { ...how, actor });
  });
  app.post<NamedRoute>('/v1/services/:name/start', async ({ body, params }) => {
    const { actor = unnamedActor } = checkBody(ActorBody, body);
    return control.start(serviceOf(params.name), actor);
  });
  app.post<NamedRoute>('/v1/services/:name/restart', async ({ body, params }) => {
    const { actor = unnamedActor, ...how } = checkBody(RestartBody, body);
    return control.restart(serviceOf(params.name), undefined, actor, how);
  });
  app.get('/v1/overrides', async () => ({ items: control.overrides() }));
  app.post<{ Params: { id: string } }>('/v1/overrides/:id/remove', async ({ body, params }) => {
    const { actor = unnamedActor } = checkBody(ActorBody, body);
    return control.removeOverride(params.id, actor);
  });
}
