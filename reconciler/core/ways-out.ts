/** What a person can do about a cause that says no way out itself. Short: a command, or the place to look at. Pure. */
import type { Hold } from '../../schemas/status.ts';
import type { NodeView } from '../../schemas/views.ts';

const byRegistry = 'check the name after `code:`, and the registry; without one: oakctl images load <archive>';
const capacity =
  'ask for less, or remove something (oakctl nodes ls shows what is promised), or add a node: oakctl nodes add';

/** By the code of a hold, or of the reason that a copy gives; `instance`: what it is about. */
const ways: Readonly<Record<string, (instance: string) => string>> = {
  NO_RUNTIME: () =>
    'oakctl doctor on such a node; processes need `runtimes: {process: {allow: true}}` in its agent.yaml',
  NO_ARCHITECTURE: () =>
    'an image that is made for these nodes, with `arch` saying so; or a node of that kind: oakctl nodes add',
  NO_CAPACITY: () => capacity,
  PORT_CONFLICT: () => 'another host port, fewer instances, or more nodes that fit',
  LABEL_MISMATCH: () =>
    'give a node the label in nodes.yaml (oakctl nodes inspect <node> shows what it has), or ask for another one',
  NODES_CORDONED: () => 'oakctl nodes uncordon <node>',
  NODES_TAINTED: () => 'goes on once the pressure is gone; oakctl nodes inspect <node> shows it',
  NODES_UNWRITABLE: () => 'make room on the disk of the node, or mend it: it goes on by itself',
  AGENT_TOO_OLD: () => 'upgrade the agents; oakctl nodes ls shows their versions',
  IMAGE_NOT_FOUND: () => byRegistry,
  REGISTRY_UNREACHABLE: () => byRegistry,
  IMAGE_DENIED: () => 'check the name after `code:`; oakctl registries login <host>',
  IMAGE_NO_SPACE: () => 'make room on the disk of the node: `docker image prune` there, say',
  IMAGE_WRONG_ARCHITECTURE: () => 'an image that is made for the node, or `arch` in the descriptor',
  CRASH_LOOP: (instance) => `oakctl logs ${instance}`,
  UNHEALTHY: (instance) => `oakctl logs ${instance}; oakctl exec ${instance} -- <its healthcheck> shows what it says`,
};

/** The way out of a cause with this code and these words; undefined: there is none but time, or its own words say it. */
export function wayOut({
  code,
  subject,
  message,
}: {
  readonly code: string;
  readonly subject: string;
  readonly message: string;
}): string | undefined {
  const memory = starved(message);
  if (memory) return memory;
  if (code === 'START_FAILED') return refusedStart(subject, message);
  return ways[code]?.(subject);
}

/** What the engine did not start has written nothing. */
function refusedStart(instance: string, message: string): string | undefined {
  if (/address already in use|port is already allocated/.test(message))
    return 'something else on the node has the port (`ss -ltnp` there shows who): stop that, or take another host port';
  return message.startsWith('it ended') ? `oakctl logs ${instance}` : undefined;
}

/** Its logs say little: whoever takes too much memory is killed without a word. */
function starved(message: string): string | undefined {
  return message.includes('it was killed for want of memory')
    ? 'give it more (`memory`, and `limits` if it has some), or place it where there is more: oakctl nodes ls'
    : undefined;
}

/** How a cordon ends; undefined for one that follows from a policy. */
export function cordonEnd({ name, cordoned }: NodeView): string | undefined {
  if (cordoned?.cause === 'nodes.yaml') return `oakctl nodes uncordon ${name} --commit`;
  return cordoned?.since === undefined ? undefined : `oakctl nodes uncordon ${name}`;
}

/** The services that a waiting instance waits for, as its hold names them. */
export function awaited({ code, message }: Hold): ReadonlySet<string> {
  return new Set(code === 'DEPENDENCY_WAITING' ? message.split(/[^A-Za-z0-9_.-]+/) : []);
}
