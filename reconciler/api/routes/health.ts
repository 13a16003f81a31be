/**
 * For supervisors, who show no token: `livez` answers while the process does; `healthz` while it has what it stands on (broker,
 * store), and `readyz` while it can do its work as well (its turn to run the cluster, each source read once).
 */
import type { FastifyInstance } from 'fastify';
import type { Problem } from '../../../schemas/problem.ts';
import { ProblemError } from '../../../schemas/problem.ts';
import type { ControlPlane } from '../../control-plane.ts';
import { needs } from '../access.ts';

export function healthRoutes(app: FastifyInstance, control: ControlPlane): void {
  app.get('/livez', needs('open'), async () => ({ ok: true }));
  app.get('/healthz', needs('open'), async () => whole(control.vitals().vital));
  app.get('/readyz', needs('open'), async () => {
    const { vital, working } = control.vitals();
    return whole([...vital, ...working]);
  });
}

/** Throws what is missing: 503. */
function whole(missing: readonly Problem[]): { readonly ok: true } {
  if (missing.length > 0) throw new ProblemError(missing);
  return { ok: true };
}
