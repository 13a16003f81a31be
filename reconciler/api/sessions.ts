/**
 * Sessions inside instances: a WebSocket of the caller (bearer token), joined to the one that the agent opens. Frames pass as they
 * are; a slow side makes the other one wait, and the end of one is the end of both.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { controlFrame, type ExecConnection, maxFrame } from '../../schemas/exec.ts';
import { execConnection } from '../../schemas/io/exec-connection.ts';
import { isProblemError, type Problem, problem } from '../../schemas/problem.ts';
import type { ControlPlane } from '../control-plane.ts';
import { resolveInstance } from '../core/resolve.ts';
import { requireBearer } from './access.ts';
import { found } from './routes/read.ts';
import { keepWatch, refuse } from './streams.ts';

const path = /^\/v1\/instances\/([^/?]{1,512})\/exec(?:\?|$)/;
/** Sessions at once. */
const sessionsAtOnce = 64;
/** When a client does not say. */
const unnamedActor = 'api';

export interface SessionServer {
  /** True when the upgrade was for a session, and is dealt with. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
  /** Cuts all sessions. */
  close(): void;
}

export interface SessionDeps {
  readonly control: Pick<ControlPlane, 'instances' | 'exec'>;
  readonly token: string;
  /** Failures that are bugs. */
  readonly bug: (error: unknown) => void;
}

export function createSessions({ control, token, bug }: SessionDeps): SessionServer {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: maxFrame, perMessageDeflate: false });
  const stopping = new AbortController();

  const serve = async (socket: WebSocket, name: string, actor: string): Promise<void> => {
    const caller = execConnection(socket, stopping.signal);
    keepWatch(socket);
    try {
      const instance = found(resolveInstance(control.instances(), name));
      await join(caller, await control.exec(instance.name, actor, caller.gone));
    } catch (error) {
      if (!isProblemError(error)) bug(error);
      const why = isProblemError(error) ? error.problem : unexpected;
      await caller.send(controlFrame({ failed: why })).catch(() => {});
    } finally {
      caller.close();
    }
  };

  return {
    upgrade(request, socket, head) {
      const name = path.exec(request.url ?? '')?.[1];
      if (name === undefined) return false;
      socket.on('error', () => socket.destroy());
      try {
        requireBearer(request.headers.authorization, token);
      } catch {
        refuse(socket, '401 Unauthorized');
        return true;
      }
      const text = decoded(name);
      if (text === undefined) refuse(socket, '400 Bad Request');
      else if (sockets.clients.size >= sessionsAtOnce || stopping.signal.aborted)
        refuse(socket, '503 Service Unavailable');
      else sockets.handleUpgrade(request, socket, head, (one) => void serve(one, text, actorOf(request)));
      return true;
    },
    close: () => stopping.abort(),
  };
}

const unexpected: Problem = problem('UNAVAILABLE', 'the session failed; the log of the reconciler says why');

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

/** Until one of them ends; then both have. */
async function join(caller: ExecConnection, agent: ExecConnection): Promise<void> {
  try {
    await Promise.race([pass(caller, agent), pass(agent, caller)]);
  } finally {
    agent.close();
  }
}

/** What cannot be sent any more ends it, too. */
async function pass(from: ExecConnection, to: ExecConnection): Promise<void> {
  try {
    for await (const frame of from.frames) await to.send(frame);
  } catch (error) {
    if (!isProblemError(error)) throw error;
  }
}
