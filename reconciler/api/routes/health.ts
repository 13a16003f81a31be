/** For supervisors: `healthz` answers while the process lives, `readyz` once it can do its work. */
import type { FastifyInstance } from 'fastify';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import type { ControlPlane } from '../../control-plane.ts';

export function healthRoutes(app: FastifyInstance, control: ControlPlane): void {
  app.get('/healthz', async () => ({ ok: true }));
  app.get('/readyz', async () => {
    if (control.ready()) return { ok: true };
    const why = 'the reconciler starts: broker, store and the first read of git are not all there';
    throw new ProblemError(problem('UNAVAILABLE', why, { disposition: 'wait' }));
  });
}
