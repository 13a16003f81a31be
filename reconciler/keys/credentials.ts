/**
 * MQTT credentials of nodes: user name = node id, password = `<serial>.<mac>`. The MAC binds id and serial to the cluster's
 * credential key, so that whoever holds that key verifies a password without a look-up; raising a node's least valid serial
 * revokes every password with a lower one.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { NodeId } from '../../schemas/names.ts';

/** The password of a node. Serials count from 1. */
export function nodePassword(key: Uint8Array, node: NodeId, serial: number): string {
  return `${serial}.${mac(key, node, serial).toString('base64url')}`;
}

/** The serial of a password that was made for this node; undefined for any other text. Compares in constant time. */
export function passwordSerial(key: Uint8Array, node: NodeId, password: string): number | undefined {
  const match = /^([1-9][0-9]{0,14})\.([A-Za-z0-9_-]{43})$/.exec(password);
  if (!match?.[1] || !match[2]) return undefined;
  const serial = Number(match[1]);
  const given = Buffer.from(match[2], 'base64url');
  const wanted = mac(key, node, serial);
  return given.length === wanted.length && timingSafeEqual(given, wanted) ? serial : undefined;
}

function mac(key: Uint8Array, node: NodeId, serial: number): Buffer {
  return createHmac('sha256', key).update(`oakctl/1/credential\n${node}\n${serial}`).digest();
}
