/**
 * From MQTT messages to world events. A bad payload is counted, logged once a minute per client, and changes nothing.
 * Presence changes with time alone: every node has one timer that looks again when its state could change.
 */

import { type CopyReport, InformationMessage, InstancesMessage, OnlineMessage } from '../schemas/messages.ts';
import { compareFence, type NodeId } from '../schemas/names.ts';
import { parseMessage } from '../schemas/parse.ts';
import type { BusMessage, Mono } from '../schemas/ports.ts';
import { foreignVersion } from '../schemas/skew.ts';
import { isKept, parseTopic, type Row } from '../schemas/topics.ts';
import type { NodeState } from '../schemas/views.ts';
import type { Adoption } from './adoption.ts';
import type { Context } from './context.ts';
import { copyKey } from './core/copy-index.ts';
import { presenceOf } from './core/presence.ts';
import type { Dispatcher } from './dispatch.ts';
import type { Leases } from './leases.ts';
import { onceSaved, withEntry } from './records-keeper.ts';
import type { Replacement } from './replacement.ts';
import type { SeedDesk } from './seed/desk.ts';

export interface Observer {
  message(message: BusMessage): void;
  /** Looks at all nodes again: the policy or its grace changed. */
  refresh(): void;
  stop(): void;
}

/** A report that is behind what we published for longer than this gets the assignment again. */
const repeatAfter = 5_000;
const complaintEvery = 60_000;
const sweepEvery = 60_000;

/** Whom it tells of what came. */
export interface Listeners {
  readonly dispatcher: Dispatcher;
  readonly adoption: Adoption;
  readonly seeds: Pick<SeedDesk, 'serves' | 'information'>;
  readonly leases: Pick<Leases, 'answer'>;
  readonly replacement: Pick<Replacement, 'heard'>;
  /** A live message of a node that is in no record. */
  unknown(node: NodeId): void;
}

export function createObserver(context: Context, listeners: Listeners): Observer {
  const { deps, world, journal } = context;
  const { dispatcher, adoption, seeds, leases, replacement, unknown } = listeners;
  const states = new Map<NodeId, NodeState>();
  const timers = new Map<NodeId, { readonly at: number; cancel(): void }>();
  const complained = new Map<string, number>();
  const repeated = new Map<NodeId, number>();
  /** Revoked nodes whose rows were cleared. */
  const swept = new Map<NodeId, number>();
  const reports = new Map<NodeId, ReadonlyMap<string, CopyReport>>();
  let stopped = false;

  const complain = (who: string, why: string): void => {
    const { mono } = deps.clock.now();
    const last = complained.get(who);
    if (last !== undefined && mono - last < complaintEvery) return;
    complained.set(who, mono);
    deps.log('warn', 'bad_message', { from: who, why });
  };

  /** Who was revoked may go on talking on a broker that is not ours: each message must not be answered with one for every row. */
  const sweep = (id: NodeId, on: string): void => {
    const { mono } = deps.clock.now();
    const last = swept.get(id);
    if (last !== undefined && mono - last < sweepEvery) {
      if (isKept(on)) deps.bus.publish(on, '', { qos: 1, retain: true });
      return;
    }
    swept.set(id, mono);
    dispatcher.clear(id);
  };

  const look = (id: NodeId): void => {
    const node = world.nodes.get(id);
    if (!node || stopped) {
      lookAgain(id, undefined);
      return void states.delete(id);
    }
    const now = deps.clock.now();
    const { state, changesAt } = presenceOf(node, context.policy(), now);
    const before = states.get(id);
    states.set(id, state);
    if (before !== state) {
      if (before !== undefined || state === 'online') journalState(id, before, state);
      context.apply({ kind: 'presence', node: id });
    }
    lookAgain(id, changesAt, now.mono);
  };

  /** A timer that comes too soon looks, and is set anew: most messages only move the moment on, and need not touch it. */
  const lookAgain = (id: NodeId, at: Mono | undefined, now?: Mono): void => {
    const timer = timers.get(id);
    if (timer && at !== undefined && timer.at <= at) return;
    timer?.cancel();
    timers.delete(id);
    if (at === undefined || now === undefined) return;
    const cancel = deps.clock.after(Math.max(1, at - now), () => {
      timers.delete(id);
      look(id);
    });
    timers.set(id, { at, cancel });
  };

  const journalState = (id: NodeId, before: NodeState | undefined, state: NodeState): void => {
    const subject = `node/${world.nodes.get(id)?.record.name ?? id}`;
    if (state === 'suspect') journal.add('node_suspect', subject, 'no sign of life; its copies are left alone for now');
    else if (state === 'lost') journal.add('node_lost', subject, 'silent for too long; its instances are replaced');
    else if (before === 'suspect' || before === 'lost')
      journal.add('node_returned', subject, `back after being ${before}`);
    else journal.add('node_online', subject, 'online');
  };

  /** The agent says a pair that is not ours: it is behind (tell it again), or somebody else speaks to it. */
  const compareWithReport = (
    id: NodeId,
    report: { epoch: number; gen: number; by: string; hash?: string },
    at: Mono,
  ): void => {
    const node = world.nodes.get(id);
    if (!node?.adopted || world.recovering) return;
    if (report.by !== world.fence.by && compareFence(report, world.fence) >= 0) {
      adoption.foreign(id, report);
      return;
    }
    const order = compareFence(report, node.part.fence);
    if (order === 0 && (report.hash === undefined || report.hash === adoption.hashOf(id))) return;
    const last = repeated.get(id) ?? Number.NEGATIVE_INFINITY;
    if (at - last < repeatAfter) return;
    repeated.set(id, at);
    if (order >= 0) dispatcher.restamp(id);
    else if (last !== Number.NEGATIVE_INFINITY) dispatcher.republish(id);
  };

  /** What changed since the last report of the node. What was found at the start is no news. */
  const journalStatuses = (id: NodeId, message: InstancesMessage): void => {
    const before = reports.get(id);
    reports.set(id, new Map(message.copies.map((copy) => [copyKey(copy.instance, copy.copy), copy])));
    if (!before) return;
    const name = world.nodes.get(id)?.record.name ?? id;
    for (const report of message.copies) {
      const { instance, copy, status, reason, drift } = report;
      const key = copyKey(instance, copy);
      // Who claims what another node was told to have is not believed here either.
      if (!world.copiesOn.get(id)?.has(key)) continue;
      const known = before.get(key);
      if (drift && !isSameDrift(drift, known?.drift)) journal.add('instance_drift', instance, driftText(drift, name));
      if (known?.status === status) continue;
      journal.add(
        'instance_status',
        instance,
        `${status} on ${name}${reason ? `: ${reason.code} ${reason.message}` : ''}`,
      );
    }
  };

  /** Somebody whose words are of another version is not silent: nothing of it is replaced. A will may be among what is said of being online. */
  const noteVersion = (node: NodeId, text: string, at: Mono): void => {
    const version = foreignVersion(text);
    if (version === undefined) return;
    context.apply({ kind: 'foreign', node, version, at });
    look(node);
  };

  /** Kept with the node: secrets are encrypted for it while it is away, too. */
  const noteRecipient = (id: NodeId, { recipient }: InformationMessage): void => {
    const record = context.keeper.now.nodes[id];
    if (!record || recipient === undefined || record.recipient === recipient) return;
    const next = { ...record, recipient };
    context.keeper.change({ nodes: withEntry(context.keeper.now.nodes, id, next) });
    context.apply({ kind: 'node', record: next });
    onceSaved(context, () => undefined);
  };

  const handlers = {
    information: (node: NodeId, text: string, retained: boolean, at: Mono) => {
      const parsed = parseMessage<InformationMessage>(InformationMessage, text);
      if (!parsed.ok) return parsed.problem.message;
      context.apply({ kind: 'information', node, message: parsed.value, retained, at });
      if (!retained) noteRecipient(node, parsed.value);
      if (!retained) compareWithReport(node, parsed.value, at);
      if (!retained) adoption.spoke(node);
      if (!retained && parsed.value.lease) leases.answer(node, parsed.value);
      return undefined;
    },
    instances: (node: NodeId, text: string, retained: boolean, at: Mono) => {
      const parsed = parseMessage<InstancesMessage>(InstancesMessage, text);
      if (!parsed.ok) return parsed.problem.message;
      const before = world.nodes.get(node)?.reported;
      context.apply({ kind: 'instances', node, message: parsed.value, retained, at });
      // Brokers repeat, and what is said late is no news.
      if (world.nodes.get(node)?.reported !== before) journalStatuses(node, parsed.value);
      adoption.reported(node, retained);
      if (!retained) compareWithReport(node, parsed.value, at);
      return undefined;
    },
    online: (node: NodeId, text: string, retained: boolean, at: Mono) => {
      const parsed = parseMessage<OnlineMessage>(OnlineMessage, text);
      if (!parsed.ok) return parsed.problem.message;
      context.apply({ kind: 'online', node, message: parsed.value, retained, at });
      return undefined;
    },
  };

  /** Seed nodes have one row. */
  const seedSays = (node: NodeId, row: Row, text: string, retained: boolean, at: Mono): string | undefined =>
    row === 'information' ? seeds.information(node, text, retained, at) : 'a seed node has no such row';

  const message = ({ topic, payload, retained }: BusMessage): void => {
    const parsed = parseTopic(topic);
    if (!parsed || payload === '') return;
    const { node, row } = parsed;
    if (stopped) return;
    // An external broker keeps whatever has the flag, and shows it again at each connect.
    if (retained && !isKept(topic)) deps.bus.publish(topic, '', { qos: 1, retain: true });
    if (row !== 'information' && row !== 'instances' && row !== 'online') return;
    if (!world.nodes.has(node)) {
      // Its last will, or a row that an external broker kept: what a revoked node left goes.
      const record = context.keeper.now.nodes[node];
      if (record?.replaces !== undefined && record.revoked === undefined) {
        const said = retained ? [] : replacement.heard(node, row, { topic, payload, retained });
        if (said.length > 0) adoption.forgotten();
        for (const one of said) message(one);
        return;
      }
      if (record?.revoked !== undefined) sweep(node, topic);
      // Even a row that was kept may be of one that goes on, led by somebody else.
      if (!record) context.apply({ kind: 'stranger', node, at: deps.clock.now().mono });
      if (!record && !retained) unknown(node);
      complain(node, 'an unknown node speaks');
      return;
    }
    const { mono } = deps.clock.now();
    const isSeed = seeds.serves(node);
    const why = isSeed ? seedSays(node, row, payload, retained, mono) : handlers[row](node, payload, retained, mono);
    if (why !== undefined) {
      complain(node, `${row}: ${why}`);
      if (!isSeed && !retained && row !== 'online') noteVersion(node, payload, mono);
      return;
    }
    if (!retained || states.get(node) === undefined) look(node);
  };

  return {
    message,
    refresh() {
      for (const id of world.nodes.keys()) look(id);
    },
    stop() {
      stopped = true;
      for (const { cancel } of timers.values()) cancel();
    },
  };
}

type Drift = NonNullable<CopyReport['drift']>;

function isSameDrift(a: Drift, b: Drift | undefined): boolean {
  return a.kind === b?.kind && a.what === b.what && a.healed === b.healed;
}

function driftText({ kind, what, healed }: Drift, node: string): string {
  const done = `${kind} by hand on ${node}${what === undefined ? '' : `: ${what}`}`;
  return healed ? `as wanted again, after it was ${done}` : done;
}
