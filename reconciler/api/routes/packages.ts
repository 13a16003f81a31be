/**
 * For machines that are to become nodes. Script and packages are the same for everybody and hold no secret; who fetches them checks
 * them by their hashes, so they are also served to those who speak no TLS.
 */
import type { FastifyInstance } from 'fastify';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import type { Shelf } from '../../packages/shelf.ts';
import { needs } from '../access.ts';

/** Downloads at once: each costs a file and a buffer. */
const mostDownloads = 64;

/** Paths that are answered over plain HTTP, too. */
export const openPath = /^\/v1\/(install\.sh|packages\/[\w.-]+)$/;

/** For everybody. */
export function packageRoutes(app: FastifyInstance, shelf: Shelf | undefined): void {
  let open = 0;
  app.get('/v1/install.sh', needs('open'), async (_request, reply) => {
    reply.type('text/x-shellscript; charset=utf-8');
    return required(shelf).installer();
  });
  app.get<{ Params: { file: string } }>('/v1/packages/:file', needs('open'), async ({ params }, reply) => {
    if (open >= mostDownloads) {
      const why = `${open} machines are downloading packages`;
      throw new ProblemError(problem('UNAVAILABLE', why, { hint: 'try again in a minute', disposition: 'retry' }));
    }
    const found = required(shelf).open(params.file);
    if (!found) {
      const hint = 'oakctl nodes packages lists those that there are';
      throw new ProblemError(problem('NOT_FOUND', `there is no package ${params.file}`, { hint }));
    }
    open += 1;
    found.stream.once('close', () => {
      open -= 1;
    });
    reply.type('application/gzip').header('content-length', found.bytes);
    return reply.send(found.stream);
  });
}

/** For people. */
export function stockRoutes(app: FastifyInstance, shelf: Shelf | undefined): void {
  app.get('/v1/packages', needs('survey'), async () => required(shelf).stock());
}

function required(shelf: Shelf | undefined): Shelf {
  if (shelf) return shelf;
  throw new ProblemError(problem('NOT_FOUND', 'this reconciler serves no packages'));
}
