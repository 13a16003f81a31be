/** Where forges say that something was pushed. Each call proves by its own secret who it is from; the API token is not asked for. */
import type { FastifyInstance } from 'fastify';
import { problem } from '../../../schemas/problem.ts';
import type { WebhookDesk } from '../../webhooks/desk.ts';
import { needs } from '../access.ts';

export function webhookRoutes(app: FastifyInstance, desk: WebhookDesk | undefined): void {
  if (!desk) return;
  app.register(async (open) => {
    // Signatures are of bytes: nothing may read the body before them.
    open.removeAllContentTypeParsers();
    open.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    open.addHook('onRequest', async (request, reply) => {
      if (desk.mayCall(request.ip)) return;
      const problems = [problem('REFUSED', 'there were too many calls from this address', { disposition: 'retry' })];
      await reply.code(429).header('retry-after', '10').send({ problems });
    });
    open.post<{ Params: { kind: string } }>(
      '/v1/webhooks/:kind',
      needs('open'),
      async ({ params, headers, body }, reply) => {
        reply.code(202);
        return desk.receive(params.kind, { headers, body: Buffer.isBuffer(body) ? body : Buffer.alloc(0) });
      },
    );
  });
}
