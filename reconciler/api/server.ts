/** The HTTP server: routes, access, failures, limits. What it serves is the control plane behind it. */
import { createServer, Server as HttpServer } from 'node:http';
import type { AddressInfo, Server as NetServer } from 'node:net';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import { urlHost } from '../../schemas/addresses.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { Accounts } from '../accounts/accounts.ts';
import type { ControlPlane } from '../control-plane.ts';
import type { Caller } from '../core/rights.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Notifier } from '../notifier.ts';
import type { OakestraDesk } from '../oakestra.ts';
import type { Shelf } from '../packages/shelf.ts';
import { reachableHost } from '../tls/names.ts';
import type { WebhookDesk } from '../webhooks/desk.ts';
import { createGate, type Gate, guardRoutes } from './access.ts';
import { type AuditDesk, auditRequests } from './audit.ts';
import { customOrchestratorRoutes } from './custom-orchestrator.ts';
import { answerFailures } from './failures.ts';
import { myClusterRoutes } from './mycluster.ts';
import { oakestraRoutes } from './oakestra/routes.ts';
import { accountRoutes } from './routes/accounts.ts';
import { auditRoutes } from './routes/audit.ts';
import { changeRoutes } from './routes/change.ts';
import { docsRoutes } from './routes/docs.ts';
import { enrolmentRoutes, joinRoutes } from './routes/enrolment.ts';
import { type FollowOptions, followRoutes } from './routes/follow.ts';
import { healthRoutes } from './routes/health.ts';
import { credentialRoutes, keyRoutes } from './routes/keys.ts';
import { meterRequests, metricsRoutes } from './routes/metrics.ts';
import { notificationRoutes } from './routes/notifications.ts';
import { packageRoutes, stockRoutes } from './routes/packages.ts';
import { readRoutes } from './routes/read.ts';
import { nodeRoutes, registryRoutes } from './routes/registries.ts';
import { calculateRoutes, registerRoutes } from './routes/seeds.ts';
import { slotRoutes } from './routes/slots.ts';
import { tlsRoutes } from './routes/tls.ts';
import { upgradeRoutes } from './routes/upgrades.ts';
import { webhookRoutes } from './routes/webhooks.ts';
import { createSessions } from './sessions.ts';
import type { StreamServer } from './streams.ts';
import { type ApiTls, createTlsListener } from './tls-listener.ts';

/** Longest body in bytes. */
const bodyLimit = 1024 * 1024;
/** A request must have arrived whole after this time. Answers may take as long as they want. */
const requestTimeout = 30_000;
/** Longer than any instance name, in bytes as it stands in a URL. */
const maxParamLength = 512;

export interface ApiDeps {
  readonly control: ControlPlane;
  /** Of the cluster's folder: whoever has it may do everything. */
  readonly token: string;
  /** Everybody else. */
  readonly accounts: Accounts;
  readonly oakestra: OakestraDesk;
  /** Oakestra's API answers what is read with a string that holds the JSON. */
  readonly jsonInStrings?: boolean;
  /** The control plane as somebody has it who has only some applications. */
  readonly limit: (caller: Caller) => ControlPlane;
  readonly streams: StreamServer;
  readonly logger: FastifyBaseLogger;
  /** Without it: plain HTTP. */
  readonly tls?: ApiTls;
  /** What new machines download. Absent: nothing. */
  readonly shelf?: Shelf;
  /** Who may say that a repository changed. Absent: nobody. */
  readonly webhooks?: WebhookDesk;
  /** Absent: nothing is counted. */
  readonly metrics?: Metrics;
  /** Who is told what is wrong. Absent: nobody. */
  readonly notifier?: Pick<Notifier, 'views' | 'test'>;
  /** Who did what. Absent: nobody keeps it. */
  readonly audit?: AuditDesk;
  /** How readers of events are dealt with, where that is not as usual. */
  readonly follow?: FollowOptions;
}

export interface ApiBind {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Another port with the same routes. */
  readonly beside?: number | undefined;
}

/** Beside the usual port, the API answers on that of Oakestra's root orchestrator, where it is free. */
const usualPort = 10_100;
const rootPort = 10_000;

export interface Api {
  /** `http://host:port` or `https://host:port`, as it is reached from this machine. */
  readonly url: string;
  /** Ends open answers and streams, and resolves when nothing listens any more. */
  close(): Promise<void>;
}

/** Listens. PORT_TAKEN when somebody else does already. */
export async function createApi(given: ApiDeps & { readonly bind: ApiBind }): Promise<Api> {
  const gate = createGate(given);
  const deps = { ...given, streams: withSessions(given, gate) };
  const app = buildApi(deps, gate);
  const { host, port } = deps.bind;
  const servers: NetServer[] = [];
  const close = async (): Promise<void> => {
    await app.close();
    await Promise.all(servers.map(end));
  };
  try {
    await app.ready();
    const url = deps.tls ? await listenTls(app, deps, deps.tls, servers) : await app.listen({ host, port });
    if (deps.bind.beside !== undefined) await listenBeside(app, deps, servers, deps.bind.beside);
    if (port === usualPort) await listenBeside(app, deps, servers, rootPort).catch(ignoreTaken(app));
    return { url, close };
  } catch (error) {
    await close();
    throw asPortProblem(error, deps.bind);
  }
}

/** Upgrades are sessions of callers, or streams of agents. */
function withSessions({ streams, logger, audit }: ApiDeps, gate: Gate): StreamServer {
  const bug = (error: unknown) => logger.error({ event: 'session_bug', err: error });
  const sessions = createSessions({ gate, bug, ...(audit && { audit }) });
  return {
    ...streams,
    upgrade: (...upgrade) => void (sessions.upgrade(...upgrade) || streams.upgrade(...upgrade)),
    close() {
      sessions.close();
      streams.close();
    },
  };
}

/** The server without a socket: what tests inject requests into. */
export function buildApi(deps: ApiDeps, gate: Gate = createGate(deps)): FastifyInstance {
  const { control, accounts, oakestra, jsonInStrings = false, streams, logger, tls, shelf } = deps;
  const { webhooks, metrics, follow, notifier, audit } = deps;
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit,
    requestTimeout,
    forceCloseConnections: true,
    // Oakestra's clients write paths with a slash at the end.
    routerOptions: { maxParamLength, ignoreTrailingSlash: true },
  });
  const stopping = new AbortController();
  answerFailures(app);
  if (metrics) meterRequests(app, metrics.http);
  guardRoutes(app, gate);
  if (audit) auditRequests(app, audit);
  healthRoutes(app, control);
  docsRoutes(app);
  joinRoutes(app, control);
  tlsRoutes(app, tls);
  packageRoutes(app, shelf);
  credentialRoutes(app, control);
  registerRoutes(app, control);
  nodeRoutes(app, control, streams.authenticate);
  webhookRoutes(app, webhooks);
  accountRoutes(app, accounts);
  auditRoutes(app, audit);
  readRoutes(app);
  changeRoutes(app, stopping.signal);
  slotRoutes(app);
  calculateRoutes(app);
  enrolmentRoutes(app);
  stockRoutes(app, shelf);
  keyRoutes(app);
  registryRoutes(app);
  notificationRoutes(app, notifier, stopping.signal);
  followRoutes(app, { ...(metrics && { meter: metrics.http }), ...follow });
  upgradeRoutes(app, streams.authenticate);
  metricsRoutes(app, metrics);
  oakestraRoutes(app, { accounts, desk: oakestra, jsonInStrings });
  myClusterRoutes(app);
  customOrchestratorRoutes(app);
  app.server.on('upgrade', streams.upgrade);
  app.addHook('preClose', async () => {
    stopping.abort();
    streams.close();
  });
  return app;
}

type Bound = ApiDeps & { readonly bind: ApiBind };

/** The same routes on another port. */
async function listenBeside(
  app: FastifyInstance,
  { streams, tls, bind: { host } }: Bound,
  servers: NetServer[],
  port: number,
): Promise<void> {
  const server = tls
    ? tlsListener(app, streams, tls)
    : createServer({ requestTimeout }, app.routing).on('upgrade', streams.upgrade);
  await listen(server, { host, port }).catch((error: unknown) => {
    throw asPortProblem(error, { host, port }, 'compat.custom_orchestrator.port');
  });
  servers.push(server);
}

/** A port that nobody asked for, and that is taken, is left alone. */
function ignoreTaken({ log }: FastifyInstance): (error: unknown) => void {
  return (error) => log.warn({ event: 'second_port_taken', port: rootPort, why: String(error) });
}

/** In place of fastify's own listening. */
async function listenTls(
  app: FastifyInstance,
  { streams, bind }: Bound,
  tls: ApiTls,
  servers: NetServer[],
): Promise<string> {
  const server = tlsListener(app, streams, tls);
  const port = await listen(server, bind);
  servers.push(server);
  return `https://${urlHost(reachableHost(bind.host))}:${port}`;
}

function tlsListener(app: FastifyInstance, streams: StreamServer, tls: ApiTls): NetServer {
  return createTlsListener({ tls, handle: app.routing, upgrade: streams.upgrade, requestTimeout });
}

function listen(server: NetServer, { host, port }: ApiBind): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
}

/** What is still open is cut. */
function end(server: NetServer): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    if (server instanceof HttpServer) server.closeAllConnections();
  });
}

function asPortProblem(error: unknown, { host, port }: ApiBind, setting = 'api.port'): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'EADDRINUSE' && code !== 'EACCES' && code !== 'EADDRNOTAVAIL') return error;
  const why = {
    EADDRINUSE: 'is in use',
    EACCES: 'needs more rights',
    EADDRNOTAVAIL: 'is not an address of this machine',
  };
  return new ProblemError(
    problem('PORT_TAKEN', `the API cannot listen on ${host}:${port}: it ${why[code]}`, {
      hint: `set \`${setting}\` in cluster.yaml to another port, or end what listens there`,
    }),
    { cause: error },
  );
}
