/** Serves what the reconciler asks for: streams that this agent opens (ledger, logs, sessions, archives of images). */

import { RequestMessage } from '../schemas/messages.ts';
import { compareCopyIds } from '../schemas/names.ts';
import { parseMessage } from '../schemas/parse.ts';
import type { NodePolicy } from '../schemas/policy.ts';
import type { BusMessage } from '../schemas/ports.ts';
import { isProblemError, problem } from '../schemas/problem.ts';
import type { RuntimeName } from '../schemas/spec.ts';
import type { ActualCopy } from './core/copy.ts';
import { archiveRefusal } from './core/refusal.ts';
import { serveExec } from './exec.ts';
import { serveLoad } from './image-load.ts';
import type { Ledger } from './ledger.ts';
import type { AgentDeps, AgentEvent, OpenStream, Streams } from './ports.ts';
import { canLoad, type Runtime } from './runtimes/runtime.ts';
import type { AgentState } from './state.ts';

/** Streams at once; more are refused. */
const streamsAtOnce = 32;

export interface RequestsDeps {
  readonly ledger: Ledger;
  readonly state: AgentState;
  readonly runtimes: ReadonlyMap<RuntimeName, Runtime>;
  readonly streams: Streams;
  readonly policy: NodePolicy;
  readonly endpoints?: AgentDeps['endpoints'];
  trace(event: AgentEvent): void;
  /** The engine has images of these names that came without a registry. */
  imagesCame(names: readonly string[]): void;
  /** Reports the copies once more, whether anything changed or not. */
  reportBack(): void;
}

export interface Requests {
  /** Takes one message on the row `requests`. Returns at once. */
  take(message: BusMessage): void;
}

/** All streams are cut when `signal` aborts. */
export function createRequests(deps: RequestsDeps, signal: AbortSignal): Requests {
  const open = new Map<string, AbortController>();
  signal.addEventListener('abort', () => {
    for (const controller of open.values()) controller.abort(signal.reason);
  });

  const serve = async (request: RequestMessage, controller: AbortController): Promise<void> => {
    try {
      if (request.kind === 'exec') return await serveSession(deps, request, controller.signal);
      if (request.kind === 'images') return await serveImages(deps, request, controller.signal);
      const stream = await deps.streams.open(request.stream, controller.signal);
      stream.gone?.addEventListener('abort', () => controller.abort(), { once: true });
      if (request.report) deps.reportBack();
      if (request.kind === 'ledger') await stream.write(ledgerText(deps));
      else await writeLogs(deps, request, stream, controller.signal);
      await stream.close();
    } catch (error) {
      if (controller.signal.aborted) return;
      if (!isProblemError(error)) throw error;
      deps.trace({ kind: 'stream_failed', stream: request.stream, problem: error.problem });
    } finally {
      open.delete(request.stream);
    }
  };

  return {
    take({ topic, payload }) {
      const parsed = parseMessage<RequestMessage>(RequestMessage, payload);
      if (!parsed.ok) {
        deps.trace({ kind: 'message_refused', topic, why: parsed.problem.message });
        return;
      }
      const { value: request } = parsed;
      if (request.action === 'cancel') {
        open.get(request.stream)?.abort();
        return;
      }
      if (signal.aborted || open.has(request.stream)) return;
      if (open.size >= streamsAtOnce) {
        deps.trace({ kind: 'message_refused', topic, why: `${streamsAtOnce} streams are open already` });
        return;
      }
      const controller = new AbortController();
      open.set(request.stream, controller);
      void serve(request, controller);
    },
  };
}

/**
 * A part that is not known is left out: absent means unknown, never empty. The signed list shows under which epoch it was told where its
 * cluster is.
 */
function ledgerText({ ledger, endpoints }: Pick<RequestsDeps, 'ledger' | 'endpoints'>): string {
  return JSON.stringify({ parts: ledger.known() ? [ledger.part()] : [], endpoints: endpoints?.list() });
}

async function serveSession(deps: RequestsDeps, request: RequestMessage, signal: AbortSignal): Promise<void> {
  const connection = await deps.streams.session?.(request.stream, signal);
  if (!connection) return;
  const copy = wantedCopy(deps.state, request);
  await serveExec(connection, copy, copy && deps.runtimes.get(copy.runtime), signal);
}

async function serveImages(deps: RequestsDeps, request: RequestMessage, signal: AbortSignal): Promise<void> {
  const connection = await deps.streams.session?.(request.stream, signal);
  if (!connection) return;
  const loader =
    archiveRefusal(deps.policy.accepts) ??
    [...deps.runtimes.values()].find(canLoad) ??
    problem('REFUSED', 'this node has no container engine');
  const loaded = await serveLoad(connection, loader, signal);
  if (loaded) deps.imagesCame(loaded.images.flatMap(({ names }) => names));
}

async function writeLogs(
  deps: RequestsDeps,
  request: RequestMessage,
  stream: OpenStream,
  signal: AbortSignal,
): Promise<void> {
  const copy = wantedCopy(deps.state, request);
  const runtime = copy && deps.runtimes.get(copy.runtime);
  if (!copy || !runtime) {
    await stream.write(`oakctl: there is no copy of ${request.instance ?? 'nothing'} on this node\n`);
    return;
  }
  const options = {
    ...(request.tail !== undefined && { tail: request.tail }),
    ...(request.follow !== undefined && { follow: request.follow }),
  };
  try {
    for await (const { text } of runtime.logs(copy, options, signal)) {
      await stream.write(text.endsWith('\n') ? text : `${text}\n`);
    }
  } catch (error) {
    if (!isProblemError(error) || signal.aborted) throw error;
    await stream.write(`oakctl: ${error.problem.message}\n`);
  }
}

/** The named copy; without a name the running one, else the newest. */
function wantedCopy(state: AgentState, { instance, copy }: RequestMessage): ActualCopy | undefined {
  const all = [...state.actual.values()].flatMap((copies) => (copies === 'unknown' ? [] : [...copies.values()]));
  return all
    .filter((one) => one.instance === instance && (copy === undefined || one.copy === copy))
    .sort((a, b) => rank(b) - rank(a) || compareCopyIds(b.copy, a.copy))[0];
}

function rank({ state }: ActualCopy): number {
  return state === 'running' ? 1 : 0;
}
