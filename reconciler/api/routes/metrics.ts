/** Metrics in the format of Prometheus, for whoever may see the cluster; and the counting of the requests themselves. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import type { HttpMeter } from '../../metrics/http.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import { needs } from '../access.ts';
import { endlessRoutes } from './follow.ts';

export function metricsRoutes(app: FastifyInstance, metrics: Metrics | undefined): void {
  app.get('/metrics', needs('survey'), async ({ control }, reply) => {
    if (!metrics) throw new ProblemError(problem('NOT_FOUND', 'nothing is counted here'));
    reply.type(metrics.contentType).header('cache-control', 'no-store');
    return metrics.scrape(() => ({ figures: control.figures(), vitals: control.vitals() }));
  });
}

/** As nginx has it: whoever asked hung up before the answer was whole. */
const leftEarly = 499;

/**
 * Counts each answer of `app`, and requests that got none because the connection ended. An answer that lasts as long as its reader
 * stays is whole whenever he leaves, once it has begun. Belongs before hooks that may refuse.
 */
export function meterRequests(app: FastifyInstance, http: HttpMeter): void {
  const answered = new WeakSet<FastifyRequest>();
  const count = (request: FastifyRequest, status: number, ms?: number): void => {
    const route = request.is404 ? undefined : request.routeOptions.url;
    http.answered({ method: request.method, route, status, ms: isEndless(request) ? undefined : ms });
  };
  app.addHook('onRequest', (request, { raw }, done) => {
    raw.once('close', () => {
      if (answered.has(request)) return;
      count(request, isEndless(request) && raw.headersSent ? raw.statusCode : leftEarly);
    });
    done();
  });
  app.addHook('onResponse', (request, { statusCode, elapsedTime }, done) => {
    answered.add(request);
    count(request, statusCode, elapsedTime);
    done();
  });
}

function isEndless({ is404, routeOptions: { url } }: FastifyRequest): boolean {
  return !is404 && url !== undefined && endlessRoutes.has(url);
}
