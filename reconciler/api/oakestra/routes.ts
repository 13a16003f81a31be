/**
 * Oakestra's API of its root orchestrator: its paths (the manual's spelling of applications, too), its fields and its words. Answers
 * are plain JSON, and codes fit. What git owns is read here, and changed in git.
 */
import type { FastifyInstance } from 'fastify';
import type { Accounts } from '../../accounts/accounts.ts';
import type { OakestraDesk } from '../../oakestra.ts';
import { needs } from '../access.ts';
import { takeEmptyBodies } from '../bodies.ts';
import { oakestraAccountRoutes } from './accounts.ts';
import { oakestraApplicationRoutes } from './applications.ts';
import { answerAsOakestra } from './failures.ts';
import { oakestraServiceRoutes } from './services.ts';

export function oakestraRoutes(app: FastifyInstance, accounts: Accounts, desk: OakestraDesk): void {
  void app.register(async (routes) => {
    takeEmptyBodies(routes);
    answerAsOakestra(routes);
    oakestraAccountRoutes(routes, accounts);
    oakestraApplicationRoutes(routes, accounts, desk);
    oakestraServiceRoutes(routes, desk);
    notServed(routes);
  });
}

/** What Oakestra has and we have not says so. */
function notServed(app: FastifyInstance): void {
  const missing = [
    ['POST', '/api/user', 'mails that reset passwords: an admin sets another one'],
    ['PUT', '/api/user', 'mails that reset passwords: an admin sets another one'],
    ['GET', '/api/organization', 'organizations'],
    ['POST', '/api/organization', 'organizations'],
  ] as const;
  for (const [method, url, what] of missing)
    app.route({
      method,
      url,
      ...needs('known'),
      handler: async (_request, reply) => reply.code(501).send({ code: 501, message: `this cluster has no ${what}` }),
    });
}
