/** What the reconciler shows is what is, within the time that news take. */
import { covers, nodeSubject } from '../../../reconciler/core/suspends.ts';
import type { BusMessage } from '../../../schemas/ports.ts';
import type { NodeView, ServiceView } from '../../../schemas/views.ts';
import { isUnwell, type Machine, runningOf, wasWellElsewhere } from './facts.ts';
import { foreign, serviceOf } from './names.ts';
import type { RuleDeps } from './rules.ts';
import type { WireRules } from './rules-wire.ts';

export interface ViewRules {
  heard(message: BusMessage): void;
  removed(machine: Machine): void;
  look(): void;
}

/** ms, as the settings of the simulated cluster and the agents' beat make them. */
const suspectAfter = 12_500;
const lostAfter = 15_000;
/** News of an end take so long at most. */
const newsTake = 90_000;
/** Where nothing happened, what is shown is looked at this often. */
const lookAnyway = 30_000;
/** More copies of one instance than an update needs are gone after this. */
const surplusFor = 20_000;
/** Messages of a node are under way for so long at most. */
const underWay = 5_000;

export function createViewRules(deps: RuleDeps, wire: WireRules): ViewRules {
  const { facts, witness, now } = deps;
  /** Instances with too many copies, and since when. */
  const crowded = new Map<string, number>();
  /** Session in which a node last said what runs there. */
  const sessions = new Map<string, string>();
  /** Nodes that are back, and have not said what runs there: nothing can be taken away yet. */
  const unsaid = new Set<string>();
  /** The last look at services: when, and how much had happened. */
  let looked = { at: Number.NEGATIVE_INFINITY, loud: -1 };

  const lookAtNodes = (nodes: readonly NodeView[]): void => {
    for (const { id, name, state, cordoned } of nodes) {
      if (id === undefined) continue;
      const gone = facts.removed.get(id);
      if (gone && state !== 'revoked')
        witness.broken('I12 what was answered stays', `${name} was removed, and is shown as ${state}`);
      const heard = facts.heard.get(id);
      const silence = heard === undefined ? Number.POSITIVE_INFINITY : now() - heard;
      if (state === 'online' && silence > suspectAfter + 1_100)
        witness.broken(
          'retained is not fresh',
          `${name} is shown as online, ${silence} ms after its last live message`,
        );
      const isDeaf = facts.connectedAt === undefined || now() - facts.connectedAt < lostAfter;
      if (state === 'lost' && (isDeaf || (heard !== undefined && silence < lostAfter)))
        witness.broken(
          'nobody is lost too soon',
          `${name} is shown as lost, ${silence} ms after its last live message`,
        );
      const asked = facts.cordoned.get(id);
      // nodes.yaml cordons as well.
      if (asked !== undefined && asked !== (asked ? cordoned !== undefined : cordoned?.actor !== undefined))
        witness.broken('I12 what was answered stays', `${name} was answered as ${asked ? '' : 'not '}cordoned`);
    }
  };
  const noteSession = (node: string, row: string | undefined, payload: string): void => {
    const session = /"session":"([^"]*)"/.exec(payload)?.[1];
    if (session === undefined) return;
    const isGone = row === 'online' && payload.includes('"online":false');
    if (row === 'instances') {
      sessions.set(node, session);
      unsaid.delete(node);
    } else if (isGone || (sessions.get(node) ?? session) !== session) unsaid.add(node);
  };
  const isSuspended = (service: string, node: string): boolean =>
    [...facts.suspended].some(
      ([subject, { until }]) => until > deps.wall() && (covers(subject, service) || subject === nodeSubject(node)),
    );
  /** At most the copy that is wanted and the one before it, on nodes that are there and have said what they run. */
  const lookAtPromises = (nodes: readonly NodeView[], services: readonly ServiceView[]): void => {
    const online = new Set(nodes.flatMap(({ id, state }) => (id !== undefined && state === 'online' ? [id] : [])));
    // Where the source could not be read since the start, nothing is taken away.
    const unread = new Set(services.flatMap(({ name, outcome }) => (outcome === 'orphaned' ? [name] : [])));
    const counts = new Map<string, number>();
    const frozen = new Set<string>();
    for (const [node, jobs] of wire.promised) {
      if (!online.has(node) || unsaid.has(node)) continue;
      for (const job of jobs) {
        // What is suspended stays as it is.
        if (isSuspended(serviceOf(job.instance), node)) frozen.add(job.instance);
        if (job.want === 'run' && !unread.has(serviceOf(job.instance)))
          counts.set(job.instance, (counts.get(job.instance) ?? 0) + 1);
      }
    }
    for (const instance of frozen) counts.delete(instance);
    for (const instance of crowded.keys()) if ((counts.get(instance) ?? 0) <= 2) crowded.delete(instance);
    for (const [instance, count] of counts) {
      if (count <= 2) continue;
      // Nothing is decided while the disk takes nothing, and a process that begins does not know yet.
      const isExcused = facts.troubles.has('full disk of the reconciler');
      const since = isExcused ? now() : Math.max(crowded.get(instance) ?? now(), facts.brain?.startedAt ?? 0);
      crowded.set(instance, since);
      if (now() - since > surplusFor)
        witness.broken(
          'P5 never more than wanted and surge',
          `${instance} is to run ${count} times on nodes that are there; ${tell(services, instance)}`,
        );
    }
  };
  /** What the reconciler says of it. */
  const tell = (services: readonly ServiceView[], instance: string): string => {
    const service = services.find(({ name }) => name === serviceOf(instance));
    const holds = service?.holds.map(({ code, subject, message }) => `${code} ${subject}: ${message}`) ?? [];
    return `${service?.name} is ${service?.outcome}: ${service?.message}; ${holds.join('; ')}`;
  };
  const lookAtServices = (services: readonly ServiceView[]): void => {
    for (const { name, outcome, digest, instances, schedule } of services) {
      // Between two runs there is nothing that is to run.
      if (outcome !== 'settled' || schedule) continue;
      for (const instance of instances) {
        // Its node is away, nobody else may have it, and the service does not wait for it.
        if (instance.status === 'lost' || instance.status === 'missing') continue;
        if (instance.digest !== digest)
          witness.broken('P7 success is true', `${name} is settled, and ${instance.name} has another digest`);
        if (instance.status === 'completed') {
          if (!facts.done.has(`${instance.name}/${instance.copy}`))
            witness.broken('P7 success is true', `${name} is settled, and ${instance.name} never completed`);
          continue;
        }
        const ran = [...(facts.ran.get(instance.name)?.values() ?? [])].some((at) => now() - at < newsTake);
        if (!ran && runningOf(facts, instance.name).size === 0)
          witness.broken('P7 success is true', `${name} is settled, and ${instance.name} does not run anywhere`);
        if (isUnwell(facts, instance.name) && !wasWellElsewhere(facts, instance.name, undefined, now(), newsTake))
          witness.broken('P7 success is true', `${name} is settled, and ${instance.name} is not well anywhere`);
      }
    }
    const shown = new Map(services.map((service) => [service.name, service]));
    for (const [name, wish] of facts.answered) {
      const service = shown.get(name);
      // What is on its way out has no slots that are wanted.
      const isThere = service !== undefined && service.slots > 0;
      if (wish && (!isThere || service.image !== wish.code || service.slots !== wish.replicas))
        witness.broken(
          'I12 what was answered stays',
          `${name} was deployed as ${wish.replicas} of ${wish.code}, shown is ${service?.slots ?? 'none'} of ${service?.image ?? ''}`,
        );
      // What a rival started again that knew nothing of its end is kept until somebody says so.
      const isKept = facts.rivals > 0 && service?.outcome === 'orphaned';
      if (!wish && isThere && !isKept)
        witness.broken('I12 what was answered stays', `${name} was deleted, and is ${service.outcome}`);
    }
  };
  const lookAtBounds = (): void => {
    const cluster = deps.cluster();
    if (!cluster) return;
    const timers = cluster.clock.pending();
    if (timers > 2_000) witness.broken('I8 bounds', `${timers} timers are set`);
    for (const { disk, name } of facts.machines.values())
      if (disk.count() > 8) witness.broken('I8 bounds', `${disk.count()} files are on the disk of ${name}`);
    const rows = cluster.broker.retained.size;
    // A rival from before speaks also to nodes that were removed since; and what is not heard is not cleared away.
    const isHeard = facts.connectedAt !== undefined && now() - facts.connectedAt > underWay;
    if (isHeard && facts.rivals === 0 && rows > 3 * cluster.nodes.length + 1)
      witness.broken('I8 bounds', `${rows} rows are retained`);
    for (const denied of cluster.broker.denied) witness.broken('P9 only what is its own', denied);
  };

  return {
    heard({ topic, payload, retained }) {
      const [, node, row] = topic.split('/');
      if (retained || payload === '' || node === undefined) return;
      noteSession(node, row, payload);
      if (row === 'online' && !payload.includes('"online":true')) return;
      const gone = facts.removed.get(node);
      if (gone && now() - gone.at > underWay)
        witness.broken('P9 removed stays removed', `the reconciler hears ${gone.name}, which is no node any more`);
      facts.heard.set(node, now());
    },
    removed({ name, runtime, id }) {
      const runs = [...runtime.copies.values()].filter(
        ({ instance, state }) => state === 'running' && instance !== foreign,
      );
      const told = runs.filter(({ instance, copy }) =>
        wire.promised.get(id)?.some((job) => job.instance === instance && job.copy === copy),
      );
      if (told.length > 0)
        witness.broken('P5 nobody is left behind', `${name} is removed, and ${told[0]?.instance} runs there`);
    },
    look() {
      lookAtBounds();
      const control = deps.cluster()?.reconciler.control;
      if (!facts.isReady || !control) return;
      const nodes = control.nodes();
      lookAtNodes(nodes);
      if (witness.loud === looked.loud && now() - looked.at < lookAnyway) return;
      looked = { at: now(), loud: witness.loud };
      const services = control.services();
      lookAtPromises(nodes, services);
      lookAtServices(services);
    },
  };
}
