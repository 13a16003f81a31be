/**
 * Takes part in the office (core/office.ts) on a broker that is not our own, and stands between the loop and the bus: before this
 * reconciler runs the cluster, the loop sees a bus that is not connected, and nothing of it gets out.
 */
import { canonicalJson } from '../schemas/digest.ts';
import { signMessage, verifyMessage } from '../schemas/io/signatures.ts';
import { messageVersion, OfficeMessage } from '../schemas/messages.ts';
import { parseMessage } from '../schemas/parse.ts';
import type { Bus, BusHandlers, BusMessage, Mono, Will } from '../schemas/ports.ts';
import { type Problem, ProblemError } from '../schemas/problem.ts';
import { isKept, officeTopic } from '../schemas/topics.ts';
import type { ReconcilerDeps } from './context.ts';
import * as core from './core/office.ts';
import { otherKey, refusal, rivalProblem, standby } from './core/office-problems.ts';
import type { Journal } from './journal.ts';
import { onceSaved, type RecordsKeeper } from './records-keeper.ts';
import { createRivals } from './rivals.ts';

export interface OfficeSeat {
  /** What the loop is to use instead of `deps.bus`. */
  readonly bus: Bus;
  /** Calls `run` once, when this reconciler runs the cluster for the first time: at once where the broker is its own. */
  whenTaken(run: () => void): void;
  /** True from then on. */
  taken(): boolean;
  /** Another one runs the cluster, or may run it: changes are not made here. */
  standsBy(): boolean;
  /** UNAVAILABLE while it stands by. */
  requireTaken(): void;
  conditions(): readonly Problem[];
}

export interface OfficeOptions {
  readonly deps: Pick<
    ReconcilerDeps,
    'bus' | 'shared' | 'peers' | 'clock' | 'random' | 'keys' | 'state' | 'log' | 'fatal'
  >;
  readonly keeper: RecordsKeeper;
  readonly journal: Journal;
  readonly by: string;
  /** The epoch of the loop is to be this one. */
  readonly onEpoch: (epoch: number) => void;
}

const memory = 'office.json';
/** ms for which somebody who speaks with another key is shown after his last word. */
const showRival = 3 * core.officeBeat;

export function createOffice(options: OfficeOptions): OfficeSeat {
  const { shared } = options.deps;
  return shared ? takePart(options, shared) : runAlone(options);
}

/** The broker is our own. Others of this cluster have brokers of theirs, if any: they are asked where they can be reached. */
function runAlone({ deps, keeper, by }: OfficeOptions): OfficeSeat {
  const { bus, peers } = deps;
  const rivals = peers && createRivals({ ...deps, peers, own: () => ({ epoch: keeper.now.epoch, by }) });
  return {
    bus: {
      ...bus,
      close(last) {
        rivals?.stop();
        return bus.close(last);
      },
    },
    whenTaken(run) {
      rivals?.start();
      run();
    },
    taken: () => true,
    standsBy: () => false,
    requireTaken: () => undefined,
    conditions: () => rivals?.conditions() ?? [],
  };
}

function takePart(options: OfficeOptions, shared: NonNullable<ReconcilerDeps['shared']>): OfficeSeat {
  const { deps, keeper, journal, by, onEpoch } = options;
  const { clock, keys } = deps;
  const topic = officeTopic(keys.cluster);
  let office = core.openOffice({ by, user: shared.user, epoch: keeper.now.epoch, held: false });
  let inner: BusHandlers | undefined;
  let open = false;
  let closed = false;
  let remembered = 0;
  let rival: { readonly claim: core.Claim; readonly at: Mono } | undefined;
  let taken = false;
  const announced = new Set<string>();
  /** The last word on each row while the loop does not listen: brokers say it only once. */
  const waiting = new Map<string, BusMessage>();
  const onTaken: (() => void)[] = [];
  let cancelBeat = (): void => undefined;
  let cancelWait = (): void => undefined;

  const message = (state: OfficeMessage['state'], session = office.session): string => {
    const { epoch, user, ran } = office;
    const claim = { by, user, epoch, url: shared.url(), beat: core.officeBeat, state, ran, session };
    return canonicalJson(signMessage(keys, topic, { v: messageVersion, ...claim }));
  };
  const announce = (): void => {
    // The loop may have raised it.
    office = { ...office, epoch: Math.max(office.epoch, keeper.now.epoch) };
    if (office.phase === 'candidate') deps.bus.publish(topic, message('candidate'), { qos: 1, retain: false });
    if (office.phase === 'running' && open) deps.bus.publish(topic, message('running'), { qos: 1, retain: true });
  };
  const will = (): Will => ({ topic, payload: message('gone', office.session + 1) });

  const step = ({ office: next, effects }: core.Next): void => {
    office = next;
    cancelWait();
    if (office.phase === 'candidate')
      cancelWait = clock.after(Math.max(0, office.runsAt - clock.now().mono), () =>
        step(core.waited(office, clock.now().mono)),
      );
    for (const effect of effects) carryOut(effect);
  };

  const carryOut = (effect: core.Effect): void => {
    if (effect.kind === 'announce') announce();
    if (effect.kind === 'run') run();
    if (!('claim' in effect)) return;
    const { claim } = effect;
    const who = `${claim.by} at ${claim.url}, epoch ${claim.epoch}`;
    if (effect.kind === 'stand_by') journal.add('reconciler_standby', 'cluster', `waits for ${who}, which runs it`);
    if (effect.kind === 'heard') noteOther(claim, who);
    if (effect.kind !== 'end') return;
    const error = new ProblemError(rivalProblem(effect));
    journal.add('reconciler_rival', 'cluster', error.problem.message);
    shut(error.problem.message);
    deps.fatal(error);
  };

  const noteOther = (claim: core.Claim, who: string): void => {
    if (claim.state === 'gone') return void announced.delete(claim.by);
    if (!claim.own) rival = { claim, at: clock.now().mono };
    if (announced.has(claim.by)) return;
    announced.add(claim.by);
    if (claim.own) journal.add('reconciler_standby', 'cluster', `${who}, waits for this one`);
    else journal.add('reconciler_rival', 'cluster', `${who}, has another key and uses the name of this cluster`);
  };

  /** Published is only what is above all that was said before, also after a crash. */
  const run = (): void => {
    const { session, epoch } = office;
    if (epoch > keeper.now.epoch) keeper.change({ epoch });
    onEpoch(keeper.now.epoch);
    onceSaved({ keeper, deps }, () => {
      if (closed || office.phase !== 'running' || office.session !== session) return;
      open = true;
      announce();
      remember();
      if (!taken) {
        taken = true;
        journal.add('reconciler_took_over', 'cluster', `runs the cluster on ${shared.broker}, epoch ${epoch}`);
        for (const begin of onTaken.splice(0)) begin();
      }
      inner?.connected();
      const rows = [...waiting.values()];
      waiting.clear();
      for (const row of rows) inner?.message({ ...row, retained: true });
    });
  };
  /** So that the next process on these records need not wait. Losing it costs three beats. */
  const remember = (): void => {
    const { epoch } = keeper.now;
    if (remembered === epoch) return;
    remembered = epoch;
    deps.state
      .write(memory, JSON.stringify({ epoch }))
      .catch((error: unknown) => deps.log('warn', 'state_unwritable', { why: String(error) }));
  };
  const remembers = async (): Promise<boolean> => {
    if (keeper.now.epoch === 1) return true;
    const text = await deps.state.read(memory).catch(() => undefined);
    return text === JSON.stringify({ epoch: keeper.now.epoch - 1 });
  };

  const beat = (): void => {
    cancelBeat = clock.after(core.officeBeat, () => {
      announce();
      if (open) remember();
      beat();
    });
  };
  const shut = (reason: string): void => {
    waiting.clear();
    if (!open) return;
    open = false;
    inner?.disconnected(reason);
  };

  const hear = ({ payload, retained }: BusMessage): void => {
    const parsed = parseMessage<OfficeMessage>(OfficeMessage, payload);
    if (!parsed.ok) {
      deps.log('warn', 'bad_message', { from: topic, why: parsed.problem.message });
      return;
    }
    const claim: core.Claim = {
      ...parsed.value,
      own: verifyMessage({ cluster: keys.cluster, keys: keys.trusted() }, topic, parsed.value),
    };
    step(core.heard(office, claim, retained, clock.now().mono));
  };
  const outer: BusHandlers = {
    connected: () => step(core.connected(office, clock.now().mono)),
    disconnected(reason) {
      step({ office: core.disconnected(office), effects: [] });
      shut(reason);
    },
    message(message) {
      if (closed) return;
      if (message.topic === topic) return hear(message);
      if (open) return inner?.message(message);
      if (message.retained || isKept(message.topic)) waiting.set(message.topic, message);
    },
  };

  return {
    bus: {
      open(wanted, handlers) {
        inner = handlers;
        void remembers().then((held) => {
          if (closed) return;
          office = { ...office, held };
          deps.bus.open({ subscribe: [...wanted.subscribe, { filter: topic, qos: 1 }], will }, outer);
          beat();
        });
      },
      publish(on, payload, how) {
        if (open) deps.bus.publish(on, payload, how);
      },
      pending: () => deps.bus.pending(),
      async close() {
        closed = true;
        cancelBeat();
        cancelWait();
        await deps.bus.close(open ? { topic, payload: message('gone') } : undefined);
        open = false;
      },
    },
    whenTaken: (begin) => void onTaken.push(begin),
    taken: () => taken,
    standsBy: () => !core.mayChange(office),
    requireTaken() {
      if (!core.mayChange(office)) throw new ProblemError(refusal(office));
    },
    conditions() {
      const isThere = rival && clock.now().mono - rival.at < showRival;
      return [
        ...(core.mayChange(office) ? [] : [standby(office)]),
        ...(isThere && rival ? [otherKey(rival.claim)] : []),
      ];
    },
  };
}
