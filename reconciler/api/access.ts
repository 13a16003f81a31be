/** Who calls, and whether he may: asked once for every request, of what its route declares. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { Accounts } from '../accounts/accounts.ts';
import type { ControlPlane } from '../control-plane.ts';
import { type Caller, hasRight, isLimited, type Right, rights } from '../core/rights.ts';
import { unnamedActor } from './bodies.ts';
import { createStanding, type Standing } from './standing.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Of routes that are not open; and who proved it on one that is. */
    caller: Caller;
    /** What the caller may see and change of the cluster. */
    control: ControlPlane;
  }
  interface FastifyInstance {
    /** Every route that there is. */
    routeRights: readonly RouteRight[];
  }
  interface FastifyContextConfig {
    right?: Right;
  }
}

export interface RouteRight {
  readonly method: string;
  readonly url: string;
  readonly right: Right;
}

/** The options of a route that needs this right. */
export function needs<R extends Right>(right: R): { readonly config: { readonly right: R } } {
  return { config: { right } };
}

/** Whoever has the token file of the cluster may do everything, and says himself who he is. */
export const clusterCaller: Caller = { name: unnamedActor, role: 'admin', by: 'cluster' };

export interface Gate extends Standing {
  /** Who it is. UNAUTHORIZED. */
  callerOf(authorization: string | undefined): Promise<Caller>;
  /** The control plane as this caller has it. */
  controlOf(caller: Caller): ControlPlane;
}

export interface GateDeps {
  readonly token: string;
  readonly accounts: Accounts;
  readonly control: ControlPlane;
  /** The control plane for who has only some applications. */
  readonly limit: (caller: Caller) => ControlPlane;
}

export function createGate({ token, accounts, control, limit }: GateDeps): Gate {
  return {
    ...createStanding(accounts),
    async callerOf(authorization) {
      const sent = bearerOf(authorization);
      if (sent === undefined) throw noToken();
      return sameSecret(sent, token) ? clusterCaller : accounts.callerOf(sent);
    },
    controlOf: (caller) => (isLimited(caller) ? limit(caller) : control),
  };
}

/** FORBIDDEN, with the right that is missing. */
export function requireRight(caller: Caller, right: Right): void {
  if (hasRight(caller, right)) return;
  const of = caller.apps?.join(', ') ?? (caller.own && 'the own applications');
  const limits = of === undefined ? '' : `, for ${of} only`;
  const who = `${caller.name} calls as ${caller.role}${caller.by === 'token' ? ', with a token' : ''}${limits}`;
  const what = `this needs the right \`${right}\` (${rights[right]}), and ${who}`;
  const hint = 'an admin gives another role: `oakctl users role`, or POST /v1/users/<name>/role';
  throw new ProblemError(problem('FORBIDDEN', what, { hint }));
}

/** ms after which an answer of which nothing was sent is a long one, too. What is shorter may be the very request that ends a login. */
const long = 5_000;

/**
 * No route comes into being without a right, and none is served before it was looked at; an answer that lasts is cut when the caller
 * has lost it. Who did something is who called: only the owner of the token file may say another name.
 */
export function guardRoutes(app: FastifyInstance, gate: Gate): void {
  app.decorateRequest('caller');
  app.decorateRequest('control');
  const all: RouteRight[] = [];
  app.decorate('routeRights', all);
  app.addHook('onRoute', ({ config, method, url }) => {
    if (config?.right === undefined) throw new Error(`the route ${String(method)} ${url} declares no right`);
    for (const one of [method].flat()) all.push({ method: one, url, right: config.right });
  });
  app.addHook('onRequest', async (request, { raw }) => {
    const { right } = request.routeOptions.config;
    if (request.is404 || right === 'open' || right === 'node') return;
    if (right === undefined) throw new Error('a route without a right');
    request.caller = await gate.callerOf(request.headers.authorization);
    requireRight(request.caller, right);
    request.control = gate.controlOf(request.caller);
    // Nobody is there any more, so nothing would end it.
    if (raw.destroyed) return;
    const since = performance.now();
    const stop = gate.watch(request.caller, () => {
      if (raw.headersSent || performance.now() - since > long) raw.destroy();
    });
    raw.once('close', stop);
  });
  app.addHook('preValidation', async ({ caller, body, is404, routeOptions: { config } }) => {
    if (is404 || config.right === 'open' || config.right === 'node' || caller.by === 'cluster') return;
    if (typeof body === 'object' && body !== null && Object.hasOwn(body, 'actor'))
      (body as { actor: string }).actor = caller.name;
  });
}

/** For servers that ask nobody who he is: everybody has the whole control plane. */
export function serveEverybody(app: FastifyInstance, control: ControlPlane): void {
  app.decorateRequest('caller');
  app.decorateRequest('control');
  app.addHook('onRequest', async (request) => {
    request.caller = clusterCaller;
    request.control = control;
  });
}

/** What stands behind `Bearer`. */
export function bearerOf(header: string | undefined): string | undefined {
  return /^Bearer +(\S{1,4096})$/i.exec(header ?? '')?.[1];
}

/** True when both texts are the same. The time it takes says nothing about where they differ, or how long they are. */
export function sameSecret(a: string, b: string): boolean {
  return timingSafeEqual(sha256(a), sha256(b));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function noToken(): ProblemError {
  const hint =
    '`oakctl login`, or POST /v1/login, gives one; or the token in the file api-token of the cluster folder: `--token-file` or OAKCTL_TOKEN_FILE names another';
  return new ProblemError(problem('UNAUTHORIZED', 'the API needs a token', { hint }));
}

/** User and password of HTTP basic authentication; undefined when the header is not one. */
export function parseBasic(
  header: string | undefined,
): { readonly user: string; readonly password: string } | undefined {
  const encoded = /^Basic +([A-Za-z0-9+/]+=*)$/i.exec(header ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const [user, ...password] = Buffer.from(encoded, 'base64').toString('utf8').split(':');
  return user && password.length > 0 ? { user, password: password.join(':') } : undefined;
}
