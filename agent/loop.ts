/**
 * The agent: persist, then act, then report. Whatever happens (a message, an event of an engine, the end of a step, time) ends
 * in `pump`: converge decides from ledger, engines and memory, and the steps begin. It needs no network to do so.
 */
import type { Part } from '../schemas/assignment.ts';
import { emptyPolicy } from '../schemas/policy.ts';
import type { BusMessage, Mono } from '../schemas/ports.ts';
import type { Problem } from '../schemas/problem.ts';
import { agentFilters, parseTopic, topic } from '../schemas/topics.ts';
import { createComparison } from './comparison.ts';
import { createCompleted } from './completed.ts';
import { createContact } from './contact.ts';
import { converge } from './core/converge.ts';
import { overtaken } from './core/drift.ts';
import { forgiven, imagesCame, keyOf, keyText, wakeAt } from './core/memory.ts';
import { createExecutor } from './executor.ts';
import { createInbox } from './inbox.ts';
import { createLedger } from './ledger.ts';
import { createObserver } from './observer.ts';
import type { AgentDeps } from './ports.ts';
import { createReporter } from './reporter.ts';
import { createRequests } from './requests.ts';
import { type AgentState, createState, remember } from './state.ts';

/**
 * What an earlier life left in the ledger is started this much later, in ms: by then an agent that can connect has reported and
 * heard whether it is still wanted. So a node that comes back does not run again, for a moment, what runs elsewhere by now.
 */
const firstWord = 1_000;
/** Further ones are in the log only. */
const problemsAtMost = 12;

export interface Agent {
  /** Reads the ledger, then works until `stop`. Resolves when the work has begun; nothing in it waits for the network. */
  start(): Promise<void>;
  /** Stops the agent and no copy. Says goodbye with `reason`. */
  stop(reason: string): Promise<void>;
  /** Stops at once and says nothing, as if the process had died. */
  halt(): void;
  /** Shows a problem of the node itself with its information until the agent ends. The first of each subject counts. */
  warn(found: Problem): void;
  /** Something that beats say has changed: one goes out now. */
  tell(): void;
}

/** Wires the parts of one agent. */
export function createAgent(deps: AgentDeps): Agent {
  const { identity, authority = 'cluster', clock, random, bus, trace } = deps;
  const life = new AbortController();
  const session = Buffer.from(random.bytes(8)).toString('hex');
  const runtimes = new Map(deps.runtimes.map((runtime) => [runtime.name, runtime]));
  const { policy = emptyPolicy } = deps;
  const state = createState([...runtimes.keys()], policy.drift === 'keep');
  const ledger = createLedger(deps.files);
  let cancelWake = (): void => undefined;

  const changed = (): void => {
    pump();
    reporter.soon();
  };
  const comparison = createComparison({ runtimes, ledger, state, clock, changed }, life.signal);
  const observers = new Map(
    deps.runtimes.map((runtime) => [
      runtime.name,
      createObserver(
        { runtime, state, clock, trace, changed, suspected: (key) => comparison.suspect(key) },
        life.signal,
      ),
    ]),
  );
  const ready = (): boolean => [...observers.values()].every((observer) => observer.settled());
  const executor = createExecutor({ runtimes, observers, state, clock, random, policy, trace, changed }, life.signal);
  const onImages = (names: readonly string[]): void => {
    for (const key of state.copies.keys()) remember(state, key, imagesCame);
    executor.imagesCame(names);
    changed();
  };
  const reportBack = (): void => reporter.soon('always');
  const requests = createRequests(
    { ...deps, policy, ledger, state, runtimes, imagesCame: onImages, reportBack },
    life.signal,
  );
  const contact = createContact({
    ...deps,
    session,
    ledger,
    boot: deps.profile.boot,
    uptime: deps.uptime ?? (() => clock.now().mono),
    changed: () => changed(),
    ask: () => reporter.beatNow(),
    refused: (on, why) => trace({ kind: 'message_refused', topic: on, why }),
    trouble: (problem) => trace({ kind: 'ledger_problem', problem }),
  });
  const completed = createCompleted({
    ...deps,
    state,
    ledger,
    trouble: (problem) => trace({ kind: 'ledger_problem', problem }),
  });
  const judged = (): void => completed.note();
  const reporter = createReporter({ ...deps, policy, session, state, ledger, ready, contact, judged });
  const inbox = createInbox({
    ...deps,
    ledger,
    reportBack,
    trouble: (subject, found) => noteTrouble(state, subject, found),
    applied: (previous) => {
      follow(state, previous, ledger.part());
      contact.followed(previous);
      executor.supersede(ledger.part());
      pump();
      reporter.soon('always');
    },
  });

  const pump = (): void => {
    if (life.signal.aborted || !ledger.known()) return;
    const now = clock.now();
    state.limits = contact.limits();
    for (const step of converge(ledger.part(), state.actual, state, now)) executor.begin(step);
    for (const key of forget(state, ledger.part(), now.mono)) deps.gone?.(keyOf(key));
    cancelWake();
    const wake = wakeAt(state, now.mono);
    cancelWake = wake === undefined ? () => undefined : clock.after(wake - now.mono, changed);
  };
  const receive = (message: BusMessage): void => {
    const row = parseTopic(message.topic)?.row;
    if (row === 'requests') requests.take(message);
    else if (row === 'lease' && authority === 'cluster') contact.take(message);
    else inbox.take(message);
  };
  const halt = (): void => {
    life.abort(new DOMException('the agent stops', 'AbortError'));
    inbox.close();
    contact.close();
    reporter.close();
    cancelWake();
  };

  const readLedger = async (): Promise<Problem | undefined> => {
    const damage = await ledger.load();
    // Nobody sends an assignment that would mend it.
    const hint = 'restore the state folder, or remove this file: then everything here is stopped, and asked for anew';
    return damage && authority === 'local' ? { ...damage, hint } : damage;
  };

  return {
    async start() {
      const damage = await readLedger();
      if (damage) trace({ kind: 'ledger_problem', problem: damage });
      noteTrouble(state, 'ledger', damage);
      await contact.load();
      await completed.load();
      const { jobs } = ledger.part();
      trace({ kind: 'started', node: identity.id, session, jobs: jobs.length });
      const notBefore = (clock.now().mono + firstWord) as Mono;
      for (const job of jobs) {
        if (job.want === 'run') remember(state, keyText(job), (memory) => ({ ...memory, notBefore }));
      }
      for (const observer of observers.values()) observer.start();
      reporter.start();
      bus.open(
        authority === 'local'
          ? { subscribe: [{ filter: topic(identity.id, 'controls'), qos: 1 }] }
          : { subscribe: agentFilters(identity.id), will: reporter.will() },
        {
          connected: () => {
            trace({ kind: 'connected' });
            reporter.connected();
            deps.onConnected?.();
          },
          disconnected: (reason) => {
            trace({ kind: 'disconnected', reason });
            reporter.disconnected();
          },
          message: receive,
        },
      );
    },
    async stop(reason) {
      halt();
      await inbox.idle();
      await contact.stop();
      await completed.idle();
      await bus.close(authority === 'local' ? undefined : reporter.goodbye(reason));
    },
    halt,
    tell: () => {
      if (!life.signal.aborted) reporter.beatNow();
    },
    warn(found) {
      trace({ kind: 'warning', problem: found });
      const subject = `warning/${found.subject ?? found.code}`;
      if (state.problems.size < problemsAtMost && !state.problems.has(subject)) noteTrouble(state, subject, found);
      reporter.soon();
    },
  };
}

/** A newer ledger: where the wish for a copy changed, its old failures and waits, and what people did to it, are forgotten. */
function follow(state: AgentState, previous: Part, next: Part): void {
  const wants = new Map(next.jobs.map((job) => [keyText(job), job.want]));
  for (const job of previous.jobs) {
    const key = keyText(job);
    if (wants.get(key) === job.want) continue;
    const grace = previous.documents[job.digest]?.stop_grace;
    remember(state, key, (memory) => ({ ...overtaken(forgiven(memory)), ...(grace !== undefined && { grace }) }));
  }
}

/**
 * Drops what is remembered of copies that are in no ledger and in no engine any more, and of images seen long ago. Answers the keys of
 * these copies.
 */
function forget(state: AgentState, ledger: Part, now: Mono): readonly string[] {
  for (const [image, until] of state.images) if (until <= now) state.images.delete(image);
  if (state.copies.size <= ledger.jobs.length) return [];
  const alive = new Set(ledger.jobs.map(keyText));
  for (const copies of state.actual.values()) {
    if (copies === 'unknown') return [];
    for (const key of copies.keys()) alive.add(key);
  }
  const gone = [...state.copies.keys()].filter((key) => !alive.has(key) && !state.busy.has(key));
  for (const key of gone) state.copies.delete(key);
  return gone;
}

function noteTrouble(state: AgentState, subject: string, found: Problem | undefined): void {
  if (found) state.problems.set(subject, { code: found.code, message: found.message });
  else state.problems.delete(subject);
}
