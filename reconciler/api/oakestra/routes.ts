/**
 * Oakestra's API of its root orchestrator: its paths (the manual's spelling of applications, too), its fields and its words. Answers
 * are plain JSON, and codes fit. What git owns is read here, and changed in git.
 */
import type { FastifyInstance } from 'fastify';
import type { Accounts } from '../../accounts/accounts.ts';
import type { OakestraDesk } from '../../oakestra.ts';
import { takeEmptyBodies } from '../bodies.ts';
import { oakestraAccountRoutes } from './accounts.ts';
import { oakestraApplicationRoutes } from './applications.ts';
import { answerAsOakestra } from './failures.ts';
import { notServedRoutes } from './not-served.ts';
import { oakestraServiceRoutes } from './services.ts';

export function oakestraRoutes(app: FastifyInstance, accounts: Accounts, desk: OakestraDesk): void {
  void app.register(async (routes) => {
    takeEmptyBodies(routes);
    answerAsOakestra(routes);
    oakestraAccountRoutes(routes, accounts);
    oakestraApplicationRoutes(routes, accounts, desk);
    oakestraServiceRoutes(routes, desk);
    notServedRoutes(routes);
  });
}
