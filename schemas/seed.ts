/**
 * The wire of seed 000 as it was written: registration with four keys, information with two, and the plain envelope of controls,
 * without our fence. Read from nodes of the dialect `seed` and from operators; written to such nodes.
 */
import { type Static, Type } from 'typebox';
import { isAddress } from './addresses.ts';
import { parseDescriptor } from './descriptor.ts';
import type { DescriptorOptions } from './descriptor-parsed.ts';
import { appNamePattern, nodeNamePattern, serviceName } from './names.ts';
import { checkForeign, type Parsed, parseMessage } from './parse.ts';
import { formatPorts } from './ports-syntax.ts';
import { type ProblemCode, problem } from './problem.ts';
import type { RunSpec, ServiceSpec } from './spec.ts';

/** How a node speaks: as our agents do, or as seed 000 has it. */
export type Dialect = 'oakctl' | 'seed';

const numberText = Type.String({ pattern: '^[0-9]{1,15}(\\.[0-9]{1,15})?$', errorMessage: 'must be a number' });
const percent = (maximum: number) =>
  Type.Union([Type.Number({ minimum: 0, maximum }), numberText], {
    errorMessage: `must be a number from 0 to ${maximum}`,
  });
const text = (maxLength: number) => Type.String({ minLength: 1, maxLength });
const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

/** POST /api/node/register: these four keys and no other. */
export const RegistrationBody = Type.Object(
  {
    id: Type.Union([Type.String({ maxLength: 255 }), count]),
    name: text(255),
    ip: text(64),
    port: Type.Union([Type.String({ maxLength: 16 }), count]),
  },
  { additionalProperties: false },
);

export interface SeedRegistration {
  /** As it was sent; '' for none. May be no id that a topic can have. */
  readonly id: string;
  readonly name: string;
  readonly ip: string;
  readonly port: number;
}

/** Keys that only the workers of Oakestra itself send: another dialect, with other topics. */
const oakestraKeys = ['free_cores', 'virtualization'];

/** True for the body of a worker of Oakestra itself. */
export function isOakestraRegistration(body: unknown): boolean {
  return typeof body === 'object' && body !== null && oakestraKeys.some((key) => Object.hasOwn(body, key));
}

/** The body of a registration, or BAD_REQUEST, UNKNOWN_FIELD, NAME_INVALID. */
export function parseRegistration(body: unknown): Parsed<SeedRegistration> {
  const checked = checkForeign<Static<typeof RegistrationBody>>(RegistrationBody, body);
  if (!checked.ok) return checked;
  const { id, name, ip, port } = checked.value;
  if (!nodeNamePattern.test(name)) {
    return wrong('name', 'letters, digits, - and _, at most 63, beginning with a letter or digit', 'NAME_INVALID');
  }
  if (!isAddress(ip)) return wrong('ip', 'must be an IP address');
  const number = typeof port === 'number' ? port : Number(/^[0-9]{1,5}$/.test(port) ? port : Number.NaN);
  if (!(number >= 0 && number <= 65_535)) return wrong('port', 'must be a port number, or 0 for none');
  return { ok: true, value: { id: String(id), name, ip, port: number } };
}

/** What a seed node says at each beat. Other members are not looked at. */
const Information = Type.Object({ cpu: percent(1e6), memory: percent(100) });

/** Use of processor and memory in percent; numbers or numeric texts. */
export function parseSeedInformation(payload: string): Parsed<{ readonly cpu: number; readonly memory: number }> {
  const parsed = parseMessage<Static<typeof Information>>(Information, payload);
  if (!parsed.ok) return parsed;
  const cpu = Number(parsed.value.cpu);
  const memory = Number(parsed.value.memory);
  if (memory > 100) return wrong('memory', `${memory} is no percentage`);
  return { ok: true, value: { cpu, memory } };
}

const technologies = { docker: 'container', container: 'container', unikernel: 'unikernel' } as const;

/** A job description: image and name as in seed 000, and what Oakestra's jobs have beside them. Unknown members are passed over. */
export const PlainJob = Type.Object({
  id: Type.Optional(Type.Union([count, Type.String({ maxLength: 255 })])),
  name: Type.Optional(text(160)),
  image: Type.Optional(text(4096)),
  technology: Type.Optional(Type.Enum(Object.keys(technologies) as (keyof typeof technologies)[])),
  cmd: Type.Optional(Type.Array(Type.String({ maxLength: 32_768 }), { maxItems: 1024 })),
  environment: Type.Optional(Type.Array(Type.String({ maxLength: 32_768 }), { maxItems: 1024 })),
  port: Type.Optional(Type.Union([Type.String({ maxLength: 4096 }), Type.Integer()])),
  vcpus: Type.Optional(Type.Number({ minimum: 0 })),
  memory: Type.Optional(Type.Number({ minimum: 0 })),
  restart: Type.Optional(Type.Enum(['always', 'on_failure', 'never'])),
  one_shot: Type.Optional(Type.Boolean()),
  constraints: Type.Optional(Type.Array(Type.Unknown(), { maxItems: 64 })),
  /** The instance that is replicated. */
  from: Type.Optional(text(160)),
});
export type PlainJob = Static<typeof PlainJob>;

export const commands = ['deploy', 'delete', 'move', 'replicate'] as const;
export type Command = (typeof commands)[number];

/** The envelope of seed 000. */
export const PlainControl = Type.Object({
  command: Type.Enum([...commands]),
  job: Type.Intersect([PlainJob, Type.Object({ name: text(160) })]),
  cluster: Type.Optional(text(63)),
  worker: Type.Optional(text(255)),
});

export interface PlainControl {
  readonly command: Command;
  readonly job: PlainJob & { readonly name: string };
  readonly cluster?: string;
  readonly worker?: string;
}

/** One plain control from the wire, or BAD_REQUEST. */
export function parsePlainControl(payload: string): Parsed<PlainControl> {
  return parseMessage<PlainControl>(PlainControl, payload);
}

/** The descriptor that a plain job with an image stands for: the service `<name>.default.<name>.default`. JSON. */
export function descriptorOfJob(job: PlainJob): string {
  const { name = 'job', image, technology = 'docker' } = job;
  const { cmd, environment, port, vcpus, memory, restart, one_shot, constraints } = job;
  const given = { cmd, environment, port, vcpus, memory, restart, one_shot, constraints };
  const service = {
    microservice_name: name,
    code: image,
    virtualization: technologies[technology],
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  };
  return JSON.stringify({ applications: [{ application_name: name, microservices: [service] }] });
}

/** A plain job as a service of one instance, or its first fault. */
export function serviceOfJob(job: PlainJob, options: DescriptorOptions, file: string): Parsed<ServiceSpec> {
  if (!appNamePattern.test(job.name ?? 'job'))
    return wrong('job.name', 'letters, digits and -, at most 30', 'NAME_INVALID');
  if (job.image === undefined) return wrong('job.image', 'is missing');
  const { services, problems } = parseDescriptor(descriptorOfJob(job), file, options);
  const [first] = services;
  if (first) return { ok: true, value: first.spec };
  const fault = problems.find(({ severity }) => severity !== 'warning');
  return { ok: false, problem: fault ?? problem('BAD_REQUEST', 'the job is no service') };
}

/** Full name of the service that a plain job's bare name stands for. */
export function serviceOfName(name: string): string {
  return serviceName({ app: name, appNamespace: 'default', service: name, serviceNamespace: 'default' });
}

/** Members of a run spec that the plain envelope can carry: whoever needs another one cannot run on a seed node. */
export const plainFields: readonly string[] = [
  'virtualization',
  'code',
  'cmd',
  'environment',
  'ports',
  'memory',
  'vcpus',
  'restart',
  'one_shot',
];

/** The part of a plain job that says what to run. */
export function jobOfRun(run: RunSpec): Omit<PlainJob, 'id' | 'name'> {
  const { code, cmd, environment, ports, memory, vcpus, restart, one_shot } = run;
  return {
    image: code,
    technology: 'docker',
    ...(cmd ? { cmd: [...cmd] } : {}),
    ...(environment ? { environment: [...environment] } : {}),
    ...(ports ? { port: formatPorts(ports) } : {}),
    ...(memory ? { memory } : {}),
    ...(vcpus ? { vcpus } : {}),
    ...(restart ? { restart } : {}),
    ...(one_shot === undefined ? {} : { one_shot }),
  };
}

function wrong(subject: string, message: string, code: ProblemCode = 'BAD_REQUEST') {
  return { ok: false, problem: problem(code, `${subject} ${message}`, { subject }) } as const;
}
