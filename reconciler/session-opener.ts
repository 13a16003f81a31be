import type { ExecConnection } from '../schemas/exec.ts';
import { messageVersion, type RequestMessage } from '../schemas/messages.ts';
import { ProblemError, problem } from '../schemas/problem.ts';
import { topic } from '../schemas/topics.ts';
import type { Context } from './context.ts';
import type { ControlPlane } from './control-plane.ts';
import { readableCopy } from './log-reader.ts';

/** Opens sessions inside instances at the agents that have them, and notes in the journal who did. */
export function createSessionOpener(context: Context): ControlPlane['exec'] {
  const { deps, world, journal } = context;

  return async (instance, actor, signal): Promise<ExecConnection> => {
    const copy = readableCopy(world, instance);
    const session = deps.streams.session?.(copy.node, signal);
    if (!session) throw new ProblemError(problem('UNAVAILABLE', 'this reconciler opens no sessions'));
    journal.add('instance_exec', instance, `${actor} enters copy ${copy.copy}`);
    const request: RequestMessage = {
      v: messageVersion,
      action: 'open',
      stream: session.id,
      kind: 'exec',
      instance,
      copy: copy.copy,
    };
    deps.bus.publish(topic(copy.node, 'requests'), JSON.stringify(request), { qos: 0, retain: false });
    return session.opened;
  };
}
