/** Records that come from a backup: what was decided after it is known only from what runs. */
import type { Part } from '../../schemas/assignment.ts';
import type { Job } from '../../schemas/messages.ts';
import {
  type InstanceName,
  type NodeId,
  parseCopyId,
  parseInstanceName,
  type ServiceName,
} from '../../schemas/names.ts';
import { directSource } from '../../schemas/spec.ts';
import type { Rollout } from './model.ts';
import type { DirectRecord, Records } from './records.ts';
import { hasVolumes } from './volumes.ts';

/** The records that a restored cluster begins with. How far an exchange of credentials came since, nobody knows: it is begun anew. */
export function asRestored(records: Records, epoch: number): Records {
  const direct = Object.entries(records.direct).map(([name, record]) => [name, { ...record, restored: records.epoch }]);
  const nodes = Object.entries(records.nodes).map(([id, { next: _begun, ...record }]) => [id, record]);
  return {
    ...records,
    epoch,
    restored: records.epoch,
    direct: Object.fromEntries(direct) as Records['direct'],
    nodes: Object.fromEntries(nodes) as Records['nodes'],
  };
}

/** Names of services whose record says something else than what runs, and is older than it: what runs counts. */
export function outdatedBy(
  part: Part,
  { direct, rollouts }: Pick<Records, 'direct' | 'rollouts'>,
): ReadonlySet<ServiceName> {
  const found = new Set<ServiceName>();
  for (const job of part.jobs) {
    const name = job.source.name === directSource ? parseInstanceName(job.instance) : undefined;
    const record = name && direct[name.service];
    if (record && contradicts(job, name.slot, record, rollouts[name.service])) found.add(name.service);
  }
  return found;
}

/** Of a process that began before the backup, nothing can have come after it. */
function isLater({ copy }: Job, restored: number | undefined): boolean {
  return restored !== undefined && (parseCopyId(copy)?.epoch ?? 0) >= restored;
}

function contradicts(
  job: Job,
  slot: number,
  { restored, spec, slots }: DirectRecord,
  rollout: Rollout | undefined,
): boolean {
  if (!isLater(job, restored)) return false;
  const isCounted = spec.replicas !== 'every' && spec.schedule === undefined;
  const isKnown = job.digest === spec.digest || job.digest === rollout?.good?.digest;
  return !isKnown || (isCounted && !slots.includes(slot));
}

/** Where the data of instances is that moved after the backup: where they run. */
export function homesIn(
  part: Part,
  node: NodeId,
  { restored, homes }: Pick<Records, 'restored' | 'homes'>,
): Readonly<Record<InstanceName, NodeId>> {
  const moved = part.jobs.filter((job) => {
    const run = part.documents[job.digest];
    const isHere = homes[job.instance] === node;
    return job.want === 'run' && !isHere && isLater(job, restored) && run !== undefined && hasVolumes(run);
  });
  return Object.fromEntries(moved.map(({ instance }) => [instance, node]));
}
