/**
 * MyCluster's API: its paths, its bodies and its errors. Beside the other routes it needs their token; on a port of its own, on
 * loopback, it needs none, as MyCluster has it. What a web page could make a browser send there is refused.
 */
import { setTimeout as delay } from 'node:timers/promises';
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, LogController } from 'fastify';
import { isLoopback } from '../../schemas/addresses.ts';
import { MyClusterChange, type MyClusterDefinition, MyClusterService } from '../../schemas/mycluster.ts';
import { isProblemError, type Problem, ProblemError, problem } from '../../schemas/problem.ts';
import type { ServiceView } from '../../schemas/views.ts';
import type { ControlPlane } from '../control-plane.ts';
import { definitionOf, descriptorOf, fullNameOf, stateOf, statsOf } from '../core/mycluster.ts';
import type { Caller } from '../core/rights.ts';
import { needs, serveEverybody } from './access.ts';
import { auditRequests } from './audit.ts';
import { checkBody, takeEmptyBodies } from './bodies.ts';
import { statusOf } from './failures.ts';
import type { ApiBind, ApiDeps } from './server.ts';

const base = '/api/v1';
const actor = 'mycluster';
/** A change is answered once all of it runs, or after this many ms with what runs by then. */
const patience = 30_000;
const look = 200;

type MyClusterDeps = Pick<ApiDeps, 'control' | 'logger' | 'audit'>;

/** Listens without asking for a token: `bind` must be loopback. PORT_TAKEN. */
export async function createMyClusterApi({
  bind,
  ...deps
}: MyClusterDeps & { readonly bind: ApiBind }): Promise<{ close(): Promise<void> }> {
  const app = buildMyClusterApi(deps);
  await app.listen(bind).catch((cause: unknown) => {
    const hint = 'set `compat.mycluster.port` in cluster.yaml to another port, or end what listens there';
    const message = `MyCluster's API cannot listen on ${bind.host}:${bind.port}: ${(cause as NodeJS.ErrnoException).code}`;
    throw new ProblemError(problem('PORT_TAKEN', message, { hint }), { cause });
  });
  return { close: () => app.close() };
}

/** The server without a socket: what tests inject requests into. */
export function buildMyClusterApi({ control, logger, audit }: MyClusterDeps): FastifyInstance {
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 64 * 1024,
    forceCloseConnections: true,
  });
  app.addHook('onRequest', async ({ headers }) => refusePages(headers));
  app.setNotFoundHandler(async ({ method, url }, reply) =>
    reply.code(404).send({ error: `MyCluster's API has no ${method} ${url.split('?')[0]}`, code: 404 }),
  );
  serveEverybody(app, control);
  if (audit) auditRequests(app, audit, actor);
  myClusterRoutes(app);
  return app;
}

/** The routes, on a server that asks for a token or on one that need not. */
export function myClusterRoutes(app: FastifyInstance): void {
  const stopping = new AbortController();
  app.addHook('preClose', async () => stopping.abort());
  void app.register(async (routes) => {
    takeEmptyBodies(routes);
    answerAsMyCluster(routes);
    readings(routes);
    changes(routes, stopping.signal);
  });
}

function readings(app: FastifyInstance): void {
  app.get(`${base}/state`, needs('read'), async ({ control }) => stateNow(control));
  app.get(`${base}/stats`, needs('read'), async ({ control }) => {
    const { tally, upTime } = control.tally();
    return statsOf(tally, control.services(), upTime);
  });
  app.get(`${base}/service`, needs('read'), async ({ control }) => control.services().map(definitionOf));
  app.get<ServiceRoute>(`${base}/service/:name`, needs('read'), async ({ params, control }) =>
    definitionOf(registered(control, params.name)),
  );
}

function changes(app: FastifyInstance, signal: AbortSignal): void {
  const put = async (wanted: MyClusterService, done: 200 | 201, reply: FastifyReply): Promise<object> => {
    const { control, caller } = reply.request;
    const service = { service: wanted.service, image: wanted.image, replicas: wanted.replicas };
    const documents = [{ file: `service ${service.service}`, text: descriptorOf(service) }];
    await control.deploy({ documents, actor: actorOf(caller) });
    const waits = await untilSettled(control, fullNameOf(service.service), signal);
    return reply
      .code(waits === undefined ? done : 202)
      .send({ ...stateNow(control), ...(waits && { message: waits }) });
  };
  app.post(`${base}/service`, needs('change'), async ({ body }, reply) =>
    put(checkBody(MyClusterService, body), 201, reply),
  );
  app.put<ServiceRoute>(`${base}/service/:name`, needs('change'), async ({ body, params, control }, reply) => {
    const { service, image, replicas }: MyClusterDefinition = definitionOf(registered(control, params.name));
    return put({ service, image, replicas, ...checkBody(MyClusterChange, body) }, 200, reply);
  });
  app.delete<ServiceRoute>(`${base}/service/:name`, needs('change'), async ({ params, control, caller }) => {
    await control.remove({ services: [registered(control, params.name).name] }, actorOf(caller));
    return stateNow(control);
  });
}

/** Programs that speak like MyCluster's do not say who they are. */
function actorOf({ by, name }: Caller): string {
  return by === 'cluster' ? actor : name;
}

interface ServiceRoute {
  Params: { name: string };
}

function stateNow(control: ControlPlane): object {
  return stateOf(control.cluster, control.nodes(), control.services());
}

/** By the name under which it was posted, or by its full name. */
function registered(control: ControlPlane, name: string): ServiceView {
  const found = control.service(fullNameOf(name)) ?? control.service(name);
  if (found && found.outcome !== 'removing') return found;
  throw new ProblemError(problem('NOT_FOUND', `Service ${name} was not registred for this cluster.`));
}

/** Undefined once it is as wanted; what it waits for when that takes too long, or will never be. */
async function untilSettled(control: ControlPlane, name: string, signal: AbortSignal): Promise<string | undefined> {
  const until = performance.now() + patience;
  for (;;) {
    const service = control.service(name);
    if (service === undefined || service.outcome === 'settled') return undefined;
    if (service.outcome !== 'progressing' || performance.now() > until || signal.aborted) return service.message;
    await delay(look, undefined, { signal }).catch(() => undefined);
  }
}

/** `{message, code}` for a service that is not there, as MyCluster says it; `{error, code}` for all else. */
function answerAsMyCluster(app: FastifyInstance): void {
  app.setErrorHandler<FastifyError>(async (error, request, reply) => {
    const problems = isProblemError(error) ? error.problems : undefined;
    const code = problems ? statusOf(problems) : (error.statusCode ?? 500);
    if (code >= 500 && !problems) request.log.error({ err: error, url: request.url }, 'request failed by a bug');
    const text = problems
      ? problems.map(sentence).join('; ')
      : code >= 500
        ? 'a bug; the log tells more'
        : error.message;
    return reply.code(code).send(code === 404 ? { message: text, code } : { error: text, code });
  });
}

function sentence({ code, message, subject, hint }: Problem): string {
  if (code === 'NOT_FOUND') return message;
  return `${subject === undefined ? '' : `${subject}: `}${message}${hint === undefined ? '' : ` (${hint})`}`;
}

/** Whoever asks without a token must be a program of this machine, not a page in its browser, nor a name that a stranger resolves. */
function refusePages(headers: Readonly<Record<string, string | string[] | undefined>>): void {
  const host = String(headers['host'] ?? '')
    .replace(/:\d+$/, '')
    .replace(/^\[|\]$/g, '');
  if (headers['origin'] === undefined && headers['sec-fetch-site'] === undefined && isLoopback(host)) return;
  const hint = `${base} of the API's own port answers everybody who has the token`;
  throw new ProblemError(problem('UNAUTHORIZED', 'this port is for programs on this machine', { hint }));
}
