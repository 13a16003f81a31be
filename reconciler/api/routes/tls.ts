/** For whoever wants to know which certificates are in use, and which root to trust. */
import type { FastifyInstance } from 'fastify';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import { needs } from '../access.ts';
import type { ApiTls } from '../tls-listener.ts';

export function tlsRoutes(app: FastifyInstance, tls: ApiTls | undefined): void {
  app.get('/v1/tls', needs('open'), async () => {
    if (tls) return tls.describe();
    const hint = '`tls: auto` in cluster.yaml turns it on; `oakctl up --bind <address>` does it by itself';
    throw new ProblemError(problem('NOT_FOUND', 'this cluster speaks no TLS', { hint }));
  });
}
