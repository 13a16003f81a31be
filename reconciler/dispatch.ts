/**
 * Tells nodes what they should have. Every action of a plan is one control, a hint that arrives soon; the assignment that
 * follows is the authority and is retained. The broker is a cache: everything is published again at every connect.
 */

import { hashPart, jobNumber, jobOf, type Part } from '../schemas/assignment.ts';
import { canonicalJson } from '../schemas/digest.ts';
import { signMessage } from '../schemas/io/signatures.ts';
import { type AssignmentMessage, type ControlMessage, type Job, messageVersion } from '../schemas/messages.ts';
import type { NodeId } from '../schemas/names.ts';
import type { RunSpec } from '../schemas/spec.ts';
import { mostParts, topic } from '../schemas/topics.ts';
import type { Context } from './context.ts';
import type { Action } from './core/action.ts';
import { createOutbox } from './outbox.ts';
import type { SeedDesk } from './seed/desk.ts';
import { trustOf } from './trust-news.ts';

/** What became of one promised action: the part before and after, and the copy it is about. */
export interface Promised {
  readonly action: Action;
  readonly node: NodeId;
  readonly before: Part;
  readonly after: Part;
  readonly copy: string;
}

export interface Dispatcher {
  /** Queues the control of a promised action; `flush` sends. */
  queue(promised: Promised): void;
  /** The node's part is as it was before what is queued for it: none of that is said. */
  forget(node: NodeId): void;
  /** Sends queued controls in order, each node's before its assignment. */
  flush(): void;
  /** Stamps the node's part with a new pair of this process and publishes it: after adoption, or after a foreign pair. */
  restamp(node: NodeId): void;
  /** Publishes the assignment as it stands: the broker may have forgotten it. */
  republish(node: NodeId): void;
  /** Clears all retained rows of a node. */
  clear(node: NodeId): void;
  /** Nodes that are still to be told something. */
  waiting(): number;
  /** Says nothing more. */
  stop(): void;
}

type Unsigned<T> = Omit<T, 'kid' | 'sig'>;

/** `seeds`: who speaks to the nodes that are not told like this. */
export function createDispatcher(context: Context, seeds: Pick<SeedDesk, 'serves' | 'changed' | 'flush'>): Dispatcher {
  const { deps, world } = context;
  /** Controls of what was promised and is not on disk yet, in order. */
  const promises = new Map<NodeId, Unsigned<ControlMessage>[]>();

  const sendAssignment = (node: NodeId): void => {
    const part = world.nodes.get(node)?.part;
    if (!part || seeds.serves(node)) return;
    const on = topic(node, 'assignment', 0);
    const message: Unsigned<AssignmentMessage> = {
      v: messageVersion,
      cluster: world.cluster,
      node,
      part: 0,
      parts: 1,
      ...part.fence,
      hash: hashPart(part),
      jobs: [...part.jobs],
      documents: { ...part.documents },
      endpoints: context.endpoints.told(),
      ...trustOf(deps.keys, world.nodes.get(node)?.record),
    };
    deps.bus.publish(on, canonicalJson(signMessage(deps.keys, on, message)), { qos: 1, retain: true });
  };

  const outbox = createOutbox(deps, (node, controls) => {
    for (const control of controls) deps.bus.publish(topic(node, 'controls'), control, { qos: 1, retain: false });
    // What was promised to the node since the last flush is not on disk yet: the flush sends its assignment.
    if (!promises.has(node)) sendAssignment(node);
  });

  return {
    queue(promised) {
      if (seeds.serves(promised.node)) return seeds.changed(promised.node);
      const control = controlOf(world.cluster, promised);
      const before = promises.get(promised.node);
      if (before) before.push(control);
      else promises.set(promised.node, [control]);
    },
    forget(node) {
      if (seeds.serves(node)) return seeds.changed(node);
      promises.delete(node);
    },
    flush() {
      const kept = [...promises];
      promises.clear();
      for (const [node, controls] of kept) {
        const sign = (control: Unsigned<ControlMessage>): string =>
          canonicalJson(signMessage(deps.keys, topic(node, 'controls'), control));
        outbox.decided(node, controls.map(sign));
      }
      seeds.flush();
    },
    restamp(id) {
      const node = world.nodes.get(id);
      if (!node?.adopted || seeds.serves(id)) return;
      world.fence = { ...world.fence, gen: world.fence.gen + 1 };
      world.nodes.set(id, { ...node, part: { ...node.part, fence: world.fence } });
      outbox.repeated(id);
    },
    republish: outbox.repeated,
    clear(node) {
      const parts = Array.from({ length: mostParts }, (_, part) => topic(node, 'instances', part));
      for (const on of [topic(node, 'assignment'), topic(node, 'online'), ...parts]) {
        deps.bus.publish(on, '', { qos: 1, retain: true });
      }
    },
    waiting: () => promises.size + outbox.waiting(),
    stop: outbox.stop,
  };
}

/** The envelope of seed 000 around one change of a part. */
function controlOf(cluster: string, { action, node, before, after, copy }: Promised): Unsigned<ControlMessage> {
  const job = jobOf(action.kind === 'drop' ? before : after, { instance: action.instance, copy });
  const document = job && (action.kind === 'drop' ? before : after).documents[job.digest];
  const isNew = job !== undefined && action.kind !== 'drop' && before.documents[job.digest] === undefined;
  return {
    v: messageVersion,
    command: action.kind === 'drop' ? 'delete' : 'deploy',
    job: {
      id: jobNumber(action.instance),
      name: action.instance,
      image: document?.code ?? '',
      technology: job?.runtime ?? 'docker',
      copy,
      ...(action.kind === 'drop' ? {} : wanted(job)),
    },
    ...(isNew ? { document: document as RunSpec } : {}),
    cluster,
    worker: node,
    node,
    part: 0,
    base: { epoch: before.fence.epoch, gen: before.fence.gen },
    hash: hashPart(after),
    ...after.fence,
  };
}

function wanted(job: Job | undefined): Partial<Omit<Job, 'instance' | 'copy'>> {
  if (!job) return {};
  const { instance: _name, copy: _copy, ...rest } = job;
  return rest;
}
