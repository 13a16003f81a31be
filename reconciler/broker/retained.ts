/**
 * The retained messages of the broker, found by node. The memory store of aedes asks every message that it keeps at every
 * subscription, so that the return of a fleet costs the square of its size; here a subscription costs what its own node keeps.
 */
import { Readable } from 'node:stream';

/** What is kept of a message: all that a delivery needs. */
export interface RetainedPacket {
  readonly cmd: 'publish';
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1 | 2;
  readonly retain: true;
}

export interface Retained {
  /** The last message of a topic; an empty payload clears it. */
  keep(packet: { readonly topic: string; readonly payload: string | Buffer; readonly qos: number }): void;
  /** Every kept message that the filter covers. */
  find(filter: string): Iterable<RetainedPacket>;
}

/** Levels that tell whose a topic is: `nodes/<id>`. */
const ownerLevels = 2;

export function createRetained(): Retained {
  const owners = new Map<string, Map<string, RetainedPacket>>();

  return {
    keep({ topic, payload, qos }) {
      const owner = ownerOf(topic.split('/'));
      const kept = owners.get(owner) ?? new Map<string, RetainedPacket>();
      const bytes = Buffer.from(payload);
      if (bytes.length === 0) kept.delete(topic);
      else kept.set(topic, { cmd: 'publish', topic, payload: bytes, qos: qos === 0 ? 0 : 1, retain: true });
      if (kept.size > 0) owners.set(owner, kept);
      else owners.delete(owner);
    },
    *find(filter) {
      const levels = filter.split('/');
      const isOwned = !levels.slice(0, ownerLevels).some((level) => level === '+' || level === '#');
      const one = owners.get(ownerOf(levels));
      const among = isOwned && levels.length > 1 ? (one ? [one] : []) : owners.values();
      for (const kept of among) {
        for (const packet of kept.values()) if (covers(levels, packet.topic.split('/'))) yield packet;
      }
    },
  };
}

/** The part of a persistence of aedes that is replaced. */
interface RetainingPersistence {
  storeRetained(packet: Parameters<Retained['keep']>[0]): Promise<void>;
  createRetainedStreamCombi(filters: readonly string[]): Readable;
}

/** From now on the broker keeps its retained messages here. Its types leave out that it has a persistence. */
export function keepRetained(broker: object, retained: Retained): void {
  const { persistence } = broker as { readonly persistence: RetainingPersistence };
  persistence.storeRetained = async (packet) => retained.keep(packet);
  persistence.createRetainedStreamCombi = (filters) => Readable.from(findAll(retained, filters));
}

function* findAll(retained: Retained, filters: readonly string[]): Iterable<RetainedPacket> {
  for (const filter of filters) yield* retained.find(filter);
}

function ownerOf(levels: readonly string[]): string {
  return levels.slice(0, ownerLevels).join('/');
}

/** As MQTT 3.1.1 section 4.7 says; topics that begin with `$` are for filters that do as well. */
function covers(filter: readonly string[], topic: readonly string[]): boolean {
  if (topic[0]?.startsWith('$') && filter[0] !== topic[0]) return false;
  for (const [index, level] of filter.entries()) {
    if (level === '#') return true;
    if (index >= topic.length || (level !== '+' && level !== topic[index])) return false;
  }
  return filter.length === topic.length;
}
