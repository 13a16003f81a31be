/** Another reconciler of this cluster, with a broker of its own: of two, the one from before a restore, or with the lower epoch, ends. */
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

/** A node was told something from a later era, and cannot prove it. */
export function unproven(node: string, { epoch }: Pick<Reign, 'epoch'>): Problem {
  return problem('RIVAL_RECONCILER', `node ${node} speaks of epoch ${epoch}: of a reconciler that was restored later`, {
    subject: `node/${node}`,
    hint: 'if that is so, stop this one; else the node lies: oakctl nodes revoke',
  });
}
