/**
 * Another reconciler of this cluster, with a broker of its own: of two, the one from before a restore, or with the lower epoch, ends. Nodes
 * may say anything of such a one; what only the cluster's key can sign is believed.
 */
import { type EndpointList, eraOf } from '../../schemas/endpoints.ts';
import { type Problem, problem } from '../../schemas/problem.ts';

/** Of a process: when it began, as its cluster counts, and which it is. */
export type Reign = Pick<EndpointList, 'epoch' | 'by'>;

/** Must `own` end, now that `other` is known to run? Never both of two. */
export function yieldsTo(own: Reign, other: Reign): boolean {
  return other.epoch > own.epoch || (other.epoch === own.epoch && other.by < own.by);
}

/** Was whoever said this restored after `own` was? Then nothing of `own` may count up to it. */
export function isReplacedBy(own: Pick<Reign, 'epoch'>, other: Pick<Reign, 'epoch'>): boolean {
  return eraOf(other.epoch) > eraOf(own.epoch);
}

/**
 * May `own` not count up to what a node says? It is of a later era, or would lead there: only a restore begins one, and a node can say
 * anything.
 */
export function isOutOfReach(own: Pick<Reign, 'epoch'>, said: Pick<Reign, 'epoch'>): boolean {
  return eraOf(said.epoch + 1) > eraOf(own.epoch);
}

/** Epochs by which the word of a node alone, with nothing to show for it, leads us on. */
const farthest = 1_000;

/** A node says a pair of somebody else that is at or above ours. */
export interface Foreign {
  readonly own: Reign;
  /** What it says. */
  readonly said: Reign;
  /** What it shows: a list that was told to it, and that this cluster signed. */
  readonly shown?: Reign | undefined;
  /** Did we count up because of the same one before, with a proof? */
  readonly met: boolean;
  /** Did this process count up at the word of this node before? */
  readonly believed: boolean;
}

/**
 * `replaced`, `rival`: we end, and only what was signed leads there. `raise`: the epoch becomes `to`. `out_of_reach`: of a later era, without
 * a proof; `unproven`: what it says changes nothing.
 */
export type ForeignVerdict =
  | { readonly kind: 'ours' | 'out_of_reach' | 'unproven' }
  | { readonly kind: 'replaced' | 'rival'; readonly by: Reign }
  | { readonly kind: 'raise'; readonly to: number; readonly proven: boolean };

/** Would a node that has this refuse what we say? */
export function isForeign(own: Reign, said: Reign): boolean {
  return said.by !== own.by && said.epoch >= own.epoch;
}

/**
 * What a foreign pair does to us. One that is proven leads above it, once per other process; above us again it is alive, and we end. One that is
 * not leads on by a bounded step, once per node: so a node that lost its proof is heard again, and one that lies moves little.
 */
export function judgeForeign({ own, said, shown, met, believed }: Foreign): ForeignVerdict {
  if (shown && isReplacedBy(own, shown)) return { kind: 'replaced', by: shown };
  if (!isForeign(own, said)) return { kind: 'ours' };
  const proof = shown !== undefined && shown.by === said.by && shown.epoch >= said.epoch ? shown : undefined;
  const top = proof ?? said;
  if (isOutOfReach(own, top)) return { kind: 'out_of_reach' };
  if (proof && met) return { kind: 'rival', by: proof };
  if (proof || (!believed && top.epoch - own.epoch <= farthest))
    return { kind: 'raise', to: top.epoch + 1, proven: proof !== undefined };
  return { kind: 'unproven' };
}

/** Why this process ends. */
export function replaced(own: Pick<Reign, 'epoch'>, other: Reign, where: string): Problem {
  const what = isReplacedBy(own, other) ? 'was restored from a backup and took over' : 'runs this cluster';
  return problem('RIVAL_RECONCILER', `another reconciler (${other.by}, epoch ${other.epoch}) ${what}: ${where}`, {
    hint: 'leave this one off; to come back here, `oakctl backup` there and `oakctl restore --force` here',
  });
}

/** The other one should end, and may not know of us. */
export function outdated({ by, epoch }: Reign, api: string): Problem {
  return problem('RIVAL_RECONCILER', `an older reconciler of this cluster (${by}, epoch ${epoch}) answers at ${api}`, {
    hint: 'stop it there; agents that are connected to it stay with it until then',
  });
}

/** Why this process ends: the other one counts up against us. */
export function rival({ by, epoch }: Reign, where: string): Problem {
  const hint = 'stop it, or this one: two must not run on one cluster';
  return problem('RIVAL_RECONCILER', `another reconciler (${by}, epoch ${epoch}) speaks for this cluster: ${where}`, {
    hint,
  });
}

/** A node was told something from a later era, and cannot prove it. */
export function unreachable(node: string, { epoch }: Pick<Reign, 'epoch'>): Problem {
  return problem('RIVAL_RECONCILER', `node ${node} speaks of epoch ${epoch}: of a reconciler that was restored later`, {
    subject: `node/${node}`,
    hint: 'if that is so, stop this one; else the node lies: oakctl nodes revoke',
  });
}

/** A node repeats what another reconciler is to have said, and cannot prove it. */
export function unproven(node: string, { by, epoch }: Reign): Problem {
  const message = `node ${node} says that another reconciler (${by}, epoch ${epoch}) speaks to it, and shows nothing that this cluster signed: not believed`;
  return problem('PAIR_UNPROVEN', message, {
    subject: `node/${node}`,
    severity: 'warning',
    hint: `look at that machine, and bring its agent up to date; if it goes on, it lies: oakctl nodes revoke ${node}`,
  });
}
