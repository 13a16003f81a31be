/** Metrics in the format of Prometheus, for whoever may see the cluster; and the counting of the requests themselves. */
import type { FastifyInstance } from 'fastify';
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

/** Counts each answer of `app`. */
export function meterRequests(app: FastifyInstance, http: HttpMeter): void {
  app.addHook('onResponse', (request, { statusCode: status, elapsedTime }, done) => {
    const route = request.is404 ? undefined : request.routeOptions.url;
    const isEndless = route !== undefined && endlessRoutes.has(route);
    http.answered({ method: request.method, route, status, ms: isEndless ? undefined : elapsedTime });
    done();
  });
}
