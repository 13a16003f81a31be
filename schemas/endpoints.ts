/**
 * Where a cluster can be reached: a list that its reconciler signs and agents keep, so that the reconciler can move to another host. It
 * also says under which epoch its writer ran, so that whoever holds it can tell a reconciler that was replaced by a restored one.
 */
import { type Static, Type } from 'typebox';

/** Entries of a list. */
export const mostEndpoints = 8;

/** One place: an API, and the broker that belongs to it. */
export const Endpoint = Type.Object({
  /** `http://host:port` or `https://host:port`. */
  api: Type.String({ pattern: '^https?://[^\\s/@?#]+$', maxLength: 300 }),
  /** `mqtt://host:port`, `mqtts://`, `ws://` or `wss://`. */
  mqtt: Type.String({ pattern: '^(mqtts?|wss?)://[^\\s@?#]+$', maxLength: 600 }),
  /** The broker is not the reconciler's own: `ca` is its root (PEM), or a public authority signed for it. */
  external: Type.Optional(Type.Literal(true)),
  ca: Type.Optional(Type.String({ maxLength: 16_384 })),
});
export type Endpoint = Static<typeof Endpoint>;

/** The list as it travels and is kept. */
export const EndpointList = Type.Object({
  v: Type.Literal(1),
  cluster: Type.String({ maxLength: 63 }),
  /** Of the process that wrote it. */
  epoch: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  by: Type.String({ maxLength: 64 }),
  /** It came with an assignment: its writer ran the cluster. Absent: it was given to whoever asked. */
  told: Type.Optional(Type.Literal(true)),
  endpoints: Type.Array(Endpoint, { maxItems: mostEndpoints }),
  kid: Type.String({ maxLength: 64 }),
  sig: Type.String({ maxLength: 128 }),
});
export type EndpointList = Static<typeof EndpointList>;

/** What its signature is bound to, as a topic is for other messages. Nobody publishes there. */
export function endpointsTopic(cluster: string): string {
  return `clusters/${cluster}/endpoints`;
}

/**
 * A restored cluster begins an era of its own, far above any epoch that starts alone would reach: whoever speaks from an earlier era was
 * replaced, and does not count up to it.
 */
const eraLength = 1_000_000;

export function eraOf(epoch: number): number {
  return Math.floor(epoch / eraLength);
}

/** The epoch that restored records begin with: above all that was, and will be, said from these records or a copy of them. */
export function nextEra(epoch: number): number {
  return (eraOf(epoch) + 1) * eraLength;
}

/** The broker that usually belongs to an API: on the same host, with TLS if that has it. */
export function usualBroker(api: string, port = 10_003): string {
  const { protocol, hostname } = new URL(api);
  return `${protocol === 'https:' ? 'mqtts' : 'mqtt'}://${hostname}:${port}`;
}
