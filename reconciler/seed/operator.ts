/**
 * Plain controls of operators: one JSON text on the topic of the cluster. What cannot be carried out is counted, logged once a
 * minute, and changes nothing.
 */
import type { SlotAnswer } from '../../schemas/api.ts';
import { instanceName, parseInstanceName, parseServiceName, type ServiceName } from '../../schemas/names.ts';
import type { BusMessage } from '../../schemas/ports.ts';
import { isProblemError, type ProblemCode, ProblemError, problem } from '../../schemas/problem.ts';
import {
  descriptorOfJob,
  type PlainControl,
  parsePlainControl,
  serviceOfJob,
  serviceOfName,
} from '../../schemas/seed.ts';
import { operatorTopic } from '../../schemas/topics.ts';
import type { Context } from '../context.ts';
import type { Node } from '../core/model.ts';
import { wantedOf } from '../core/wanted.ts';
import type { Requests } from '../requests.ts';

export interface OperatorDesk {
  /** Takes a message of the operators' topic. False: it is none of these. */
  take(message: BusMessage): boolean;
  /** The reconciler knows by now what runs where: what came before has its turn. */
  recovered(): void;
}

const actor = 'operator';
const complaintEvery = 60_000;
/** Waiting for their turn: more are refused, so that nobody can fill the memory with wishes. */
const mostWaiting = 256;

export function createOperatorDesk(context: Context, requests: Requests): OperatorDesk {
  const { deps, world, journal } = context;
  const own = operatorTopic(world.cluster);
  let refused = 0;
  let complainedAt = Number.NEGATIVE_INFINITY;
  let waiting = 0;
  let recovered = (): void => undefined;
  // Nobody is answered here, so nobody would know to try again: what comes too early waits.
  let turn = new Promise<void>((resolve) => {
    recovered = resolve;
  });

  const complain = (why: string): void => {
    refused += 1;
    const { mono } = deps.clock.now();
    if (mono - complainedAt < complaintEvery) return;
    complainedAt = mono;
    deps.log('warn', 'bad_control', { from: actor, why, times: refused });
  };

  const carryOut = async (control: PlainControl): Promise<void> => {
    if (control.cluster !== undefined && control.cluster !== world.cluster)
      refuse('BAD_REQUEST', control.cluster, `it is for another cluster than ${world.cluster}`);
    const node = control.worker === undefined ? undefined : workerOf(world.nodes.values(), control.worker);
    const done = await verbs[control.command](control, node);
    const where = node ? ` on ${node.record.name}` : '';
    journal.add('control_taken', done.instance, `${control.command} of ${control.job.name}${where}, by an operator`);
  };

  /** The service that a job's name means: an instance or a service by its full name, or the bare name of a plain one. */
  const serviceOf = (name: string): ServiceName => {
    const service = parseInstanceName(name)?.service ?? (parseServiceName(name) ? name : serviceOfName(name));
    if (world.desired.has(service)) return service;
    return refuse('NOT_FOUND', name, 'nothing is deployed under this name');
  };
  const slotsOf = (service: ServiceName): readonly number[] => wantedOf(world, service)?.slots ?? [];
  /** The instance that is meant: the named one, else the one on the worker, else the only one. */
  const instanceOf = (name: string, on?: Node): string => {
    const service = serviceOf(name);
    if (parseInstanceName(name)) return name;
    const slots = slotsOf(service);
    const copies = [...(world.copies.get(service)?.values() ?? [])];
    const there = (slot: number): boolean =>
      copies.some((copy) => copy.slot === slot && copy.node === on?.record.id && copy.job?.want === 'run');
    const [slot, ...others] = on ? slots.filter(there) : slots;
    if (slot === undefined)
      return refuse('NOT_FOUND', name, `no instance of it runs on ${on?.record.name ?? 'a node'}`);
    if (others.length > 0)
      return refuse('BAD_REQUEST', name, `${others.length + 1} instances could be meant: give the full name of one`);
    return instanceName(service, slot);
  };

  const deploy = async ({ job }: PlainControl, node: Node | undefined): Promise<SlotAnswer> => {
    const name = parseServiceName(job.name) ? job.name : serviceOfName(job.name);
    const known = world.desired.get(name);
    if (known) {
      const { code } = known.spec.run;
      if (job.image !== undefined && job.image !== code)
        refuse('REFUSED', name, `it runs ${code}: another image is an update, and needs oakctl deploy`);
      return requests.add(name, node?.record.id, actor);
    }
    if (name === job.name) return refuse('NOT_FOUND', name, 'it is not deployed: a new service has a bare name');
    const parsed = serviceOfJob(job, deps.settings, own);
    if (!parsed.ok) throw new ProblemError(parsed.problem);
    const seats = node ? { 0: { to: node.record.id, keep: true, command: 'deploy' } as const } : {};
    await requests.deploy({ documents: [{ file: own, text: descriptorOfJob(job) }], actor }, seats);
    return { instance: instanceName(name, 0) };
  };
  const verbs: Record<PlainControl['command'], (control: PlainControl, node?: Node) => Promise<SlotAnswer>> = {
    deploy,
    delete: async ({ job }, node) => requests.drop(instanceOf(job.name, node), actor),
    move: async ({ job }, node) => {
      if (!node) return refuse('BAD_REQUEST', job.name, '`worker` is missing: where shall it go?');
      return requests.move(instanceOf(job.name), node.record.id, actor);
    },
    replicate: async ({ job }, node) => {
      const slots = slotsOf(serviceOf(job.from ?? job.name));
      const from = parseInstanceName(job.from ?? job.name) ? (job.from ?? job.name) : undefined;
      const first = from ?? instanceName(serviceOf(job.from ?? job.name), Math.min(...slots));
      return requests.replicate(first, node?.record.id, actor);
    },
  };

  const next = (control: PlainControl): void => {
    waiting += 1;
    turn = turn
      .then(() => carryOut(control))
      .catch((error: unknown) => {
        if (!isProblemError(error)) return deps.fatal(error instanceof Error ? error : new Error(String(error)));
        complain(`${control.command} of ${control.job.name}: ${error.message}`);
      })
      .finally(() => {
        waiting -= 1;
      });
  };

  return {
    take({ topic, payload, retained }) {
      if (topic !== own) return false;
      // A wish that lies around is nobody's wish now.
      if (retained || payload === '') return true;
      const parsed = parsePlainControl(payload);
      if (!parsed.ok) complain(parsed.problem.message);
      else if (waiting >= mostWaiting) complain(`${waiting} others wait already`);
      else next(parsed.value);
      return true;
    },
    recovered,
  };
}

/** Name, id or alias. */
function workerOf(nodes: Iterable<Node>, worker: string): Node {
  const all = [...nodes];
  const named = all.find(({ record }) => record.id === worker || record.name === worker);
  const aliased = all.filter(({ aliases }) => aliases.includes(worker));
  const found = named ?? (aliased.length === 1 ? aliased[0] : undefined);
  return found ?? refuse('NOT_FOUND', worker, 'no node is called that');
}

function refuse(code: ProblemCode, subject: string, message: string): never {
  throw new ProblemError(problem(code, message, { subject }));
}
