/**
 * How long the reconciler is out of reach, over restarts of the agent and of the machine, and what follows for the copies that depend
 * on it. Beats ask, the row `lease` answers; what an answer gives counts from when the beat was sent.
 */
import { type Static, Type } from 'typebox';
import type { Part } from '../schemas/assignment.ts';
import { LeaseMessage } from '../schemas/messages.ts';
import { parseMessage } from '../schemas/parse.ts';
import type { BusMessage, Clock, Files } from '../schemas/ports.ts';
import { isProblemError, type Problem } from '../schemas/problem.ts';
import { beatFor, dependents, type Grant, leniencyOf, type Uptime, verdictOf } from './core/away.ts';
import { keyText, type Limit } from './core/memory.ts';
import type { Ledger } from './ledger.ts';

const file = 'contact';
/** Beats whose answer may still come. */
const mostBeats = 64;
/** ms between two looks at the clock while something depends on it: a machine that slept is noticed as soon. */
const lookEvery = 1_000;
/** ms that a copy stopped for lack of contact waits after it: first the reconciler may say that it runs elsewhere. */
const firstWord = 1_000;
/** The contact is written down this often in the shortest `stop_after`, and not more often than that. */
const marksInTime = 4;
const leastMark = 1_000;

const ContactFile = Type.Object({
  v: Type.Literal(1),
  /** Boot of the machine in which this was written. */
  boot: Type.String(),
  up: Type.Number(),
  /** Of no meaning but over a boot. */
  wall: Type.Number(),
  /** ms without contact when this was written. */
  away: Type.Number(),
  /** An agent that started let copies go on without a lease, and had no contact since: the next one does not. */
  lenient: Type.Optional(Type.Literal(true)),
});
type ContactFile = Static<typeof ContactFile>;

export interface ContactDeps {
  readonly session: string;
  readonly boot: string;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly files: Files;
  /** ms since the machine booted, sleep included. */
  uptime(): number;
  verify(topic: string, message: object): boolean;
  /** What copies may do has changed. */
  changed(): void;
  /** A beat is wanted now. */
  ask(): void;
  refused(topic: string, why: string): void;
  trouble(found: Problem): void;
}

export interface Contact {
  /** What an earlier life left. After the ledger was read, before anything is done. */
  load(): Promise<void>;
  /** Does a beat ask for an answer? */
  asks(): boolean;
  /** ms between two beats. */
  interval(usual: number): number;
  /** A beat is on its way. */
  sent(seq: number): void;
  /** A message on the row `lease`. */
  take(message: BusMessage): void;
  /** The ledger is a newer one. */
  followed(previous: Part): void;
  /** What copies may not do now. */
  limits(): ReadonlyMap<string, Limit>;
  /** Writes down how things are. */
  stop(): Promise<void>;
  close(): void;
}

export function createContact(deps: ContactDeps): Contact {
  const { ledger, clock, files, session, boot } = deps;
  const up = (): Uptime => deps.uptime() as Uptime;
  const beats = new Map<number, Uptime>();
  const grants = new Map<string, Grant>();
  const lenient = new Map<string, Uptime>();
  const listening = new Map<string, Uptime>();
  /** Since when copies are told to run. A lease from before may have gone to another copy meanwhile. */
  const begun = new Map<string, Uptime>();
  let contact = up();
  let limits: ReadonlyMap<string, Limit> = new Map();
  let marked = 0;
  /** On disk: leniency was used up. */
  let spent = false;
  let writing: Promise<unknown> = Promise.resolve();
  let cancel = (): void => undefined;
  let closed = false;

  /** False: the disk did not take it. */
  const mark = (): Promise<boolean> => {
    marked = up();
    const found: ContactFile = {
      v: 1,
      boot,
      up: marked,
      wall: clock.now().wall,
      away: Math.max(0, marked - contact),
      ...(spent && { lenient: true }),
    };
    const written = writing
      .then(() => files.write(file, JSON.stringify(found)))
      .then(() => true)
      .catch((error: unknown) => {
        if (!isProblemError(error)) throw error;
        deps.trouble(error.problem);
        return false;
      });
    writing = written;
    return written;
  };
  const markEvery = (): number => {
    const times = dependents(ledger.part()).flatMap(({ away }) => (away && !away.exclusive ? [away.stop_after] : []));
    return Math.max(leastMark, Math.min(...times) / marksInTime);
  };

  /** Judges all copies anew, and looks again when that may change by time alone. Says whether anything did. */
  const look = (): boolean => {
    cancel();
    if (closed || !ledger.known()) return false;
    const now = up();
    const before = limits;
    const found = new Map<string, Limit>();
    let next = lookEvery;
    const jobs = dependents(ledger.part());
    for (const job of jobs) {
      const { limit, changesAt } = verdictOf(job, { contact, grants, lenient, listening }, now);
      if (limit) found.set(keyText(job), limit);
      if (changesAt !== undefined) next = Math.min(next, Math.max(1, Math.ceil(changesAt - now)));
    }
    limits = found;
    // A lease is over: an agent that starts from here on has nothing to be lenient about.
    if (!spent && jobs.some((job) => job.away?.exclusive && found.get(keyText(job)) === 'stop')) {
      spent = true;
      void mark();
    }
    if (jobs.length > 0) {
      if (now - marked >= markEvery()) void mark();
      cancel = clock.after(next, tick);
    }
    return !isSame(before, found);
  };
  const tick = (): void => {
    if (look()) deps.changed();
  };

  const accept = (message: LeaseMessage): string | undefined => {
    if (message.session !== session) return 'it answers another process';
    if (message.epoch < ledger.part().fence.epoch) return 'it is from an earlier reconciler';
    const sent = beats.get(message.beat);
    if (sent === undefined) return 'it answers no beat of ours';
    if (sent > contact) reached(sent);
    for (const { copy, ms } of message.leases) {
      if (sent >= Math.max(begun.get(copy) ?? 0, grants.get(copy)?.sent ?? 0)) grants.set(copy, { sent, ms });
    }
    tick();
    return undefined;
  };
  const reached = (sent: Uptime): void => {
    const now = up();
    for (const job of dependents(ledger.part())) {
      const key = keyText(job);
      if (!job.away?.exclusive && limits.get(key) === 'stop') listening.set(key, (now + firstWord) as Uptime);
    }
    contact = sent;
    if (!spent) return;
    spent = false;
    void mark();
  };

  const forget = (): void => {
    const running = dependents(ledger.part()).filter(({ want }) => want === 'run');
    const alive = new Set(running.map(keyText));
    for (const map of [grants, lenient, listening, begun])
      for (const key of map.keys()) if (!alive.has(key)) map.delete(key);
  };
  const lend = (keys: ReadonlySet<string>): void => {
    const now = up();
    for (const job of ledger.part().jobs) {
      if (keys.has(keyText(job))) lenient.set(keyText(job), (now + leniencyOf(job)) as Uptime);
    }
  };

  return {
    async load() {
      const jobs = dependents(ledger.part());
      const text = jobs.length === 0 ? undefined : await files.read(file).catch(() => undefined);
      const parsed = text === undefined ? undefined : parseMessage<ContactFile>(ContactFile, text);
      const now = up();
      if (parsed?.ok) contact = contactIn(parsed.value, { boot, up: now, wall: clock.now().wall });
      const wasSpent = parsed?.ok === true && parsed.value.lenient === true;
      const leased = new Set(jobs.filter(({ away }) => away?.exclusive).map(keyText));
      if (leased.size > 0 && !wasSpent) {
        spent = true;
        // What is not on record as used up would be used again by each start: two could run.
        if (await mark()) lend(leased);
      } else spent = wasSpent;
      look();
    },
    asks: () => dependents(ledger.part()).length > 0,
    interval: (usual) => beatFor(dependents(ledger.part()), limits, usual),
    sent(seq) {
      beats.set(seq, up());
      if (beats.size > mostBeats) beats.delete(Math.min(...beats.keys()));
    },
    take({ topic, payload, retained }) {
      if (retained) return deps.refused(topic, 'it was retained');
      const parsed = parseMessage<LeaseMessage>(LeaseMessage, payload);
      if (!parsed.ok) return deps.refused(topic, parsed.problem.message);
      if (!deps.verify(topic, parsed.value)) return deps.refused(topic, 'not signed by this cluster');
      const why = accept(parsed.value);
      if (why !== undefined) deps.refused(topic, why);
    },
    followed(previous) {
      const before = new Map(previous.jobs.map((job) => [keyText(job), job]));
      const jobs = dependents(ledger.part());
      // Whoever says so is in reach; before, nobody asked.
      if (dependents(previous).length === 0 && jobs.length > 0) contact = up();
      // What ran without a lease, and needs one from now on, gets the time to ask for it.
      const ran = jobs.filter((job) => {
        const old = before.get(keyText(job));
        return job.away?.exclusive && old?.want === 'run' && !old.away?.exclusive;
      });
      lend(new Set(ran.map(keyText)));
      forget();
      for (const job of jobs)
        if (job.want === 'run' && before.get(keyText(job))?.want !== 'run') begun.set(keyText(job), up());
      look();
      if (jobs.some((job) => job.away?.exclusive && job.want === 'run' && !grants.has(keyText(job)))) deps.ask();
    },
    limits: () => limits,
    async stop() {
      if (dependents(ledger.part()).length > 0) await mark();
      await writing;
    },
    close() {
      closed = true;
      cancel();
    },
  };
}

/** When the last contact was, in the time of this boot. Over a boot the wall clock counts, unless it went back. */
function contactIn(
  found: ContactFile,
  now: { readonly boot: string; readonly up: Uptime; readonly wall: number },
): Uptime {
  const since = found.boot === now.boot ? now.up - found.up : Math.max(now.up, now.wall - found.wall);
  return (now.up - found.away - Math.max(0, since)) as Uptime;
}

function isSame(a: ReadonlyMap<string, Limit>, b: ReadonlyMap<string, Limit>): boolean {
  return a.size === b.size && [...a].every(([key, limit]) => b.get(key) === limit);
}
