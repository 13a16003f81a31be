/** Who may connect to the broker and do what: the topic table, as the broker asks it. Pure but for the credentials it holds. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { mayPublish, mayReceive, maySubscribe, principalOf, reservedUsers } from '../../schemas/topics.ts';
import { passwordSerial } from '../keys/credentials.ts';
import { type NodeAccess, reconcilerUser } from './messages.ts';

/** The part of a publish that decides. */
export interface Published {
  readonly topic: string;
  readonly qos: number;
}

export interface Access {
  setNodes(nodes: readonly NodeAccess[]): void;
  /** True when this user has this password now. Nobody has one while the list is empty, but the reconciler. */
  admits(user: string, password: string): boolean;
  /** True for a password that was once given to this user, who is not known any more. */
  isForgotten(user: string, password: string): boolean;
  /** Why a client with this id may not publish that; undefined when it may. Wills are judged the same way. */
  refusePublish(client: string, message: Published): string | undefined;
  maySubscribe(client: string, filter: string): boolean;
  mayReceive(client: string, topic: string): boolean;
}

/** `operatorPassword`: absent, nobody is an operator. */
export function createAccess(credentialKey: Uint8Array, reconcilerPassword: string, operatorPassword?: string): Access {
  let serials = new Map<string, number>();

  return {
    setNodes(nodes) {
      serials = new Map(nodes.map(({ id, serial }) => [id, serial]));
    },
    admits(user, password) {
      if (user === reconcilerUser) return isSame(password, reconcilerPassword);
      if (user === reservedUsers.operator) return isSame(password, operatorPassword ?? '');
      const least = serials.get(user);
      const serial = passwordSerial(credentialKey, user, password);
      return least !== undefined && serial !== undefined && serial >= least;
    },
    isForgotten: (user, password) => !serials.has(user) && passwordSerial(credentialKey, user, password) !== undefined,
    refusePublish(client, { topic, qos }) {
      const who = principalOf(client);
      if (!who || !mayPublish(who, topic)) return `publish ${topic}`;
      return qos > 1 ? `publish with QoS ${qos}` : undefined;
    },
    maySubscribe(client, filter) {
      const who = principalOf(client);
      return who !== undefined && maySubscribe(who, filter);
    },
    mayReceive(client, topic) {
      const who = principalOf(client);
      return who !== undefined && mayReceive(who, topic);
    },
  };
}

function isSame(given: string, wanted: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
  return wanted !== '' && timingSafeEqual(hash(given), hash(wanted));
}
