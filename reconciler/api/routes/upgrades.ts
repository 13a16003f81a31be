/**
 * The doors that are WebSockets, for who knocks without an upgrade: he is told so, once it is known that he might come in. So they are
 * routes like all others, with their right and their description. Upgrades are dealt with in sessions.ts and streams.ts.
 */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import { needs, parseBasic } from '../access.ts';
import { sessionRoutes } from '../sessions.ts';
import type { StreamServer } from '../streams.ts';

export function upgradeRoutes(app: FastifyInstance, authenticate: StreamServer['authenticate']): void {
  for (const { url, right } of sessionRoutes)
    app.get(url, needs(right), async (_request, reply) => askForUpgrade(reply));
  app.get('/v1/streams/:id', needs('node'), async ({ headers }, reply) => {
    const who = parseBasic(headers.authorization);
    if (who && authenticate(who.user, who.password)) return askForUpgrade(reply);
    throw new ProblemError(problem('UNAUTHORIZED', 'a node shows its id and credential'));
  });
}

function askForUpgrade(reply: FastifyReply): FastifyReply {
  const hint = 'ask with `Connection: Upgrade` and `Upgrade: websocket`';
  const failed = problem('BAD_REQUEST', 'this is a WebSocket, and the request asks for none', { hint });
  return reply
    .code(426)
    .headers({ connection: 'upgrade', upgrade: 'websocket' })
    .send({ problems: [failed] });
}
