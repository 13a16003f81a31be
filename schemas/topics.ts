/**
 * MQTT topics: built, parsed and filtered here and nowhere else, and the access rule of the broker. No dots in a topic.
 *
 *   nodes/<id>/information        up    QoS 0
 *   nodes/<id>/instances/<part>   up    QoS 1 retained
 *   nodes/<id>/online             up    QoS 1 retained, will
 *   nodes/<id>/assignment/<part>  down  QoS 1 retained
 *   nodes/<id>/controls           down  QoS 1
 *   nodes/<id>/lease              down  QoS 0, the answer to a beat
 *   nodes/<id>/requests           down  QoS 0
 *   clusters/<name>/controls      QoS 1, from operators to the reconciler
 *   clusters/<name>/reconciler    QoS 1 retained, will: who reconciles a cluster; among reconcilers only
 */
import type { NodeId } from './names.ts';

export const rows = {
  information: { direction: 'up', qos: 0, retained: false, parted: false },
  instances: { direction: 'up', qos: 1, retained: true, parted: true },
  online: { direction: 'up', qos: 1, retained: true, parted: false },
  assignment: { direction: 'down', qos: 1, retained: true, parted: true },
  controls: { direction: 'down', qos: 1, retained: false, parted: false },
  lease: { direction: 'down', qos: 0, retained: false, parted: false },
  requests: { direction: 'down', qos: 0, retained: false, parted: false },
} as const;
export type Row = keyof typeof rows;

/** Parts that a node's row may have: bounds what it can make the broker keep. */
export const mostParts = 64;

export interface Topic {
  readonly node: NodeId;
  readonly row: Row;
  /** Only on parted rows. */
  readonly part?: number;
}

const nodeIdPattern = /^[a-z0-9-]{1,63}$/;

/** True for ids that are safe as a topic level, as an MQTT user name, and as a name in records: there every object has a `constructor`. */
export function isNodeId(id: string): boolean {
  return nodeIdPattern.test(id) && !isReconcilerUser(id) && !(id in Object.prototype);
}

/** Reconcilers have user names of their own kind: a node never gets one. */
export function isReconcilerUser(name: string): boolean {
  return /^reconciler[a-z0-9_-]{0,50}$/.test(name);
}

/** The topic string. Parted rows take `part` (default 0). */
export function topic(node: NodeId, row: Row, part = 0): string {
  return rows[row].parted ? `nodes/${node}/${row}/${part}` : `nodes/${node}/${row}`;
}

/** The parts of a topic string; undefined for anything that is not one of ours. */
export function parseTopic(text: string): Topic | undefined {
  const [prefix, node, row, part, ...rest] = text.split('/');
  if (prefix !== 'nodes' || !node || !isNodeId(node) || !row || !Object.hasOwn(rows, row) || rest.length > 0)
    return undefined;
  const known = row as Row;
  if (!rows[known].parted) return part === undefined ? { node, row: known } : undefined;
  if (part === undefined || !/^(0|[1-9][0-9]?)$/.test(part) || Number(part) >= mostParts) return undefined;
  return { node, row: known, part: Number(part) };
}

/** What the reconciler subscribes to; with the name of its cluster also to what operators say. */
export function reconcilerFilters(cluster?: string): { filter: string; qos: 0 | 1 }[] {
  const up = upRows().map((row) => ({
    filter: rows[row].parted ? `nodes/+/${row}/+` : `nodes/+/${row}`,
    qos: rows[row].qos,
  }));
  return cluster === undefined ? up : [...up, { filter: operatorTopic(cluster), qos: 1 }];
}

/** What the agent of `node` subscribes to. */
export function agentFilters(node: NodeId): { filter: string; qos: 0 | 1 }[] {
  return downRows().map((row) => ({
    filter: rows[row].parted ? `nodes/${node}/${row}/+` : `nodes/${node}/${row}`,
    qos: rows[row].qos,
  }));
}

/** Where the reconcilers of a cluster find each other on a broker that is not their own. */
export function officeTopic(cluster: string): string {
  return `clusters/${cluster}/reconciler`;
}

/** Where the operators of a cluster put their plain controls. Carried out by its reconciler. */
export function operatorTopic(cluster: string): string {
  return `clusters/${cluster}/controls`;
}

const operatorPattern = /^clusters\/[A-Za-z0-9][A-Za-z0-9_-]{0,62}\/controls$/;
const officePattern = /^clusters\/[A-Za-z0-9][A-Za-z0-9_-]{0,62}\/reconciler$/;

/** Who speaks: a reconciler of the cluster, one node, or a person with plain controls. */
export type Principal =
  | { readonly kind: 'reconciler' }
  | { readonly kind: 'operator' }
  | { readonly kind: 'node'; readonly id: NodeId };

/** User names that no node can have. */
export const reservedUsers = { reconciler: 'reconciler', operator: 'operator' } as const;

/**
 * Who a client id speaks for: `<user>`, or `<user>.<anything>` for a further connection of the same user (no user name has a
 * dot). Undefined for ids that nobody has.
 */
export function principalOf(client: string): Principal | undefined {
  const user = userOf(client);
  if (user === reservedUsers.reconciler) return client === user ? { kind: 'reconciler' } : undefined;
  if (user === reservedUsers.operator) return { kind: 'operator' };
  return isNodeId(user) ? { kind: 'node', id: user } : undefined;
}

/** The user name that a client id belongs to. */
export function userOf(client: string): string {
  return client.split('.', 1)[0] ?? '';
}

/**
 * May this principal publish on this topic? Wills are judged by the same rule. A node writes its up rows. The reconciler writes
 * down rows, and up rows too: it clears what removed nodes left there. An operator writes the controls of clusters, and reads nothing.
 */
export function mayPublish(who: Principal, text: string): boolean {
  if (who.kind === 'operator') return operatorPattern.test(text);
  const parsed = parseTopic(text);
  if (who.kind === 'reconciler') return parsed !== undefined || officePattern.test(text);
  return parsed !== undefined && rows[parsed.row].direction === 'up' && parsed.node === who.id;
}

/**
 * Is a message with the retain flag kept? Down rows are the reconciler's own affair. On the others the flag counts where the row is
 * marked; elsewhere the message is delivered, and what a broker kept of it is cleared.
 */
export function isKept(text: string): boolean {
  const parsed = parseTopic(text);
  return parsed ? rows[parsed.row].retained || rows[parsed.row].direction === 'down' : officePattern.test(text);
}

/** May this principal subscribe with this filter? To the filters that it needs, and to single topics that it may read. */
export function maySubscribe(who: Principal, filter: string): boolean {
  if (who.kind === 'operator') return false;
  const allowed = who.kind === 'reconciler' ? reconcilerFilters() : agentFilters(who.id);
  return allowed.some((entry) => entry.filter === filter) || mayReceive(who, filter);
}

/** May this principal receive a message on this topic? Checked again at delivery, whatever was subscribed. */
export function mayReceive(who: Principal, text: string): boolean {
  const parsed = parseTopic(text);
  if (who.kind === 'operator') return false;
  if (who.kind === 'reconciler')
    return parsed ? rows[parsed.row].direction === 'up' : officePattern.test(text) || operatorPattern.test(text);
  return parsed !== undefined && rows[parsed.row].direction === 'down' && parsed.node === who.id;
}

function upRows(): Row[] {
  return (Object.keys(rows) as Row[]).filter((row) => rows[row].direction === 'up');
}

function downRows(): Row[] {
  return (Object.keys(rows) as Row[]).filter((row) => rows[row].direction === 'down');
}
