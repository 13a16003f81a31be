/** What a join token is good for. The secret was checked before anything of this is asked. */

import type { Wall } from '../../schemas/ports.ts';
import type { TokenView } from '../../schemas/views.ts';
import type { NodeRecord } from './model.ts';
import type { TokenRecord } from './records.ts';

/** Who wants to join, as which node. */
export interface Claim {
  readonly name: string;
  /** SHA-256 of the attempt's secret, hex. */
  readonly attempt?: string;
}

export type Verdict =
  /** A new node. */
  | { readonly kind: 'admit' }
  /** The answer of an earlier attempt was lost on its way: the same node, and nothing is spent. */
  | { readonly kind: 'again'; readonly node: NodeRecord }
  /** A node that was never heard, and a newer token for its name alone: the same node under a new credential. */
  | { readonly kind: 'renew'; readonly node: NodeRecord }
  | { readonly kind: 'refuse'; readonly why: string };

/** `node`: the one that has the name now, if any. */
export function judgeClaim(token: TokenRecord, claim: Claim, node: NodeRecord | undefined, now: Wall): Verdict {
  const refuse = (why: string): Verdict => ({ kind: 'refuse', why });
  if (token.revoked !== undefined) return refuse('was revoked');
  if (token.expires <= now) return refuse('has expired');
  const unheard = node?.unheard;
  const isSame = unheard?.token === token.id && unheard.attempt === claim.attempt;
  if (node && isSame) return { kind: 'again', node };
  if (token.uses <= 0) return refuse('is used up');
  if (token.name !== undefined && token.name !== claim.name) return refuse(`is for the node ${token.name}`);
  if (node && unheard && unheard.token !== token.id && token.name === claim.name) return { kind: 'renew', node };
  return { kind: 'admit' };
}

/** A token for people: everything but its hash. */
export function tokenView(token: TokenRecord, now: Wall): TokenView {
  const { id, name, replaces, uses, expires, created, by } = token;
  return {
    id,
    state: stateOf(token, now),
    ...(name !== undefined && { name }),
    ...(replaces !== undefined && { replaces: true as const }),
    uses,
    expires,
    ...(created !== undefined && { created }),
    ...(by !== undefined && { by }),
  };
}

function stateOf(token: TokenRecord, now: Wall): TokenView['state'] {
  if (token.revoked !== undefined) return 'revoked';
  if (token.expires <= now) return 'expired';
  return token.uses > 0 ? 'valid' : 'used';
}
