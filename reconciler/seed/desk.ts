/**
 * Seed nodes: they take controls and report nothing, so what they run is assumed. Records say it before the first control is
 * published, and what each node was told; the difference of the two is what is said next. Told once, and again only to a node
 * that registered anew.
 */
import { emptyPart, jobNumber, type Part } from '../../schemas/assignment.ts';
import type { CopyReport, InformationMessage, InstancesMessage, Job } from '../../schemas/messages.ts';
import { messageVersion } from '../../schemas/messages.ts';
import { compareCopyIds, type InstanceName, type NodeId, parseInstanceName } from '../../schemas/names.ts';
import type { Mono } from '../../schemas/ports.ts';
import { type Command, jobOfRun, parseSeedInformation, plainFields } from '../../schemas/seed.ts';
import type { RunSpec } from '../../schemas/spec.ts';
import { topic } from '../../schemas/topics.ts';
import type { Context } from '../context.ts';
import type { Seat } from '../core/deviations.ts';
import { isSeed } from '../core/node-facts.ts';
import type { AssumedRecord } from '../core/records.ts';
import { wantedOf } from '../core/wanted.ts';
import { onceSaved, withEntry } from '../records-keeper.ts';

export interface SeedDesk {
  /** Is this node spoken to here? */
  serves(node: NodeId): boolean;
  /** Tells the world what records say of seed nodes: at start. */
  load(): void;
  /** The node's part changed: recorded now, told by `flush`. */
  changed(node: NodeId): void;
  /** Publishes what was not said yet to nodes that are there to hear it. Everything that it says must be on disk. */
  flush(): void;
  /** A beat with two keys; what is wrong with it, if something is. */
  information(node: NodeId, payload: string, retained: boolean, at: Mono): string | undefined;
  /** It registered (again): it is told everything, as if it knew nothing; and what it had to give up, as if it had missed that. */
  registered(node: NodeId): void;
  /** Drops what is known of nodes that are no more. */
  forget(): void;
  disconnected(): void;
}

const nothing: AssumedRecord = { part: emptyPart, told: {} };
/** Seed nodes have one session: nothing that they say can be old. */
const session = 'seed';
const beat = 5_000;
const mostFreed = 256;
/** Older than every copy. */
const noCopy = '0.0';

export function createSeedDesk(context: Context): SeedDesk {
  const { deps, world, keeper, journal } = context;
  const since = new Map<NodeId, Map<string, { readonly status: string; readonly at: Mono }>>();
  /** Spoke since our connection stands, and since it registered: it is there to hear controls. */
  const present = new Set<NodeId>();
  let seq = 0;

  const serves = (id: NodeId): boolean => {
    const node = world.nodes.get(id);
    return node !== undefined && isSeed(node);
  };
  const recordOf = (id: NodeId): AssumedRecord => keeper.now.assumed[id] ?? nothing;
  const record = (id: NodeId, next: AssumedRecord | undefined): void =>
    keeper.change({ assumed: withEntry(keeper.now.assumed, id, next) });

  /** The report that the node does not send: everything is as it was told to be, and what it was not told yet waits. */
  const assume = (id: NodeId): void => {
    const { part, told } = recordOf(id);
    const now = deps.clock.now().mono;
    const before = since.get(id);
    const after = new Map<string, { readonly status: string; readonly at: Mono }>();
    const copies = part.jobs.map((job): CopyReport => {
      const key = `${job.instance}/${job.copy}`;
      const isTold = told[job.instance]?.copy === job.copy;
      const status = job.want !== 'run' ? job.want : isTold ? 'running' : 'waiting';
      const known = before?.get(key);
      const at = known?.status === status ? known.at : now;
      after.set(key, { status, at });
      const { instance, copy, digest, want } = job;
      return { instance, copy, digest, want, status, age: Math.max(0, Math.round(now - at)) };
    });
    since.set(id, after);
    seq += 1;
    const header = { v: messageVersion, session, seq, part: 0, parts: 1, ...part.fence, hash: '' } as const;
    const message: InstancesMessage = { ...header, copies };
    context.apply({ kind: 'instances', node: id, message, retained: true, at: now });
  };

  const send = (id: NodeId, command: Command, instance: InstanceName, job: object, worker: NodeId = id): void => {
    const number = jobNumber(instance);
    const message = { command, job: { id: number, name: instance, ...job }, cluster: world.cluster, worker };
    deps.bus.publish(topic(id, 'controls'), JSON.stringify(message), { qos: 1, retain: false });
    const name = world.nodes.get(id)?.record.name ?? id;
    journal.add('control_sent', instance, `${command} of job ${number} to ${name}`);
  };

  const tell = (id: NodeId): void => {
    const { part, told, freed: known } = recordOf(id);
    const wanted = runningOf(part);
    const freed = Object.entries(told).filter(([instance, { copy }]) => wanted.get(instance)?.copy !== copy);
    const begun = [...wanted].filter(([instance, { copy }]) => told[instance]?.copy !== copy);
    if (freed.length === 0 && begun.length === 0) return;
    for (const [instance, { image }] of freed) {
      const { command, to } = seatOf(context, instance) ?? {};
      const moves = command === 'move' && to !== undefined && to !== id;
      send(id, moves ? 'move' : 'delete', instance, { image, technology: 'docker' }, moves ? to : id);
    }
    for (const [instance, { run }] of begun) {
      const seat = seatOf(context, instance);
      const from = seat?.command === 'replicate' ? seat.from : undefined;
      send(id, from ? 'replicate' : 'deploy', instance, { ...jobOfRun(run), ...(from ? { from } : {}) });
    }
    const now = [...wanted].map(([instance, { copy, run }]) => [instance, { copy, image: run.code }]);
    const gone = freed.map(([instance, { image }]) => [instance, image] as const);
    record(id, { part, told: Object.fromEntries(now), ...freedFor(wanted, [...Object.entries(known ?? {}), ...gone]) });
    assume(id);
  };

  const flush = (): void => {
    const before = keeper.now.assumed;
    for (const id of Object.keys(before)) if (present.has(id) && serves(id)) tell(id);
    if (keeper.now.assumed !== before) onceSaved(context, () => undefined);
  };

  return {
    serves,
    flush,
    load() {
      for (const id of world.nodes.keys()) {
        if (!serves(id)) continue;
        context.apply({ kind: 'ledger', node: id, part: recordOf(id).part });
        assume(id);
      }
    },
    changed(id) {
      const part = world.nodes.get(id)?.part ?? emptyPart;
      record(id, { ...recordOf(id), part });
      assume(id);
    },
    information(id, payload, retained, at) {
      const parsed = parseSeedInformation(payload);
      if (!parsed.ok) return parsed.problem.message;
      seq += 1;
      const ip = world.nodes.get(id)?.record.registered?.ip ?? '';
      const message: InformationMessage = { ...profile, ...parsed.value, ip, seq };
      context.apply({ kind: 'information', node: id, message, retained, at });
      if (!retained && !present.has(id)) {
        present.add(id);
        onceSaved(context, flush);
      }
      return undefined;
    },
    registered(id) {
      const known = recordOf(id);
      present.delete(id);
      // It may have missed what it was told to give up: that is said again, unless it is wanted there by now.
      const { freed } = freedFor(runningOf(known.part), Object.entries(known.freed ?? {}));
      const told = Object.entries(freed ?? {}).map(([instance, image]) => [instance, { copy: noCopy, image }]);
      record(id, { part: known.part, told: Object.fromEntries(told) });
      if (world.nodes.get(id)?.adopted === false) context.apply({ kind: 'ledger', node: id, part: known.part });
      assume(id);
      onceSaved(context, () => undefined);
    },
    forget() {
      for (const id of Object.keys(keeper.now.assumed)) {
        if (world.nodes.has(id)) continue;
        since.delete(id);
        present.delete(id);
        record(id, undefined);
      }
    },
    disconnected: () => present.clear(),
  };
}

const profile: Omit<InformationMessage, 'cpu' | 'memory' | 'ip' | 'seq'> = {
  v: messageVersion,
  // Its room is in nodes.yaml, or nobody knows it.
  capacity: { cpu: 0, memory: 0 },
  arch: 'unknown',
  runtimes: [{ name: 'docker', version: 'unknown' }],
  fields: [...plainFields],
  labels: {},
  version: 'seed',
  beat,
  session,
  epoch: 0,
  gen: 0,
  by: '',
};

/** What should run there: one copy per instance, the youngest. */
function runningOf(part: Part): Map<InstanceName, { readonly copy: string; readonly run: RunSpec }> {
  const running = new Map<InstanceName, { readonly copy: string; readonly run: RunSpec }>();
  for (const { instance, copy, want, digest } of part.jobs as readonly Job[]) {
    const run = part.documents[digest];
    const known = running.get(instance);
    if (want !== 'run' || !run || (known && compareCopyIds(known.copy, copy) > 0)) continue;
    running.set(instance, { copy, run });
  }
  return running;
}

/** The youngest of what was given up and is not wanted again. */
function freedFor(
  wanted: ReadonlyMap<InstanceName, unknown>,
  given: readonly (readonly [InstanceName, string])[],
): Pick<AssumedRecord, 'freed'> {
  const freed = [...new Map(given)].filter(([instance]) => !wanted.has(instance)).slice(-mostFreed);
  return freed.length > 0 ? { freed: Object.fromEntries(freed) } : {};
}

function seatOf({ world }: Context, instance: InstanceName): Seat | undefined {
  const named = parseInstanceName(instance);
  return named && wantedOf(world, named.service)?.seats?.[named.slot];
}
