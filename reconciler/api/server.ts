/** The HTTP server: routes, access, failures, limits. What it serves is the control plane behind it. */
import { createServer } from 'node:http';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { ControlPlane } from '../control-plane.ts';
import { requireBearer } from './access.ts';
import { answerFailures } from './failures.ts';
import { changeRoutes } from './routes/change.ts';
import { enrolmentRoutes, joinRoutes } from './routes/enrolment.ts';
import { followRoutes } from './routes/follow.ts';
import { healthRoutes } from './routes/health.ts';
import { readRoutes } from './routes/read.ts';
import type { StreamServer } from './streams.ts';

/** Longest body in bytes. */
const bodyLimit = 1024 * 1024;
/** A request must have arrived whole after this time. Answers may take as long as they want. */
const requestTimeout = 30_000;
/** Longer than any instance name, in bytes as it stands in a URL. */
const maxParamLength = 512;

export interface ApiDeps {
  readonly control: ControlPlane;
  /** Bearer token of all routes but identity, join and health. */
  readonly token: string;
  readonly streams: StreamServer;
  readonly logger: FastifyBaseLogger;
}

export interface ApiBind {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

/** Beside the usual port, the API answers on that of Oakestra's root orchestrator, where it is free. */
const usualPort = 10_100;
const rootPort = 10_000;

export interface Api {
  /** `http://host:port`, as it listens. */
  readonly url: string;
  /** Ends open answers and streams, and resolves when nothing listens any more. */
  close(): Promise<void>;
}

/** Listens. PORT_TAKEN when somebody else does already. */
export async function createApi(deps: ApiDeps & { readonly bind: ApiBind }): Promise<Api> {
  const app = buildApi(deps);
  const { host, port } = deps.bind;
  try {
    const url = await app.listen({ host, port });
    if (port === usualPort) await listenBeside(app, deps.streams, host);
    return { url, close: () => app.close() };
  } catch (error) {
    await app.close();
    throw asPortProblem(error, deps.bind);
  }
}

/** The server without a socket: what tests inject requests into. */
export function buildApi({ control, token, streams, logger }: ApiDeps): FastifyInstance {
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit,
    requestTimeout,
    forceCloseConnections: true,
    routerOptions: { maxParamLength },
  });
  const stopping = new AbortController();
  answerFailures(app);
  healthRoutes(app, control);
  joinRoutes(app, control);
  app.register(async (guarded) => {
    guarded.addHook('onRequest', async ({ headers }) => requireBearer(headers.authorization, token));
    readRoutes(guarded, control);
    changeRoutes(guarded, control, stopping.signal);
    enrolmentRoutes(guarded, control);
    followRoutes(guarded, control);
  });
  app.server.on('upgrade', streams.upgrade);
  app.addHook('preClose', async () => {
    stopping.abort();
    streams.close();
  });
  return app;
}

/** The same routes on a second port; a port that is taken is left alone. */
async function listenBeside(app: FastifyInstance, streams: StreamServer, host: string): Promise<void> {
  const server = createServer((request, response) => app.routing(request, response));
  server.on('upgrade', streams.upgrade);
  const listening = await new Promise<boolean>((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      app.log.warn({ event: 'second_port_taken', port: rootPort, why: error.code });
      resolve(false);
    });
    server.listen(rootPort, host, () => resolve(true));
  });
  if (!listening) return;
  app.server.once('close', () => {
    server.closeAllConnections();
    server.close();
  });
}

function asPortProblem(error: unknown, { host, port }: ApiBind): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'EADDRINUSE' && code !== 'EACCES' && code !== 'EADDRNOTAVAIL') return error;
  const why = {
    EADDRINUSE: 'is in use',
    EACCES: 'needs more rights',
    EADDRNOTAVAIL: 'is not an address of this machine',
  };
  return new ProblemError(
    problem('PORT_TAKEN', `the API cannot listen on ${host}:${port}: it ${why[code]}`, {
      hint: 'set `api.port` in cluster.yaml to another port, or end what listens there',
    }),
    { cause: error },
  );
}
