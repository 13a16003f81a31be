/**
 * Recovery. After a start nothing is published: the reconciler listens, reads the ledger of every node that reports, and makes it
 * the node's part, so that what runs is what is wanted until a plan says otherwise. The window ends when every node that was not
 * lost before has been adopted, at latest after its `lost_after`. Nodes that come later are adopted the same way.
 */

import { emptyPart, hashPart, type Part } from '../schemas/assignment.ts';
import { type Fence, messageVersion, type RequestMessage } from '../schemas/messages.ts';
import { compareFence, type NodeId } from '../schemas/names.ts';
import type { Problem } from '../schemas/problem.ts';
import { topic } from '../schemas/topics.ts';
import type { Context } from './context.ts';
import type { Node } from './core/model.ts';
import { isSeed } from './core/node-facts.ts';
import { beatOf, presenceOf } from './core/presence.ts';
import { regainedPart } from './core/regain.ts';
import { isForeign, type Reign } from './core/rivals.ts';
import type { Dispatcher } from './dispatch.ts';
import { createForeigners } from './foreigners.ts';
import { type LedgerAnswer, parseLedger } from './ledger-answer.ts';
import { onceSaved } from './records-keeper.ts';
import { createRestoration } from './restoration.ts';

export interface Adoption {
  /** Begins the window. `lost`: nodes that were lost before the stop, which nobody waits for. */
  begin(lost: ReadonlySet<string>): void;
  /** The bus is connected (again): the window begins anew. Who hears nothing waits. */
  connected(): void;
  disconnected(): void;
  /** A node reported its instances: adopt it if that was not done. A retained report may be older than its ledger. */
  reported(node: NodeId, retained: boolean): void;
  /** A live beat: a node whose report does not come, as it was lost on the way, has its ledger read all the same. */
  spoke(node: NodeId): void;
  /** A node was forgotten: nobody waits for it. */
  forgotten(): void;
  stop(): void;
  /** An agent carries a pair of another process that is not below ours. */
  foreign(node: NodeId, pair: Reign): void;
  /** Nodes that speak of another reconciler, without a proof of it. */
  unproven(): ReadonlyMap<NodeId, Problem>;
  /** Hash of the node's part as we promised it. */
  hashOf(node: NodeId): string;
}

const readTimeout = 10_000;
const firstRetry = 2_000;
/** Share of a beat after one by which the report has come that comes with it, or was kept by the broker: those of a fleet take their time. */
const reportIn = 0.5;
const longestRetry = 30_000;
/** ms between two questions to one node for a proof, when it answered and had none. */
const proofEvery = 300_000;
const ledgerLimit = 1024 * 1024;
/** ms between two looks whether the sources were read, and the node said what it has. */
const sourcesRetry = 250;

/**
 * `isRead`: what the sources want is known, as far as it can be. `onAdopted`: the world learned of jobs that nothing explained
 * before.
 */
export function createAdoption(
  context: Context,
  dispatcher: Dispatcher,
  { isRead, onAdopted }: { isRead(): boolean; onAdopted(): void },
): Adoption {
  const { deps, world, keeper, journal } = context;
  const reading = new Set<NodeId>();
  const awaited = new Set<NodeId>();
  const proving = new Set<NodeId>();
  const foreigners = createForeigners(context);
  /** Online, and their report is awaited. */
  const unsaid = new Set<NodeId>();
  const hashes = new Map<NodeId, { part: Part; hash: string }>();
  const restoration = createRestoration(context);
  const emptyHash = hashPart(emptyPart);
  const failures = new Map<NodeId, number>();
  let cancelWindow = (): void => {};
  let begun = false;
  let connected = false;
  let stopped = false;

  const adopt = (id: NodeId, part: Part): void => {
    if (stopped || world.nodes.get(id)?.adopted !== false) return;
    restoration.adopting(id, part);
    context.apply({ kind: 'ledger', node: id, part });
    deps.log('info', 'node_adopted', { node: id, copies: part.jobs.length, fence: part.fence });
    failures.delete(id);
    if (world.recovering) {
      endWhenAllAdopted();
      return;
    }
    onceRaised(() => dispatcher.restamp(id));
    onAdopted();
  };

  /** Speaks under the epoch as it is now from when it is on disk: before that the next process could begin with the same one. */
  const onceRaised = (run: () => void): void => {
    const { epoch } = keeper.now;
    onceSaved(context, () => {
      if (epoch > world.fence.epoch) world.fence = { ...world.fence, epoch };
      run();
    });
  };

  const readLedger = async (id: NodeId): Promise<LedgerAnswer | undefined> => {
    const abort = new AbortController();
    const stop = deps.clock.after(readTimeout, () => abort.abort());
    try {
      const stream = deps.streams.expect(id, abort.signal);
      const report = world.nodes.get(id)?.reported === undefined;
      const request: RequestMessage = {
        ...{ v: messageVersion, action: 'open', stream: stream.id, kind: 'ledger' },
        ...(report && { report }),
      };
      deps.bus.publish(topic(id, 'requests'), JSON.stringify(request), { qos: 0, retain: false });
      let text = '';
      for await (const chunk of stream.chunks) {
        text += chunk;
        if (text.length > ledgerLimit) abort.abort();
      }
      const answer = parseLedger(text);
      if (!answer) deps.log('warn', 'ledger_unreadable', { node: id, bytes: text.length });
      return answer;
    } catch (error) {
      deps.log('warn', 'ledger_unread', { node: id, why: String(error) });
    } finally {
      stop();
      abort.abort();
    }
    return undefined;
  };

  /** A ledger that is empty: of a new node, or of one that lost it. What that runs is explained by what is wanted, once that is known. */
  const adoptEmpty = (id: NodeId, fence: Fence): void => {
    if (stopped || world.nodes.get(id)?.adopted !== false || reading.has(id)) return;
    const isKnown = isRead() && world.nodes.get(id)?.information !== undefined;
    if (!world.copiesOn.has(id) || isKnown) {
      adopt(id, regainedPart(world, id, fence));
      return;
    }
    reading.add(id);
    deps.clock.after(sourcesRetry, () => {
      reading.delete(id);
      adoptEmpty(id, fence);
    });
  };

  const read = (id: NodeId): void => {
    if (stopped || reading.has(id) || world.nodes.get(id)?.adopted !== false) return;
    reading.add(id);
    void readLedger(id).then((answer) => {
      const asked = world.nodes.get(id);
      // Nobody knows yet what its copies do. It was asked to report once more, and that comes, or is asked for at its next beat.
      if (answer && !asked?.reported) return void reading.delete(id);
      if (answer && !stopped && asked?.adopted === false && foreigners.admits(id, answer)) {
        reading.delete(id);
        if (answer.part.jobs.length === 0) adoptEmpty(id, answer.part.fence);
        else adopt(id, answer.part);
        return;
      }
      const node = world.nodes.get(id);
      const retry = node !== undefined && !node.adopted;
      if (!retry) return void reading.delete(id);
      const failed = (failures.get(id) ?? 0) + 1;
      failures.set(id, failed);
      deps.clock.after(Math.min(longestRetry, firstRetry * 2 ** (failed - 1)), () => {
        reading.delete(id);
        const still = world.nodes.get(id);
        if (still && presenceOf(still, context.policy(), deps.clock.now()).state !== 'lost') read(id);
      });
    });
  };

  const isUnsaid = (id: NodeId): boolean => {
    const node = world.nodes.get(id);
    return node?.adopted === false && !node.reported && !isSeed(node);
  };

  /** Reads the ledger of a node that is ours already, for what it shows; not at each of its messages. */
  const prove = (id: NodeId, pair: Reign): void => {
    if (reading.has(id) || proving.has(id)) return;
    proving.add(id);
    reading.add(id);
    void readLedger(id).then((answer) => {
      reading.delete(id);
      if (stopped || !world.nodes.has(id)) return void proving.delete(id);
      const isRaised = foreigners.judge(id, pair, answer);
      // Another node may have led us above it meanwhile: then its next word is about something else.
      if (!isRaised && pair.epoch >= keeper.now.epoch) {
        return void deps.clock.after(answer ? proofEvery : longestRetry, () => proving.delete(id));
      }
      proving.delete(id);
      if (isRaised) onceRaised(restampAll);
    });
  };

  /** Nodes that the window waits for. */
  const missing = (): number => [...awaited].filter((id) => world.nodes.get(id)?.adopted === false).length;
  const endWhenAllAdopted = (): void => {
    if (!begun || !world.recovering) return;
    for (const id of awaited) {
      if (world.nodes.get(id)?.adopted === false) return;
      awaited.delete(id);
    }
    end('every known node has reported');
  };
  const restampAll = (): void => {
    for (const [id, node] of world.nodes) if (node.adopted) dispatcher.restamp(id);
  };
  const end = (why: string): void => {
    if (!world.recovering) return;
    cancelWindow();
    onceRaised(() => {
      if (!world.recovering || stopped) return;
      restoration.recovered();
      context.apply({ kind: 'recovered' });
      // Also what was planned meanwhile and is in no index any more, such as a deleted service: its plan says RECOVERING.
      for (const name of context.plans.keys()) world.dirty.add(name);
      restampAll();
      journal.add('recovered', 'cluster', why);
      onAdopted();
    });
  };
  /** Counts only while we hear: a broker that is away says nothing about nodes. */
  const openWindow = (): void => {
    cancelWindow();
    if (!begun || !connected || !world.recovering || stopped) return;
    const wait = Math.max(0, context.policy().graceUntil - deps.clock.now().mono);
    cancelWindow = deps.clock.after(wait, () => end(`${missing()} nodes have not reported in time`));
  };

  return {
    begin(lost) {
      for (const id of world.nodes.keys()) if (!lost.has(id)) awaited.add(id);
      begun = true;
      openWindow();
      endWhenAllAdopted();
    },
    connected() {
      connected = true;
      openWindow();
    },
    disconnected() {
      connected = false;
      cancelWindow();
    },
    reported(id, retained) {
      const node = world.nodes.get(id);
      if (!node?.reported) return;
      const { hash, epoch, gen, by } = node.reported;
      foreigners.reported(id, { epoch, by });
      if (node.adopted) {
        if (!hasMovedOn(node, world.fence)) return;
        context.apply({ kind: 'ledger_moved', node: id });
        if (world.recovering) awaited.add(id);
      }
      // What it has of somebody else it has to show.
      if (hash === emptyHash && !retained && !isForeign(world.fence, { epoch, by })) adoptEmpty(id, { epoch, gen, by });
      else read(id);
    },
    spoke(id) {
      const node = world.nodes.get(id);
      if (!node || unsaid.has(id) || !isUnsaid(id)) return;
      unsaid.add(id);
      deps.clock.after(reportIn * beatOf(node), () => {
        unsaid.delete(id);
        if (isUnsaid(id)) read(id);
      });
    },
    forgotten: endWhenAllAdopted,
    unproven: foreigners.unproven,
    foreign(id, pair) {
      // We are above it as soon as that is on disk.
      if (stopped || pair.epoch < keeper.now.epoch) return;
      foreigners.noted(id);
      prove(id, pair);
    },
    stop() {
      stopped = true;
      cancelWindow();
    },
    hashOf(id) {
      const part = world.nodes.get(id)?.part ?? emptyPart;
      const kept = hashes.get(id);
      if (kept?.part === part) return kept.hash;
      const hash = hashPart(part);
      hashes.set(id, { part, hash });
      return hash;
    },
  };
}

/**
 * We said nothing to it yet, and it has by now what the process before us said last: its disk was full when its ledger was read, or what it
 * was told was still on its way.
 */
function hasMovedOn({ part, reported }: Pick<Node, 'part' | 'reported'>, own: Fence): boolean {
  return reported !== undefined && reported.epoch < own.epoch && compareFence(reported, part.fence) > 0;
}
