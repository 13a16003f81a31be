/** What a process finds in its environment. Built, never inherited: the agent's own variables are none of its business. Pure. */
import type { RunSpec } from '../../../schemas/spec.ts';
import type { CopyKey } from '../runtime.ts';

/** What the node knows. */
export interface ProcessPlace {
  /** Address of the node: several workers of one machine can bind the same port, each on its own. */
  readonly ip: string;
  /** Where programs are looked for, unless the run spec sets PATH. */
  readonly path: string;
  /** Its folder: working directory and HOME. */
  readonly home: string;
}

/**
 * PATH, HOME and PORT (the first published port) are defaults that the run spec may override. Facts are not: OAK_INSTANCE,
 * OAK_COPY, OAK_IP, and OAK_PORT_<port> = the port on the node's address under which the service's own `<port>` is known. A
 * process publishes itself, by listening on OAK_IP.
 */
export function environmentOf(key: CopyKey, run: RunSpec, place: ProcessPlace): Record<string, string> {
  const ports = run.ports ?? [];
  const first = ports[0];
  return {
    PATH: place.path,
    HOME: place.home,
    ...(first ? { PORT: String(first.host) } : {}),
    ...Object.fromEntries((run.environment ?? []).map(splitVariable)),
    OAK_INSTANCE: key.instance,
    OAK_COPY: key.copy,
    OAK_IP: place.ip,
    ...Object.fromEntries(ports.map((port) => [`OAK_PORT_${port.container}`, String(port.host)])),
  };
}

function splitVariable(text: string): [string, string] {
  const at = text.indexOf('=');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}
