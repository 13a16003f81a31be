/** What Oakestra has and we have not: it is answered with a sentence, so that nobody looks for a mistake of his own. */
import type { FastifyInstance } from 'fastify';
import { needs } from '../access.ts';

const mails = 'mails that reset passwords: an admin sets another one';
const organizations = 'organizations';
/** Between the parts of Oakestra itself: none of them has a token of ours. */
const inside = 'clusters below it, and is no part of one: instances come by POST /api/service/<id>/instance';
/** What asks it would show nothing but that it is there. */
const scheduler =
  'scheduler beside it that could be tested: GET /readyz tells how it is, POST /v1/plan where something would go';

/** By method and path. `known`: whoever has an account; `open`: everybody, because nothing is done. */
export const notServed = [
  ['POST', '/api/user', 'known', mails],
  ['PUT', '/api/user', 'known', mails],
  ['GET', '/api/users/:organization', 'known', organizations],
  ['GET', '/api/organization', 'known', organizations],
  ['POST', '/api/organization', 'known', organizations],
  ['PUT', '/api/organization/:id', 'known', organizations],
  ['DELETE', '/api/organization/:id', 'known', organizations],
  ['POST', '/api/information/:cluster', 'open', inside],
  ['POST', '/api/result/deploy', 'open', inside],
  ['POST', '/api/result/:job/:instance', 'open', inside],
  ['GET', '/api/deploy/:job/:instance', 'open', inside],
  ['POST', '/api/deploy/:job/:instance', 'open', inside],
  ['GET', '/api/delete/:job/:instance', 'open', inside],
  ['POST', '/api/service/:job/:instance', 'open', inside],
  ['DELETE', '/api/service/:job/:instance', 'open', inside],
  ['GET', '/api/cluster/status', 'open', inside],
  ['GET', '/api/test/scheduler', 'open', scheduler],
] as const;

export function notServedRoutes(app: FastifyInstance): void {
  for (const [method, url, right, what] of notServed)
    app.route({
      method,
      url,
      ...needs(right),
      handler: async (_request, reply) => reply.code(501).send({ code: 501, message: `this cluster has no ${what}` }),
    });
}
