/**
 * Plain controls of seed 000 on a node that is its own authority: what each makes of the ledger. The same control twice changes
 * nothing the second time; only a replica without a number of its own is a further one each time.
 */
import { type Acceptance, changePart, jobNumber, type Part, type PartChange } from '../../schemas/assignment.ts';
import { digestOf } from '../../schemas/digest.ts';
import type { Fence, Job } from '../../schemas/messages.ts';
import {
  appNamePattern,
  copyId,
  type InstanceName,
  instanceName,
  parseInstanceName,
  parseServiceName,
  type ServiceName,
} from '../../schemas/names.ts';
import { type PlainControl, serviceOfJob, serviceOfName } from '../../schemas/seed.ts';
import { type RunSpec, runtimesFor } from '../../schemas/spec.ts';

/** The source of jobs that only their own node knows, and the writer of its ledger. */
const localSource = 'local';
/** Whoever may write our topic could fill the disk otherwise. */
const mostJobs = 1_000;

export interface Self {
  readonly id: string;
  readonly name: string;
  /** '' where it is not known: then any will do. */
  readonly cluster: string;
}

type Wish =
  | { readonly kind: 'run'; readonly instance: InstanceName; readonly run: RunSpec }
  | { readonly kind: 'free'; readonly instances: readonly InstanceName[] };

/** The ledger after a plain control; or, as a text, why it is not for this node or cannot be carried out. */
export function acceptPlain(part: Part, control: PlainControl, self: Self): Acceptance | string {
  const { command, worker, cluster } = control;
  if (cluster !== undefined && self.cluster !== '' && cluster !== self.cluster) return `for the cluster ${cluster}`;
  const isOurs = worker === undefined || worker === self.id || worker === self.name;
  if (!isOurs && command !== 'move') return `for the worker ${worker}`;
  if (command === 'move' && worker === undefined) return '`worker` is missing: where shall it go?';
  const wish = wishOf(part, control, isOurs);
  if (typeof wish === 'string') return wish;
  const { epoch, gen } = part.fence;
  const fence: Fence = { epoch: Math.max(epochOf(self.id), epoch), gen: gen + 1, by: localSource };
  const changes = wish.kind === 'free' ? wish.instances.flatMap((one) => dropsOf(part, one)) : runs(part, wish, fence);
  if (changes.length === 0) return { kind: 'acknowledged' };
  const next = changes.reduce((now, change) => changePart(now, change, fence), part);
  return next.jobs.length > mostJobs ? `${mostJobs} jobs are here already` : { kind: 'applied', part: next };
}

/** Copies are named after it: nodes that share an engine must not come upon the same names, as they would if all began at 1. */
function epochOf(node: string): number {
  return 1 + (jobNumber(node) % 1_000_000_000);
}

/** What is asked for. `here`: no other worker is named. */
function wishOf(part: Part, control: PlainControl, here: boolean): Wish | string {
  const { command, job } = control;
  const service = serviceIn(job.name);
  if (!isSafe(service)) return `${JSON.stringify(job.name)} is no name of a job`;
  if (command === 'delete' || !here) return { kind: 'free', instances: instancesOf(part, job.name) };
  if (command === 'replicate') return replica(part, control);
  const instance = parseInstanceName(job.name) ? job.name : instanceName(service, 0);
  return wishToRun(instance, job.image === undefined ? runOf(part, instance) : runIn(control), job.name);
}

/** The instance that is named with its number, else the next one of what runs here. */
function replica(part: Part, control: PlainControl): Wish | string {
  const { job } = control;
  const service = serviceIn(job.name);
  const instance = parseInstanceName(job.name) ? job.name : instanceName(service, nextSlot(part, service));
  const [model] = [instance, job.from ?? job.name, service].flatMap((name) => instancesOf(part, name));
  const run = model === undefined ? undefined : runOf(part, model);
  return wishToRun(instance, run ?? (job.image === undefined ? undefined : runIn(control)), job.from ?? job.name);
}

function wishToRun(instance: InstanceName, run: RunSpec | string | undefined, asked: string): Wish | string {
  if (run === undefined) return `nothing runs as ${asked}, and no image is given`;
  return typeof run === 'string' ? run : { kind: 'run', instance, run };
}

function runs(part: Part, { instance, run }: Extract<Wish, { kind: 'run' }>, fence: Fence): readonly PartChange[] {
  const digest = digestOf(run);
  const there = part.jobs.filter((job) => job.instance === instance);
  if (there.some((job) => job.digest === digest && job.want === 'run')) return [];
  const [runtime = 'docker'] = runtimesFor[run.virtualization];
  const source = { name: localSource };
  const job: Job = { instance, copy: copyId(fence), want: 'run', digest, runtime, source };
  return [...dropsOf(part, instance), { kind: 'upsert', job, document: run }];
}

function dropsOf(part: Part, instance: InstanceName): readonly PartChange[] {
  const there = part.jobs.filter((job) => job.instance === instance);
  return there.map(({ copy }) => ({ kind: 'drop', instance, copy }));
}

/** The run spec that a control carries; as a text, its first fault. */
function runIn({ job: { constraints: _placement, from: _model, ...job } }: PlainControl): RunSpec | string {
  const parsed = serviceOfJob({ ...job, name: 'job' }, {}, 'control');
  if (parsed.ok) return parsed.value.run;
  const { subject, message } = parsed.problem;
  return subject ? `${subject}: ${message}` : message;
}

function runOf(part: Part, instance: InstanceName): RunSpec | undefined {
  const job = part.jobs.find((one) => one.instance === instance);
  return job && part.documents[job.digest];
}

function serviceIn(name: string): ServiceName {
  return parseInstanceName(name)?.service ?? (parseServiceName(name) ? name : serviceOfName(name));
}

/** It becomes a name in an engine. */
function isSafe(service: ServiceName): boolean {
  return service.split('.').length === 4 && service.split('.').every((level) => appNamePattern.test(level));
}

/** The named instance, or all of a service, as far as they are here. */
function instancesOf(part: Part, name: string): readonly InstanceName[] {
  const all = [...new Set(part.jobs.map(({ instance }) => instance))];
  if (parseInstanceName(name)) return all.filter((one) => one === name);
  return all.filter((one) => parseInstanceName(one)?.service === serviceIn(name));
}

function nextSlot(part: Part, service: ServiceName): number {
  const slots = instancesOf(part, service).map((one) => parseInstanceName(one)?.slot ?? -1);
  return Math.max(-1, ...slots) + 1;
}
