/** Archives of images on their way to a node. They pass through; nothing of them is kept here but who sent what where. */
import { type ExecConnection, maxFrame } from '../schemas/exec.ts';
import { takesImages } from '../schemas/features.ts';
import { type Loaded, type LoadStart, parseLoadFrame } from '../schemas/image-load.ts';
import { messageVersion, type RequestMessage } from '../schemas/messages.ts';
import type { NodeId } from '../schemas/names.ts';
import { ProblemError, problem } from '../schemas/problem.ts';
import { topic } from '../schemas/topics.ts';
import type { Context } from './context.ts';
import type { ControlPlane } from './control-plane.ts';
import type { Node } from './core/model.ts';
import { isSeed } from './core/node-facts.ts';
import { presenceOf } from './core/presence.ts';

/** Opens sessions at agents that take images, and notes in the journal what came by them. */
export function createImageLoader(context: Context): ControlPlane['loadImages'] {
  const { deps, world, journal } = context;

  return async (id, actor, signal): Promise<ExecConnection> => {
    const node = takerOf(context, id);
    const session = deps.streams.session?.(id, signal);
    if (!session) throw new ProblemError(problem('UNAVAILABLE', 'this reconciler opens no sessions'));
    const request: RequestMessage = { v: messageVersion, action: 'open', stream: session.id, kind: 'images' };
    deps.bus.publish(topic(id, 'requests'), JSON.stringify(request), { qos: 0, retain: false });
    return noted(await session.opened, (start, { already }) => {
      const { name } = world.nodes.get(id)?.record ?? node.record;
      if (!already) journal.add('images_loaded', `node/${name}`, `${actor} loads ${textOf(start)}`);
    });
  };
}

/** The node, if images can be sent to it now. */
function takerOf({ world, policy, deps }: Context, id: NodeId): Node {
  const node = world.nodes.get(id);
  if (!node) throw refused(id, 'it has not joined: there is nobody to take images', 'oakctl nodes ls');
  const { name } = node.record;
  const byHand = '`docker load` on the node itself';
  if (isSeed(node)) throw refused(name, "it speaks the seeds' wire, on which no images travel", byHand);
  const { state } = presenceOf(node, policy(), deps.clock.now());
  if (state !== 'online' || !node.information) {
    const why =
      state === 'online' ? 'it has not said yet what it is' : `it is ${state}: images go to nodes that are online`;
    const hint = 'oakctl nodes ls; then again, those that have them already are done at once';
    throw new ProblemError(problem('UNAVAILABLE', why, { subject: name, hint, disposition: 'wait' }));
  }
  const { fields, runtimes } = node.information;
  if (!fields.includes(takesImages)) {
    const hint = `upgrade the agent there, or use ${byHand}`;
    throw new ProblemError(problem('AGENT_TOO_OLD', 'its agent takes no images', { subject: name, hint }));
  }
  if (!runtimes.some((runtime) => runtime.name === 'docker'))
    throw refused(name, 'it has no container engine that answers', '`oakctl nodes inspect` says why');
  return node;
}

function refused(subject: string, message: string, hint: string): ProblemError {
  return new ProblemError(problem('REFUSED', message, { subject, hint }));
}

/** `loaded` is called with what the sender said the archive holds: a node's own words go to the sender only. */
function noted(agent: ExecConnection, loaded: (start: LoadStart, said: Loaded) => void): ExecConnection {
  let start: LoadStart | undefined;
  let sent = 0;
  let isTold = false;
  return {
    gone: agent.gone,
    close: agent.close,
    async send(raw) {
      start ??= startIn(raw);
      sent += raw.length;
      // A frame adds one byte to what it carries, which is one at least.
      if (sent > 2 * ((start?.bytes ?? 0) + maxFrame)) {
        agent.close();
        throw new ProblemError(problem('BAD_REQUEST', 'more comes than the archive has'));
      }
      await agent.send(raw);
    },
    frames: tapped(agent.frames, (said) => {
      // Once: a node that says it again and again must not push everything else out of the journal.
      if (start && !isTold) loaded(start, said);
      isTold = true;
    }),
  };
}

function startIn(raw: Uint8Array): LoadStart | undefined {
  const frame = parseLoadFrame(raw);
  return 'kind' in frame && frame.kind === 'control' && 'start' in frame.control ? frame.control.start : undefined;
}

async function* tapped(
  frames: AsyncIterable<Uint8Array>,
  loaded: (said: Loaded) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const raw of frames) {
    const frame = parseLoadFrame(raw);
    if ('kind' in frame && frame.kind === 'control' && 'loaded' in frame.control) loaded(frame.control.loaded);
    yield raw;
  }
}

/** Names that a message holds. */
const listed = 8;

function textOf({ images, bytes }: LoadStart): string {
  const names = images.flatMap((image) => (image.names.length > 0 ? image.names : image.ids.slice(0, 1)));
  const more = names.length > listed ? ` and ${names.length - listed} more` : '';
  return `${names.slice(0, listed).join(', ')}${more} (${Math.ceil(bytes / 1e6)} MB)`;
}
