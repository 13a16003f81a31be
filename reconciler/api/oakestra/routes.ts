/**
 * Oakestra's API of its root orchestrator: its paths (the manual's spelling of applications, too), its fields and its words. Answers
 * are plain JSON, unless somebody asks for strings that hold it, and codes fit. What git owns is read here, and changed in git.
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

export interface OakestraOptions {
  readonly accounts: Accounts;
  readonly desk: OakestraDesk;
  readonly jsonInStrings: boolean;
}

export function oakestraRoutes(app: FastifyInstance, { accounts, desk, jsonInStrings }: OakestraOptions): void {
  void app.register(async (routes) => {
    takeEmptyBodies(routes);
    answerAsOakestra(routes);
    if (jsonInStrings) answerInStrings(routes);
    oakestraAccountRoutes(routes, accounts);
    oakestraApplicationRoutes(routes, accounts, desk);
    oakestraServiceRoutes(routes, desk);
    notServedRoutes(routes);
  });
}

/** What is read, and the list that a new application is answered with: there Oakestra encodes what is JSON already. */
function answerInStrings(app: FastifyInstance): void {
  app.addHook('preSerialization', async ({ method, routeOptions: { url } }, { statusCode }, payload) => {
    const isRead = method === 'GET' || url === '/api/application';
    return isRead && statusCode === 200 ? JSON.stringify(payload) : payload;
  });
}
