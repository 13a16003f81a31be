/**
 * Schema of a deployment descriptor: Oakestra's SLA v2.0 with our optional fields. It knows every field that exists, also
 * those that are ignored or not carried out yet: what becomes of them is in descriptor-service.ts.
 */
import { type Static, Type } from 'typebox';
import { Files, Host, Limits, Secrets, Volumes } from './descriptor-container-schema.ts';
import { Exclusive, OnDisconnect, OnReturn } from './descriptor-disconnect-schema.ts';
import { Addresses, Constraint, Spread } from './descriptor-placement-schema.ts';
import { ScheduleField } from './descriptor-schedule-schema.ts';
import { amount, closed, ignored, later, name, optional, text, words } from './descriptor-words.ts';
import { durationSchema } from './duration.ts';

const Healthcheck = Type.Object(
  {
    command: Type.Array(Type.String({ minLength: 1, maxLength: 32_768 }), {
      minItems: 1,
      maxItems: 256,
      description: 'Program and arguments, run inside the instance without a shell; exit code 0 is healthy.',
      errorMessage: 'must be a list: program, then arguments',
    }),
    ...optional({
      interval: durationSchema('Time between two checks; default 10s'),
      timeout: durationSchema('Longest time of a check; default 5s'),
      retries: Type.Integer({
        minimum: 1,
        maximum: 1000,
        description: 'Failures in a row until unhealthy; default 3.',
      }),
      start_period: durationSchema('Failures in this time after the start do not count; default 0'),
    }),
  },
  { ...closed, description: 'When an instance counts as healthy.' },
);

const Update = Type.Object(
  optional({
    order: Type.Enum(['start_first', 'stop_first'], {
      description:
        'start_first runs old and new side by side. Default: stop_first if a host port is fixed, else start_first.',
    }),
    strategy: Type.Enum(['rolling', 'start_first', 'stop_first', 'recreate'], {
      description:
        '`rolling` is the default order, instance by instance; `recreate` stops all old instances before new ones start.',
    }),
    settle: durationSchema('How long an instance without a healthcheck must run to count as healthy; default 10s'),
    timeout: durationSchema('Until when an update must be healthy; default 5m'),
    max_unavailable: Type.Integer({
      minimum: 1,
      maximum: 100_000,
      description: 'Instances updated at a time; default 1.',
    }),
    on_failure: Type.Enum(['rollback', 'pause', 'continue'], {
      description: 'What a failed update does; default rollback.',
    }),
    notice: durationSchema('How long an instance is off the list of healthy ones before it is stopped; default 1s'),
    canary: Type.Object(
      {
        pool: Type.String({ minLength: 1, maxLength: 63, description: 'Pool of nodes (nodes.yaml).' }),
        ...optional({ wait: durationSchema('How long they have to be healthy before the others follow; default 1m') }),
      },
      { ...closed, description: 'Instances on nodes of this pool are updated first.' },
    ),
  }),
  { ...closed, description: 'How a change is rolled out.' },
);

export const Microservice = Type.Object(
  {
    microservice_name: name('Name of the service.'),
    code: Type.String({ minLength: 1, maxLength: 4096, description: 'Image reference; program path for `process`.' }),
    ...optional({
      microserviceID: text('Leave it empty.'),
      microservice_namespace: name('Namespace of the service; default `default`.'),
      virtualization: text('`container` (default), or `process` on nodes that allow it.', 64),
      cmd: Type.Array(Type.String({ maxLength: 32_768 }), {
        maxItems: 1024,
        description: 'Replaces the command of the image.',
        errorMessage: 'must be a list like ["sh", "-c", "..."]',
      }),
      environment: Type.Array(
        Type.String({ maxLength: 32_768, pattern: '^[^=]+=[\\s\\S]*$', errorMessage: 'must be KEY=value' }),
        {
          maxItems: 1024,
          description: '`KEY=value` items.',
          errorMessage: 'must be a list of KEY=value',
        },
      ),
      memory: amount('MB that are needed.'),
      vcpus: amount('Cores that are needed; 0.5 is half a core.'),
      vgpus: Type.Integer({
        minimum: 0,
        maximum: 1024,
        description: 'GPUs that are needed: reserved on the node, and given to the container.',
      }),
      vtpus: amount('Accepted and ignored.'),
      storage: amount('MB of disk that are needed. Counted on nodes that state theirs.'),
      bandwidth_in: amount('kbit/s that are needed. Counted on nodes that state theirs.'),
      bandwidth_out: amount('kbit/s that are needed. Counted on nodes that state theirs.'),
      port: Type.Union([Type.String({ maxLength: 4096 }), Type.Integer()], {
        description: '`host:container[/tcp|udp]`, several separated by `;`. A bare number is both sides.',
        errorMessage: 'must be like 8080:80/tcp;9000',
      }),
      addresses: Addresses,
      constraints: Type.Array(Constraint, { maxItems: 64, description: 'Where instances may run.' }),
      one_shot: Type.Boolean({ description: 'Runs once: exit code 0 is completed, and nothing is restarted.' }),
      replicas: Type.Union([Type.Integer({ minimum: 0, maximum: 100_000 }), Type.Enum(['every'])], {
        description: 'Number of instances (default 1), or `every` node that matches.',
        errorMessage: 'must be a whole number from 0 to 100000, or `every`',
      }),
      limits: Limits,
      healthcheck: Healthcheck,
      restart: Type.Enum(['always', 'on_failure', 'never'], { description: 'Default always; never for one_shot.' }),
      stop_grace: durationSchema('Time between the polite and the impolite signal; default 10s'),
      update: Update,
      priority: Type.Integer({ minimum: -1_000_000, maximum: 1_000_000, description: 'Higher goes first; default 0.' }),
      privileged: Type.Boolean({
        description:
          'As in Oakestra: /dev/fuse and the right to mount. Only nodes whose policy.yaml grants it take the service.',
      }),
      files: Files,
      host: Host,
      arch: Type.Array(
        Type.String({
          pattern: '^[A-Za-z0-9_]([A-Za-z0-9_./-]{0,30}[A-Za-z0-9_])?$',
          description: 'E.g. amd64, arm64, arm.',
        }),
        {
          maxItems: 16,
          description: 'Architectures that the image is made for; default any.',
          errorMessage: 'must be a list like [amd64, arm64]',
        },
      ),
      spread: Spread,
      volumes: Volumes,
      secrets: Secrets,
      exclusive: Exclusive,
      on_disconnect: OnDisconnect,
      on_return: OnReturn,
      schedule: ScheduleField,
      depends_on: Type.Array(Type.String({ minLength: 1, maxLength: 127, description: 'A service.' }), {
        maxItems: 64,
        description:
          'Services that must be healthy (one_shot: completed) before this one starts for the first time: names of this application, or full names.',
      }),
      vm_images: later('Images of virtual machines.'),
      args: ignored('Unused in Oakestra.'),
      state: ignored('Unused in Oakestra.'),
      added_files: ignored('Unused in Oakestra.'),
      platform: ignored('Only unikernels use it.'),
      sla_violation_strategy: ignored('Unused in Oakestra.'),
      target_node: ignored('Unused in Oakestra; use a direct constraint.'),
      connectivity: ignored('Not enforced by Oakestra.'),
    }),
  },
  { ...closed, description: 'One service of the application.' },
);
export type Microservice = Static<typeof Microservice>;

const Application = Type.Object(
  {
    application_name: name('Name of the application.'),
    microservices: Type.Array(Microservice, { description: 'Its services.' }),
    ...optional({
      application_namespace: name('Namespace of the application; default `default`.'),
      applicationID: text('Leave it empty.'),
      application_desc: text('Free text.', 1024),
    }),
  },
  { ...closed, description: 'A named group of services.' },
);

/** Schema of a descriptor document. */
export const Descriptor = Type.Object(
  {
    applications: Type.Array(Application, { description: 'The applications.' }),
    ...optional({
      sla_version: Type.Enum(['v2.0'], { description: 'Version of the format.' }),
      customerID: text('Ignored: the caller is the owner.', 256),
      args: words('Accepted and ignored.'),
    }),
  },
  { ...closed, title: 'oakctl descriptor', description: 'Applications and services to run (Oakestra SLA v2.0).' },
);
export type Descriptor = Static<typeof Descriptor>;
