/**
 * The cases of the access matrix, and the oracle: what must be delivered, worked out from the topic table alone. It shares no line
 * with the rules that it judges.
 */
import { rows } from '../../schemas/topics.ts';

export const a = 'aaaaaaaaaaaaaaaa';
export const b = 'bbbbbbbbbbbbbbbb';
/** Was a node once. */
export const revoked = 'cccccccccccccccc';

export const principals = ['reconciler', 'itself', 'other', 'unknown', 'wrong-password', 'revoked'] as const;
export type PrincipalName = (typeof principals)[number];
export const actions = ['publish', 'retained', 'will', 'subscribe', 'batch'] as const;
export type Action = (typeof actions)[number];

/**
 * The rows of the node `a`, of another one, of a revoked one, and what looks like a row. One thing lists cannot say: for the
 * reconciler `nodes/+/...` includes levels that are no node id, where it can but write to itself.
 */
export const topics: readonly string[] = [
  ...[a, b].flatMap((id) => [
    `nodes/${id}/information`,
    `nodes/${id}/instances/0`,
    `nodes/${id}/instances/63`,
    `nodes/${id}/online`,
    `nodes/${id}/assignment/0`,
    `nodes/${id}/assignment/63`,
    `nodes/${id}/controls`,
    `nodes/${id}/requests`,
  ]),
  ...['information', 'instances/0', 'online', 'assignment/0', 'controls', 'requests'].map(
    (row) => `nodes/${revoked}/${row}`,
  ),
  ...['instances', 'instances/64', 'instances/00', 'instances/x', 'instances/0/0', 'assignment', 'assignment/64'].map(
    (row) => `nodes/${a}/${row}`,
  ),
  ...['information/0', 'lease', 'INFORMATION', ''].map((row) => `nodes/${a}/${row}`),
  `nodes/${a}`,
  `/nodes/${a}/information`,
  `Nodes/${a}/controls`,
  `nodes/x/${a}/information`,
  'clusters/test/controls',
  '$SYS/broker/version',
  'anything',
];

/** Who acts: the user name and client id. */
export const userOf: Readonly<Record<PrincipalName, string>> = {
  reconciler: 'reconciler',
  itself: a,
  other: b,
  unknown: 'operator',
  'wrong-password': a,
  revoked,
};

/** Who listens to its own rows while the others act. */
export const listeners = ['reconciler', a, b] as const;

/** Who may write a topic, and who gets it: worked out level by level. */
function row(topic: string): { writers: string[]; readers: string[]; kept: boolean } | undefined {
  const [nodes, id = '', name = '', part, ...more] = topic.split('/');
  const found = Object.entries(rows).find(([known]) => known === name)?.[1];
  if (nodes !== 'nodes' || !/^[0-9a-z-]{1,63}$/.test(id) || !found || more.length > 0) return undefined;
  const isPart = part !== undefined && String(Number(part)) === part && Number(part) >= 0 && Number(part) < 64;
  if (found.parted ? !isPart : part !== undefined) return undefined;
  const up = found.direction === 'up';
  return { writers: up ? ['reconciler', id] : ['reconciler'], readers: [up ? 'reconciler' : id], kept: found.retained };
}

/**
 * Who gets the message of a case, sorted. `late:<who>`: who subscribes only afterwards. For subscriptions: `subject` when the
 * one who subscribed gets what its legitimate writer says.
 */
export function expected(who: PrincipalName, action: Action, topic: string): readonly string[] {
  const found = row(topic);
  const user = userOf[who];
  if (!isAdmitted(who) || !found) return [];
  if (action === 'subscribe' || action === 'batch') {
    return found.readers.includes(user) && writerBeside(who, topic) !== undefined ? ['subject'] : [];
  }
  if (!found.writers.includes(user)) return [];
  const readers = found.readers.filter((reader) => (listeners as readonly string[]).includes(reader));
  // Whose will is sent is gone itself.
  const live = action === 'will' ? readers.filter((reader) => reader !== user) : readers;
  const isKept = action !== 'publish' && (found.kept || !found.readers.includes('reconciler'));
  return [...live, ...(isKept ? readers.map((reader) => `late:${reader}`) : [])].sort();
}

/** A listener other than `who` that may write the topic. */
export function writerBeside(who: PrincipalName, topic: string): string | undefined {
  const others = listeners.filter((listener) => listener !== userOf[who] || !isAdmitted(who));
  return others.find((listener) => row(topic)?.writers.includes(listener));
}

/** Do user and password fit? */
export function isAdmitted(who: PrincipalName): boolean {
  return who === 'reconciler' || who === 'itself' || who === 'other';
}

/** Topics on which something can be kept. */
export function keepable(): readonly string[] {
  return topics.filter((topic) => row(topic) !== undefined);
}
