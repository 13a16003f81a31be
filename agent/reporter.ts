/**
 * Publishes what the agent has to say: online, information, instances. The broker is a cache; each connect fills it anew. An agent
 * that is its own authority speaks as seed 000 has it: two keys at each beat, and nothing else.
 */
import { knownFeatures } from '../schemas/features.ts';
import type { CopyReport, InformationMessage, InstancesMessage, OnlineMessage } from '../schemas/messages.ts';
import { messageVersion } from '../schemas/messages.ts';
import type { NodePolicy } from '../schemas/policy.ts';
import type { Bus, Clock, Mono, Will } from '../schemas/ports.ts';
import type { CopyStatus } from '../schemas/status.ts';
import { rows, topic } from '../schemas/topics.ts';
import type { Trusts } from '../schemas/trust.ts';
import type { Contact } from './contact.ts';
import { advertise, advertisedOf } from './core/advertise.ts';
import { keyText } from './core/memory.ts';
import { report } from './core/report.ts';
import { wireText } from './core/wire-text.ts';
import type { Ledger } from './ledger.ts';
import type { AgentEvent, AgentIdentity, Authority, NodeProfile, Usage } from './ports.ts';
import { type AgentState, remember } from './state.ts';

/** ms between two instances messages at least. */
const coalesce = 50;
/** ms between two instances messages at most. */
const refreshEvery = 30_000;

export interface ReporterDeps {
  readonly identity: AgentIdentity;
  /** Default: `cluster`. */
  readonly authority?: Authority;
  readonly profile: NodeProfile;
  readonly session: string;
  readonly state: AgentState;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly bus: Bus;
  /** What the node's owner lets services do on it. */
  readonly policy: NodePolicy;
  usage(): Usage;
  ownSecrets?(): readonly string[];
  trusts?(): Trusts;
  /** Which beats ask for an answer, and how often. */
  readonly contact: Pick<Contact, 'asks' | 'interval' | 'sent'>;
  /** Did every engine answer, or fail to, once? Before that there is nothing to report. */
  ready(): boolean;
  trace(event: AgentEvent): void;
  /** The status of every copy is known, as far as it can be. */
  judged(): void;
}

export interface Reporter {
  /** What the broker publishes when our connection dies. */
  will(): Will;
  /** Our last words. */
  goodbye(reason: string): Will;
  /** Starts the beat. */
  start(): void;
  connected(): void;
  disconnected(): void;
  /** Something may have changed: instances follow within 50 ms, and only if something did; `always` sends them anyway. */
  soon(always?: 'always'): void;
  /** A beat at once; the next one follows it. */
  beatNow(): void;
  close(): void;
}

export function createReporter(deps: ReporterDeps): Reporter {
  const { identity, profile, session, state, ledger, clock, bus } = deps;
  let connected = false;
  let seq = 0;
  let beatSeq = 0;
  let lastSent = Number.NEGATIVE_INFINITY;
  let lastBody = '';
  let lastProblems = '';
  let forced = false;
  let pending = false;
  let cancelSend = (): void => undefined;
  let cancelBeat = (): void => undefined;
  let cancelRefresh = (): void => undefined;

  const publish = (row: 'information' | 'instances' | 'online', message: object): void => {
    const { qos, retained } = rows[row];
    if (deps.authority === 'local' && row !== 'information') return;
    bus.publish(topic(identity.id, row), JSON.stringify(message), { qos, retain: retained });
  };
  const sendInformation = (): void => {
    beatSeq += 1;
    lastProblems = problemsText(state);
    if (connected) deps.contact.sent(beatSeq);
    publish('information', deps.authority === 'local' ? loadOf(deps.usage()) : informationOf(deps, beatSeq));
  };
  const sendInstances = (): void => {
    pending = false;
    if (!deps.ready()) return;
    const copies = advertise(report(ledger.part(), state.actual, state, clock.now()), profile);
    noteStatuses(copies);
    const body = bodyText(copies, ledger);
    if (body === lastBody && !forced) return;
    lastSent = clock.now().mono;
    if (!connected) return;
    seq += 1;
    forced = false;
    lastBody = body;
    const { epoch, gen, by } = ledger.part().fence;
    const head = { v: messageVersion, session, seq, part: 0, parts: 1, epoch, gen, by, hash: ledger.hash() } as const;
    publish('instances', { ...head, copies } satisfies InstancesMessage);
    cancelRefresh();
    cancelRefresh = clock.after(refreshEvery, () => soon('always'));
  };
  const noteStatuses = (copies: readonly CopyReport[]): void => {
    const now = clock.now().mono;
    for (const one of copies) {
      const key = keyText(one);
      const value = one.status as CopyStatus;
      if (state.copies.get(key)?.status?.value === value) continue;
      remember(state, key, (memory) => ({ ...memory, status: { value, since: (now - one.age) as Mono } }));
      deps.trace({ kind: 'status', report: one });
    }
    deps.judged();
  };
  const soon = (always?: 'always'): void => {
    if (always) forced = true;
    if (connected && problemsText(state) !== lastProblems) sendInformation();
    if (pending) return;
    pending = true;
    cancelSend = clock.after(Math.max(0, lastSent + coalesce - clock.now().mono), sendInstances);
  };
  const beat = (): void => {
    if (connected) sendInformation();
    nextBeat();
  };
  const nextBeat = (): void => {
    cancelBeat();
    cancelBeat = clock.after(deps.contact.interval(profile.beat), beat);
  };
  const online = (): OnlineMessage => ({ v: messageVersion, online: true, boot: profile.boot, session });
  const offline = (reason: string): Will => ({
    topic: topic(identity.id, 'online'),
    payload: JSON.stringify({ ...online(), online: false, reason } satisfies OnlineMessage),
  });

  return {
    will: () => offline('connection lost'),
    goodbye: offline,
    start: beat,
    connected() {
      connected = true;
      publish('online', online());
      sendInformation();
      forced = true;
      if (pending) cancelSend();
      sendInstances();
    },
    disconnected() {
      connected = false;
    },
    soon,
    beatNow: beat,
    close() {
      connected = false;
      pending = true;
      for (const cancel of [cancelSend, cancelBeat, cancelRefresh]) cancel();
    },
  };
}

/** Percent. */
function loadOf({ cpu, memory }: Usage): { readonly cpu: number; readonly memory: number } {
  return { cpu: Math.max(0, round(cpu)), memory: Math.min(100, Math.max(0, round(memory))) };
}

function informationOf(deps: ReporterDeps, seq: number): InformationMessage {
  const { profile, session, state, ledger, policy } = deps;
  const usage = deps.usage();
  const { capacity } = usage;
  const { epoch, gen, by } = ledger.part().fence;
  const problems = [...state.problems.values()].slice(0, 16);
  const secrets = deps.ownSecrets?.() ?? [];
  return {
    v: messageVersion,
    ...loadOf(usage),
    capacity,
    arch: profile.arch,
    runtimes: [...state.runtimes.values()].map(({ name, version }) => ({ name, version: version.slice(0, 64) })),
    fields: [...knownFeatures],
    labels: { ...profile.labels },
    ...(policy.grants.length > 0 && { grants: [...policy.grants] }),
    ...(policy.accepts && { accepts: policy.accepts }),
    ...(profile.location !== undefined && { location: profile.location }),
    ip: profile.ip,
    advertise: advertisedOf(profile),
    version: profile.version,
    beat: profile.beat,
    ...(profile.recipient !== undefined && { recipient: profile.recipient }),
    ...(secrets.length > 0 && { secrets: [...secrets] }),
    session,
    seq,
    epoch,
    gen,
    by,
    ...(deps.contact.asks() && { lease: true as const }),
    ...(deps.trusts && { trusts: deps.trusts() }),
    ...(problems.length > 0 && {
      problems: problems.map(({ code, message }) => ({ code, message: wireText(message, 1024) })),
    }),
  };
}

function round(percent: number): number {
  return Math.round(percent * 10) / 10;
}

/** What must not wait for the next beat when it changes. */
function problemsText(state: AgentState): string {
  return JSON.stringify([[...state.problems], [...state.runtimes]]);
}

/** What a report says, without the ages that change all the time. */
function bodyText(copies: readonly CopyReport[], ledger: Ledger): string {
  const { epoch, gen, by } = ledger.part().fence;
  return JSON.stringify([
    epoch,
    gen,
    by,
    ledger.hash(),
    copies.map(({ age: _age, drift, ...rest }) => [rest, drift && { ...drift, age: 0 }]),
  ]);
}
