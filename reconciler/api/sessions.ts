/**
 * Sessions with agents: a WebSocket of the caller (bearer token), joined to the one that the agent opens. Inside an instance, or with
 * an archive of images for a node. Frames pass as they are; a slow side makes the other one wait, and the end of one is the end of both.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { controlFrame, type ExecConnection, maxFrame } from '../../schemas/exec.ts';
import { execConnection } from '../../schemas/io/exec-connection.ts';
import { isProblemError, type Problem, ProblemError, problem } from '../../schemas/problem.ts';
import type { ControlPlane } from '../control-plane.ts';
import { resolveNode } from '../core/resolve.ts';
import type { Caller, Right } from '../core/rights.ts';
import { type Gate, requireRight } from './access.ts';
import type { AuditDesk } from './audit.ts';
import { unnamedActor } from './bodies.ts';
import { found, instanceNamed } from './routes/read.ts';
import { keepWatch, refuse } from './streams.ts';

export interface SessionServer {
  /** True when the upgrade was for a session, and is dealt with. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
  /** Cuts all sessions. */
  close(): void;
}

export interface SessionDeps {
  readonly gate: Gate;
  readonly audit?: Pick<AuditDesk, 'record'>;
  /** Failures that are bugs. */
  readonly bug: (error: unknown) => void;
}

/** ms that a caller has to be told why a session ends. */
const lastWord = 1_000;

type Opener = (signal: AbortSignal) => Promise<ExecConnection>;

/** A kind of session. */
interface Route {
  readonly path: RegExp;
  /** As the audit log has it. */
  readonly action: string;
  /** Sessions of this kind at once. */
  readonly atOnce: number;
  readonly right: Right;
  open(control: ControlPlane, name: string, actor: string, signal: AbortSignal): Promise<ExecConnection>;
}

export function createSessions({ gate, audit, bug }: SessionDeps): SessionServer {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: maxFrame, perMessageDeflate: false });
  const stopping = new AbortController();
  const running = new Map(routes.map((route) => [route, 0]));

  const serve = async (socket: WebSocket, route: Route, who: Caller, open: Opener): Promise<void> => {
    const caller = execConnection(socket, stopping.signal);
    keepWatch(socket);
    const stop = gate.watch(who, (failed) => {
      stop();
      endNow(socket, caller, failed);
    });
    socket.once('close', stop);
    const count = (by: number) => running.set(route, (running.get(route) ?? 0) + by);
    count(1);
    socket.once('close', () => count(-1));
    try {
      await join(caller, await open(caller.gone));
    } catch (error) {
      if (!isProblemError(error)) bug(error);
      const why = isProblemError(error) ? error.problem : unexpected;
      await caller.send(controlFrame({ failed: why })).catch(() => {});
    } finally {
      caller.close();
    }
  };

  const admit = async (request: IncomingMessage, socket: Duplex, head: Buffer, route: Route): Promise<void> => {
    const name = decoded(route.path.exec(request.url ?? '')?.[1] ?? '');
    const record = (status: number, who?: Caller) => {
      const address = request.socket.remoteAddress ?? '';
      const claimed = who?.by === 'cluster' ? actorOf(request) : undefined;
      audit?.record({ caller: who, claimed, address, action: route.action, subject: name, status });
    };
    let caller: Caller | undefined;
    try {
      caller = await gate.callerOf(request.headers.authorization);
      requireRight(caller, route.right);
    } catch (error) {
      if (!isProblemError(error)) bug(error);
      record(caller ? 403 : 401, caller);
      return refuse(socket, caller ? '403 Forbidden' : '401 Unauthorized');
    }
    const isFull = (running.get(route) ?? 0) >= route.atOnce || stopping.signal.aborted;
    if (name === undefined) return refuse(socket, '400 Bad Request');
    if (isFull) return refuse(socket, '503 Service Unavailable');
    const known = caller;
    const control = gate.controlOf(known);
    const actor = known.by === 'cluster' ? actorOf(request) : known.name;
    record(101, caller);
    const open: Opener = (signal) => route.open(control, name, actor, signal);
    sockets.handleUpgrade(request, socket, head, (one) => void serve(one, route, known, open));
  };

  return {
    upgrade(request, socket, head) {
      const { url = '' } = request;
      const route = routes.find(({ path }) => path.test(url));
      if (!route) return false;
      socket.on('error', () => socket.destroy());
      void admit(request, socket, head, route);
      return true;
    },
    close: () => stopping.abort(),
  };
}

const routes: readonly Route[] = [
  {
    path: /^\/v1\/instances\/([^/?]{1,512})\/exec(?:\?|$)/,
    action: 'GET /v1/instances/:name/exec',
    atOnce: 64,
    right: 'change',
    open: async (control, name, actor, signal) => control.exec(instanceNamed(control, name), actor, signal),
  },
  {
    path: /^\/v1\/nodes\/([^/?]{1,512})\/images(?:\?|$)/,
    action: 'GET /v1/nodes/:name/images',
    atOnce: 16,
    right: 'admin',
    async open(control, name, actor, signal) {
      const node = control.node(name) ?? found(resolveNode(control.nodes(), name));
      if (node.id !== undefined) return control.loadImages(node.id, actor, signal);
      const message = `it is ${node.state}: there is nobody to take images`;
      throw new ProblemError(problem('REFUSED', message, { subject: node.name, hint: 'oakctl nodes ls' }));
    },
  },
];

/** Where sessions begin, as routes are written, and the right that each needs. */
export const sessionRoutes: readonly { readonly url: string; readonly right: Right }[] = routes.map(
  ({ action, right }) => ({ url: action.replace('GET ', ''), right }),
);

const unexpected: Problem = problem('UNAVAILABLE', 'the session failed; the log of the reconciler says why');

/** Says why, and waits for no answer. */
function endNow(socket: WebSocket, caller: ExecConnection, failed: Problem): void {
  const cut = () => socket.terminate();
  setTimeout(cut, lastWord).unref();
  caller.send(controlFrame({ failed })).then(cut, cut);
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function actorOf({ url = '' }: IncomingMessage): string {
  const actor = new URLSearchParams(url.split('?', 2)[1]).get('actor') ?? '';
  return actor.slice(0, 255) || unnamedActor;
}

/** Until one of them ends; then both have. An agent that takes no more may have a last word on its way: that is waited for. */
async function join(caller: ExecConnection, agent: ExecConnection): Promise<void> {
  try {
    const up = pass(agent, caller);
    await Promise.race([up, pass(caller, agent).then((ended) => (ended === 'unsent' ? up : ended))]);
  } finally {
    agent.close();
  }
}

/** What cannot be sent any more ends it, too. */
async function pass(from: ExecConnection, to: ExecConnection): Promise<'ended' | 'unsent'> {
  try {
    for await (const frame of from.frames) await to.send(frame);
    return 'ended';
  } catch (error) {
    if (!isProblemError(error)) throw error;
    return 'unsent';
  }
}
