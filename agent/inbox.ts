/**
 * Assignments and controls on their way into the ledger. Messages that arrive while the disk is busy are judged together and
 * saved once, so that a burst of controls costs two writes and not one each.
 */
import { type Acceptance, acceptAssignment, acceptControl, emptyPart, type Part } from '../schemas/assignment.ts';
import { isLaterRunSpec } from '../schemas/features.ts';
import { AssignmentMessage, ControlMessage, type Fence } from '../schemas/messages.ts';
import { parseMessage } from '../schemas/parse.ts';
import type { BusMessage, Clock } from '../schemas/ports.ts';
import { isProblemError, type Problem, problem } from '../schemas/problem.ts';
import { parseRunSpec } from '../schemas/run-spec.ts';
import { type PlainControl, parsePlainControl } from '../schemas/seed.ts';
import { foreignVersion, wireProblem } from '../schemas/skew.ts';
import { parseTopic, type Topic } from '../schemas/topics.ts';
import { acceptPlain } from './core/plain.ts';
import type { Ledger } from './ledger.ts';
import type { AgentDeps, AgentEvent, AgentIdentity, Authority } from './ports.ts';

/** ms until a ledger that could not be written is tried again. */
const saveAgainAfter = 5_000;

export interface InboxDeps {
  readonly identity: AgentIdentity;
  /** Default: `cluster`. */
  readonly authority?: Authority;
  readonly ledger: Ledger;
  readonly clock: Clock;
  verify(topic: string, message: object): boolean;
  trace(event: AgentEvent): void;
  readonly endpoints?: AgentDeps['endpoints'];
  /** The ledger on disk is a newer one. */
  applied(previous: Part): void;
  /** Its sender should know what we have: something was refused, or we were told once more what we have already. */
  reportBack(): void;
  /** What keeps the ledger from following; undefined: nothing any more. */
  trouble(subject: 'ledger' | 'rival' | 'wire', found: Problem | undefined): void;
}

export interface Inbox {
  /** Takes one message on a row `assignment` or `controls`. Returns at once. */
  take(message: BusMessage): void;
  /** Resolves when everything taken so far was judged and saved. */
  idle(): Promise<void>;
  close(): void;
}

type Incoming =
  | { readonly kind: 'assignment'; readonly message: AssignmentMessage; readonly retained: boolean }
  | { readonly kind: 'control'; readonly message: ControlMessage }
  | { readonly kind: 'plain'; readonly control: PlainControl; readonly topic: string };

type Plain = Extract<Incoming, { kind: 'plain' }>;
type Signed = Exclude<Incoming, Plain>;

export function createInbox(deps: InboxDeps): Inbox {
  const { ledger, clock, trace } = deps;
  const queue: Incoming[] = [];
  /** Accepted, and not on disk yet because the disk refused. */
  let unsaved: Part | undefined;
  let working = false;
  let turn = Promise.resolve();
  let cancel = (): void => undefined;
  let closed = false;

  const judgeAll = (): Part | undefined => {
    let part = unsaved ?? (ledger.known() ? ledger.part() : undefined);
    let changed = unsaved !== undefined;
    for (const incoming of queue.splice(0)) {
      const verdict = judge(part, incoming, deps);
      if (verdict?.kind !== 'applied') continue;
      part = verdict.part;
      changed = true;
    }
    return changed ? part : undefined;
  };

  const saveOne = async (next: Part): Promise<void> => {
    const previous = ledger.part();
    const start = clock.now().mono;
    try {
      await ledger.save(next);
    } catch (error) {
      if (!isProblemError(error)) throw error;
      unsaved = next;
      deps.trouble('ledger', error.problem);
      trace({ kind: 'ledger_problem', problem: error.problem });
      cancel();
      cancel = clock.after(saveAgainAfter, work);
      return;
    }
    unsaved = undefined;
    if (closed) return;
    deps.trouble('ledger', undefined);
    trace({ kind: 'ledger_saved', part: ledger.part(), ms: clock.now().mono - start });
    deps.applied(previous);
  };

  const drain = async (): Promise<void> => {
    working = true;
    do {
      const next = judgeAll();
      if (next) await saveOne(next);
    } while (queue.length > 0 && !closed);
    working = false;
  };
  const work = (): void => {
    if (!closed && !working) turn = drain();
  };

  return {
    take(message) {
      if (closed) return;
      const incoming = read(message, deps);
      if (typeof incoming === 'string') {
        noteVersion(message, deps);
        trace({ kind: 'message_refused', topic: message.topic, why: incoming });
        return;
      }
      queue.push(incoming);
      work();
    },
    idle: () => turn,
    close() {
      closed = true;
      cancel();
    },
  };
}

/** Whoever speaks a version that we do not read is told so, and so is whoever looks at the node. What runs goes on. */
function noteVersion({ topic, payload }: BusMessage, deps: InboxDeps): void {
  const v = deps.authority === 'local' ? undefined : foreignVersion(payload);
  if (v !== undefined && deps.verify(topic, JSON.parse(payload) as object))
    deps.trouble('wire', wireProblem('the reconciler', v, 'this agent'));
}

/** A message that is for this node, well-formed and signed; otherwise why not. */
function read(message: BusMessage, deps: InboxDeps): Incoming | string {
  const where = parseTopic(message.topic);
  if (where?.node !== deps.identity.id) return 'the topic is not ours';
  if (deps.authority === 'local') return readPlain(message, where);
  if (where.row === 'assignment') return readAssignment(message, where, deps);
  if (where.row === 'controls') return readControl(message, deps);
  return 'the topic carries neither assignments nor controls';
}

function readAssignment({ topic, payload, retained }: BusMessage, where: Topic, deps: InboxDeps): Incoming | string {
  const parsed = parseMessage<AssignmentMessage>(AssignmentMessage, payload);
  if (!parsed.ok) return describe(parsed.problem);
  const { value: message } = parsed;
  if (message.node !== deps.identity.id || message.cluster !== deps.identity.cluster)
    return 'for another node or cluster';
  if (message.part !== where.part || message.part !== 0 || message.parts !== 1) {
    return `part ${message.part} of ${message.parts}: this agent knows one part`;
  }
  if (!deps.verify(topic, message)) return 'not signed by this cluster';
  if (message.endpoints) deps.endpoints?.take(message.endpoints);
  return badDocument(Object.values(message.documents)) ?? { kind: 'assignment', message, retained };
}

function readPlain({ topic, payload, retained }: BusMessage, where: Topic): Incoming | string {
  if (where.row !== 'controls') return 'this node is its own authority, and takes plain controls only';
  // A wish that lies around is nobody's wish now.
  if (retained) return 'it was retained';
  const parsed = parsePlainControl(payload);
  return parsed.ok ? { kind: 'plain', control: parsed.value, topic } : describe(parsed.problem);
}

function readControl({ topic, payload }: BusMessage, deps: InboxDeps): Incoming | string {
  const parsed = parseMessage<ControlMessage>(ControlMessage, payload);
  if (!parsed.ok) return describe(parsed.problem);
  const { value: message } = parsed;
  const { id, cluster } = deps.identity;
  if (message.node !== id || (message.cluster ?? cluster) !== cluster) return 'for another node or cluster';
  if (message.part !== 0) return `part ${message.part}: this agent knows one part`;
  if (!deps.verify(topic, message)) return 'not signed by this cluster';
  return badDocument(message.document === undefined ? [] : [message.document]) ?? { kind: 'control', message };
}

/** What is wrong with the first run spec that is none. One of a later version is kept: only new copies of it are refused. */
function badDocument(documents: readonly unknown[]): string | undefined {
  for (const document of documents) {
    const parsed = parseRunSpec(document);
    if ('disposition' in parsed && !isLaterRunSpec(document)) return `run spec: ${describe(parsed)}`;
  }
  return undefined;
}

/** What becomes of it, told to whom it concerns. `part` undefined: the ledger is not known, and only an assignment helps. */
function judge(part: Part | undefined, incoming: Incoming, deps: InboxDeps): Acceptance | undefined {
  if (incoming.kind === 'plain') return judgePlain(part, incoming, deps);
  const verdict = judgeSigned(part, incoming);
  announce(incoming, verdict, deps);
  return verdict;
}

function judgePlain(part: Part | undefined, { control, topic }: Plain, deps: InboxDeps): Acceptance | undefined {
  const verdict = part ? acceptPlain(part, control, deps.identity) : 'the ledger is damaged';
  if (typeof verdict === 'string') {
    deps.trace({ kind: 'message_refused', topic, why: `${control.command} of ${control.job.name}: ${verdict}` });
    return undefined;
  }
  const fence = verdict.kind === 'applied' ? verdict.part.fence : (part ?? emptyPart).fence;
  deps.trace({ kind: 'judged', message: 'plain', fence, outcome: verdict.kind });
  return verdict;
}

function judgeSigned(part: Part | undefined, incoming: Signed): Acceptance {
  if (incoming.kind === 'assignment') {
    const { hash, jobs, documents } = incoming.message;
    return acceptAssignment(part ?? emptyPart, {
      fence: fenceOf(incoming.message),
      jobs,
      documents: documents as Part['documents'],
      hash,
    });
  }
  return part ? acceptControl(part, incoming.message) : { kind: 'ignored', why: 'not_at_base' };
}

function announce(incoming: Signed, verdict: Acceptance, deps: InboxDeps): void {
  const { kind, message } = incoming;
  const fence = fenceOf(message);
  const why = 'why' in verdict ? { why: verdict.why } : {};
  deps.trace({ kind: 'judged', message: kind, fence, outcome: verdict.kind, ...why });
  if (verdict.kind === 'applied') deps.trouble('rival', undefined);
  deps.trouble('wire', undefined);
  if (verdict.kind === 'conflict') deps.trouble('rival', rival(fence));
  if (teaches(incoming, verdict)) deps.reportBack();
}

/** Whoever is behind us, contradicts us, or was away until now learns where we are. A replayed control teaches nobody. */
function teaches(incoming: Signed, { kind }: Acceptance): boolean {
  if (kind === 'conflict') return true;
  if (incoming.kind !== 'assignment') return false;
  return kind === 'refused' || (kind === 'acknowledged' && !incoming.retained);
}

function fenceOf({ epoch, gen, by }: Fence): Fence {
  return { epoch, gen, by };
}

function rival({ epoch, gen, by }: Fence): Problem {
  return problem(
    'RIVAL_RECONCILER',
    `two different messages carry the pair ${epoch}.${gen}; the one of ${by} was refused`,
  );
}

function describe({ subject, message }: Problem): string {
  return subject ? `${subject}: ${message}` : message;
}
