/** What supervisor and broker process say to each other. Both come from one build: no versions, no validation. */
import type { ServerTls } from '../tls/material.ts';
import type { BrokerLimits } from './limits.ts';

/** A node that may connect: with a password of at least this serial. */
export interface NodeAccess {
  readonly id: string;
  readonly serial: number;
}

export type ToBroker =
  | {
      readonly kind: 'start';
      readonly host: string;
      /** 0: any free one. */
      readonly port: number;
      /** base64 */
      readonly credentialKey: string;
      readonly reconcilerPassword: string;
      readonly operatorPassword?: string;
      readonly nodes: readonly NodeAccess[];
      /** Without it the broker speaks plain MQTT. */
      readonly tls?: ServerTls;
      /** Port of the reconciler's own listener, with `tls`. 0: any free one. */
      readonly insidePort?: number;
      /** Instead of the broker's own bounds. */
      readonly limits?: BrokerLimits;
    }
  /** Shown from the next connection on. */
  | { readonly kind: 'tls'; readonly tls: ServerTls }
  | { readonly kind: 'nodes'; readonly nodes: readonly NodeAccess[] }
  | { readonly kind: 'disconnect'; readonly node: string }
  | { readonly kind: 'close' };

export type FromBroker =
  | { readonly kind: 'listening'; readonly port: number; readonly insidePort?: number }
  /** Could not listen; the process ends. */
  | { readonly kind: 'refused'; readonly code: string }
  /** A second agent with the identity of a node was turned away; at most every few seconds per node. */
  | { readonly kind: 'contested'; readonly node: string; readonly from: string }
  /** Somebody has a password that was given to this node, and no node of this id is known. */
  | { readonly kind: 'forgotten'; readonly node: string }
  /** Something a client did that is not allowed, or an error inside; counted and said at most once a minute per client. */
  | { readonly kind: 'noticed'; readonly client: string; readonly what: string; readonly times: number };

/** User name and client id of the reconciler. Node ids are hexadecimal: no node can have it. */
export const reconcilerUser = 'reconciler';
