/**
 * Answers the beats of agents whose copies depend on contact, and gives exclusive copies their leases. Who gets one is on disk before
 * it is told; which lease was given when is known to this process only, so that another one begins by taking all for just given.
 */
import { canonicalJson } from '../schemas/digest.ts';
import { signMessage } from '../schemas/io/signatures.ts';
import { type InformationMessage, type Job, type LeaseMessage, messageVersion } from '../schemas/messages.ts';
import { type NodeId, parseInstanceName, type ServiceName } from '../schemas/names.ts';
import { topic } from '../schemas/topics.ts';
import type { Context } from './context.ts';
import { copyKey } from './core/copy-index.ts';
import { hasEnded, type Lease, overtaken, standingOf, waitOf } from './core/leases.ts';
import { onceSaved, withEntry } from './records-keeper.ts';

export interface Leases {
  /** Takes what records/ say. */
  load(): void;
  /** A live beat that asks for an answer. */
  answer(node: NodeId, beat: Pick<InformationMessage, 'session' | 'seq'>): void;
  /** Looks, each second or so, which leases of earlier processes and of services that are gone may be forgotten. */
  tick(): void;
}

export function createLeases(context: Context): Leases {
  const { deps, world, keeper, journal } = context;
  /** Holders that are not on disk yet. */
  const unsaved = new Map<ServiceName, Lease>();

  const put = (service: ServiceName, lease: Lease | undefined): void =>
    context.apply({ kind: 'lease', service, ...(lease ? { lease } : {}) });

  const record = (service: ServiceName, lease: Lease, then: () => void): void => {
    const { granted: _moment, ...kept } = lease;
    keeper.change({ leases: withEntry(keeper.now.leases, service, kept) });
    unsaved.set(service, lease);
    onceSaved(context, () => {
      if (unsaved.get(service) !== lease) return;
      unsaved.delete(service);
      then();
    });
  };

  /** Is the lease this copy's, and as long as its job says, on disk? Begins to make it so where that may be. */
  const holds = (node: NodeId, job: Job, again: () => void): Lease | undefined => {
    const { instance, copy, away } = job;
    const service = parseInstanceName(instance)?.service;
    if (service === undefined || !away) return undefined;
    const wait = waitOf(away, world.nodes.get(node)?.part.documents[job.digest]);
    const standing = standingOf(world, { service, instance, copy, node, wait }, context.policy(), deps.clock.now());
    if (standing !== 'holder' && (standing !== 'free' || world.recovering)) return undefined;
    const known = standing === 'holder' ? world.leases.get(service) : undefined;
    if (known && known.ms >= away.stop_after && known.wait >= wait) return unsaved.has(service) ? undefined : known;
    if (unsaved.has(service)) return undefined;
    const ms = Math.max(known?.ms ?? 0, away.stop_after);
    const next: Lease = { ...known, instance, copy, node, ms, wait: Math.max(known?.wait ?? 0, wait) };
    record(service, next, () => {
      // Nothing was given yet, but from now on it can be.
      put(service, { ...next, granted: deps.clock.now().mono });
      if (!known) journal.add('lease_taken', instance, `${copy} on ${nameOf(node)} has the lease`);
      again();
    });
    return undefined;
  };
  const nameOf = (node: NodeId): string => world.nodes.get(node)?.record.name ?? node;

  const grantsOf = (id: NodeId, again: () => void): LeaseMessage['leases'] => {
    const node = world.nodes.get(id);
    if (!node || node.duplicate) return [];
    const at = deps.clock.now().mono;
    const given: LeaseMessage['leases'] = [];
    const give = (service: ServiceName, lease: Lease, ms = lease.ms): void => {
      put(service, { ...lease, granted: at });
      given.push({ copy: copyKey(lease.instance, lease.copy), ms: Math.min(ms, lease.ms) });
    };
    if (!node.adopted) {
      // Its ledger is not read yet; the record is enough to let go on what runs.
      for (const [service, lease] of world.leases)
        if (lease.node === id && !overtaken(world, service, lease, context.policy(), deps.clock.now()))
          give(service, lease);
      return given;
    }
    for (const job of node.part.jobs) {
      if (!job.away?.exclusive || job.want !== 'run') continue;
      const lease = holds(id, job, again);
      if (lease) give(parseInstanceName(job.instance)?.service ?? '', lease, job.away.stop_after);
    }
    return given;
  };

  const answer: Leases['answer'] = (id, beat) => {
    const on = topic(id, 'lease');
    const message: Omit<LeaseMessage, 'kid' | 'sig'> = {
      v: messageVersion,
      epoch: world.fence.epoch,
      by: world.fence.by,
      session: beat.session,
      beat: beat.seq,
      leases: grantsOf(id, () => answer(id, beat)),
    };
    deps.bus.publish(on, canonicalJson(signMessage(deps.keys, on, message)), { qos: 0, retain: false });
  };

  return {
    answer,
    load() {
      for (const [service, lease] of Object.entries(keeper.now.leases)) put(service, lease);
    },
    tick() {
      if (world.recovering) return;
      const now = deps.clock.now();
      for (const [service, lease] of world.leases) {
        if (lease.granted === undefined) put(service, { ...lease, granted: now.mono });
        else if (!world.desired.has(service) && hasEnded(world, service, context.policy(), now)) {
          put(service, undefined);
          keeper.change({ leases: withEntry(keeper.now.leases, service, undefined) });
        }
      }
    },
  };
}
