/** The port field of a microservice: `host:container[/proto]`, several separated by `;`. */
import type { PortMapping } from './spec.ts';

/** Held by the overlay network of Oakestra's nodes. */
const reservedPort = 50_103;
const protocols = ['tcp', 'udp'] as const;

export interface PortsAnswer {
  readonly ports: readonly PortMapping[];
  /** Empty when all is well. */
  readonly faults: readonly { readonly message: string; readonly hint?: string }[];
}

/** Parses the field. A bare number is the same port on both sides; an empty text is no port. */
export function parsePorts(written: string | number): PortsAnswer {
  const text = String(written);
  if (text.includes(',')) {
    const hint = `write ${text.replaceAll(',', ';').replaceAll(' ', '').slice(0, 80)}`;
    return { ports: [], faults: [{ message: 'ports are separated by `;`, not by `,`', hint }] };
  }
  const ports: PortMapping[] = [];
  const faults: { message: string; hint?: string }[] = [];
  const taken = new Set<string>();
  for (const item of text.split(';').map((part) => part.trim())) {
    if (item === '') continue;
    const port = parsePort(item);
    if (typeof port === 'string') {
      faults.push({ message: port, hint: 'host:container[/tcp|udp], e.g. 8080:80/tcp' });
      continue;
    }
    const key = `${port.host}/${port.protocol}`;
    if (taken.has(key)) faults.push({ message: `host port ${key} is there twice` });
    taken.add(key);
    ports.push(port);
  }
  return { ports, faults };
}

/** One mapping, or what is wrong with it. */
function parsePort(item: string): PortMapping | string {
  const match = /^([0-9]{1,5})(?::([0-9]{1,5}))?(?:\/([A-Za-z]{1,8}))?$/.exec(item);
  if (!match?.[1]) return `\`${item.slice(0, 40)}\` is not a port mapping`;
  const host = Number(match[1]);
  const container = Number(match[2] ?? match[1]);
  const protocol = protocols.find((known) => known === (match[3] ?? 'tcp').toLowerCase());
  if (!protocol) return `protocol \`${match[3]}\` is not served, only tcp and udp`;
  for (const port of [host, container]) {
    if (port < 1 || port > 65_535) return `port ${port} is not between 1 and 65535`;
  }
  if (host === reservedPort) return `host port ${reservedPort} is reserved for the network of the nodes`;
  return { host, container, protocol };
}

/** Writes mappings in the form that {@link parsePorts} reads. */
export function formatPorts(ports: readonly PortMapping[]): string {
  return ports.map(({ host, container, protocol }) => `${host}:${container}/${protocol}`).join(';');
}
