/** Who did what. */
import type { FastifyInstance } from 'fastify';
import { auditOutcomes, mostAuditEntries } from '../../../schemas/audit.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import { needs } from '../access.ts';
import type { AuditDesk } from '../audit.ts';
import { manyOf, numberOf, type Query } from '../bodies.ts';

/** Without a desk nothing is recorded. */
export function auditRoutes(app: FastifyInstance, desk: Pick<AuditDesk, 'read'> | undefined): void {
  app.get<{ Querystring: Query }>('/v1/audit', needs('admin'), async ({ query }) => {
    const [word] = manyOf(query, 'outcome');
    const outcome = auditOutcomes.find((one) => one === word);
    if (word !== undefined && outcome === undefined) {
      const what = `\`outcome\` must be one of: ${auditOutcomes.join(', ')}`;
      throw new ProblemError(problem('BAD_REQUEST', what, { subject: 'outcome' }));
    }
    const [who] = manyOf(query, 'who');
    const last = numberOf(query, 'last', mostAuditEntries);
    return { items: (await desk?.read({ last, who, outcome })) ?? [] };
  });
}
