import { messageVersion, type RequestMessage } from '../schemas/messages.ts';
import { parseInstanceName } from '../schemas/names.ts';
import { ProblemError, problem } from '../schemas/problem.ts';
import { topic } from '../schemas/topics.ts';
import type { Context } from './context.ts';
import type { ControlPlane } from './control-plane.ts';
import type { Copy, World } from './core/model.ts';
import { isSeed } from './core/node-facts.ts';

/** Reads an instance's log from the agent that has it. NOT_FOUND when no copy of it is anywhere; REFUSED on a seed node. */
export function createLogReader(context: Context): ControlPlane['logs'] {
  const { deps, world } = context;

  return async function* logs(instance, options, signal) {
    const copy = readableCopy(world, instance);
    const stream = deps.streams.expect(copy.node, signal);
    const request: RequestMessage = {
      v: messageVersion,
      action: 'open',
      stream: stream.id,
      kind: 'logs',
      instance,
      copy: copy.copy,
      ...options,
    };
    deps.bus.publish(topic(copy.node, 'requests'), JSON.stringify(request), { qos: 0, retain: false });
    try {
      yield* stream.chunks;
    } finally {
      const cancel: RequestMessage = { v: messageVersion, action: 'cancel', stream: stream.id, kind: 'logs' };
      deps.bus.publish(topic(copy.node, 'requests'), JSON.stringify(cancel), { qos: 0, retain: false });
    }
  };
}

/** The copy of an instance that people mean, on a node that can be asked. NOT_FOUND; REFUSED on a seed node. */
export function readableCopy(world: World, instance: string): Copy {
  const copies = world.copies.get(parseInstanceName(instance)?.service ?? '')?.values() ?? [];
  const copy = newestCopy([...copies], instance);
  if (!copy) {
    const hint = 'oakctl instances ls';
    throw new ProblemError(problem('NOT_FOUND', `no copy of ${instance} is anywhere`, { hint }));
  }
  const node = world.nodes.get(copy.node);
  if (!node || !isSeed(node)) return copy;
  const why = `${node.record.name} speaks the seeds' wire, on which nobody can look into a node`;
  throw new ProblemError(problem('REFUSED', why, { subject: instance, hint: 'look at it on the node itself' }));
}

/** One that is wanted and reported, else the youngest. */
function newestCopy(copies: readonly Copy[], instance: string): Copy | undefined {
  const rank = (copy: Copy): number => (copy.job?.want === 'run' ? 2 : 0) + (copy.report ? 1 : 0);
  return copies
    .filter((copy) => copy.instance === instance)
    .sort((a, b) => rank(b) - rank(a) || (b.since ?? 0) - (a.since ?? 0))[0];
}
