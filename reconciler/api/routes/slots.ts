/** Verbs on services and instances, and the overrides that they make. */
import type { FastifyInstance } from 'fastify';
import {
  ActorBody,
  MoveBody,
  ReplicateBody,
  RestartBody,
  ResumeBody,
  ScaleBody,
  SuspendBody,
  UndeleteBody,
  VerbBody,
} from '../../../schemas/api-bodies.ts';
import type { ControlPlane } from '../../control-plane.ts';
import { resolveEither, resolveNode } from '../../core/resolve.ts';
import { nodeSubject, wholeCluster } from '../../core/suspends.ts';
import { needs } from '../access.ts';
import { checkBody, type NamedRoute } from '../bodies.ts';
import { found, instanceNamed, serviceNamed } from './read.ts';

export function slotRoutes(app: FastifyInstance): void {
  app.post<NamedRoute>('/v1/instances/:name/move', needs('change'), async ({ body, params, control, caller }) => {
    const { to, accept_empty_volume: acceptEmptyVolume, actor = caller.name, ...how } = checkBody(MoveBody, body);
    const data = acceptEmptyVolume ? { acceptEmptyVolume } : {};
    return control.move(instanceNamed(control, params.name), nodeOf(control, to), actor, { ...how, ...data });
  });
  app.post<NamedRoute>('/v1/instances/:name/replicate', needs('change'), async ({ body, params, control, caller }) => {
    const { to, actor = caller.name, ...how } = checkBody(ReplicateBody, body);
    return control.replicate(
      instanceNamed(control, params.name),
      to === undefined ? undefined : nodeOf(control, to),
      actor,
      how,
    );
  });
  app.post<NamedRoute>('/v1/instances/:name/restart', needs('change'), async ({ body, params, control, caller }) => {
    const { actor = caller.name, ...how } = checkBody(RestartBody, body);
    const instance = instanceNamed(control, params.name);
    return control.restart(instance.slice(0, instance.lastIndexOf('.instance.')), instance, actor, how);
  });
  app.post<NamedRoute>('/v1/services/:name/scale', needs('change'), async ({ body, params, control, caller }) => {
    const { replicas, actor = caller.name, ...how } = checkBody(ScaleBody, body);
    return control.scale(serviceNamed(control, params.name).name, replicas, { ...how, actor });
  });
  app.post<NamedRoute>('/v1/services/:name/stop', needs('change'), async ({ body, params, control, caller }) => {
    const { actor = caller.name, ...how } = checkBody(VerbBody, body);
    return control.stop(serviceNamed(control, params.name).name, { ...how, actor });
  });
  app.post<NamedRoute>('/v1/services/:name/undelete', needs('change'), async ({ body, params, control, caller }) => {
    const { actor = caller.name, ...how } = checkBody(UndeleteBody, body);
    return control.undelete(serviceNamed(control, params.name).name, { ...how, actor });
  });
  app.post<NamedRoute>('/v1/services/:name/start', needs('change'), async ({ body, params, control, caller }) => {
    const { actor = caller.name } = checkBody(ActorBody, body);
    return control.start(serviceNamed(control, params.name).name, actor);
  });
  app.post<NamedRoute>('/v1/services/:name/restart', needs('change'), async ({ body, params, control, caller }) => {
    const { actor = caller.name, ...how } = checkBody(RestartBody, body);
    return control.restart(serviceNamed(control, params.name).name, undefined, actor, how);
  });
  app.post('/v1/suspend', needs('change'), async ({ body, control, caller }) => {
    const { subject, actor = caller.name, ...how } = checkBody(SuspendBody, body);
    return control.suspend(subjectOf(control, subject), { ...how, actor });
  });
  app.post('/v1/resume', needs('change'), async ({ body, control, caller }) => {
    const { subject, actor = caller.name } = checkBody(ResumeBody, body);
    return control.resume(subjectOf(control, subject), actor);
  });
  app.get('/v1/overrides', needs('read'), async ({ control }) => ({ items: control.overrides() }));
  app.post<{ Params: { id: string } }>(
    '/v1/overrides/:id/remove',
    needs('change'),
    async ({ body, params, control, caller }) => {
      const { actor = caller.name } = checkBody(ActorBody, body);
      return control.removeOverride(params.id, actor);
    },
  );
}

/** What is meant, as it is kept. */
function subjectOf(control: ControlPlane, text: string): string {
  const prefix = 'node/';
  if (text === wholeCluster) return text;
  if (text.startsWith(prefix)) return nodeSubject(nodeOf(control, text.slice(prefix.length)));
  if (control.service(text)) return text;
  return found(resolveEither<{ readonly name: string }>(control.apps(), control.services(), text)).name;
}

function nodeOf(control: ControlPlane, name: string): string {
  const node = found(resolveNode(control.nodes(), name));
  return node.id ?? node.name;
}
