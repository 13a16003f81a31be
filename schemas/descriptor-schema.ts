/**
 * Schema of a deployment descriptor: Oakestra's SLA v2.0 with our optional fields. It knows every field that exists, also
 * those that are ignored or not carried out yet: what becomes of them is in descriptor-service.ts.
 */
import { type Static, type TSchema, Type } from 'typebox';
import { durationSchema } from './duration.ts';
import { longestPath } from './host-access.ts';
import { appNamePattern } from './names.ts';

const closed = { additionalProperties: false } as const;
const name = (description: string) =>
  Type.String({
    pattern: appNamePattern.source,
    description: `${description} Letters and digits, dashes inside, at most 30 characters.`,
  });
const text = (description: string, maxLength = 4096) => Type.String({ maxLength, description });
const words = (description: string) => Type.Array(Type.String({ maxLength: 32_768 }), { maxItems: 1024, description });
const amount = (description: string) => Type.Number({ minimum: 0, maximum: 1e9, description });
const ignored = (what: string) => Type.Unknown({ description: `Accepted and ignored. ${what}` });
const later = (what: string) => Type.Unknown({ description: `Not carried out by this version. ${what}` });
/** All keys optional. */
const optional = <T extends Record<string, TSchema>>(properties: T) => Type.Partial(Type.Object(properties)).properties;

const Files = Type.Array(
  Type.Object(
    {
      path: Type.String({ minLength: 1, maxLength: longestPath, description: 'Absolute path in the container.' }),
      ...optional({
        content: Type.String({ maxLength: 65_536, description: 'The text itself.' }),
        from: Type.String({
          minLength: 1,
          maxLength: 1024,
          description: 'A file of the repository: its path from the root, or `./path` beside this file.',
        }),
        mode: Type.String({
          pattern: '^0?[0-7]{3}$',
          description: 'Permission bits as a quoted octal number; default "0644".',
          errorMessage: 'must be a quoted octal number like "0640"',
        }),
        read_only: Type.Boolean({ description: 'Takes the write bits away.' }),
      }),
    },
    { ...closed, description: 'One file: with `content`, or `from`.' },
  ),
  {
    maxItems: 64,
    description: 'Text files that are in the container before it starts; all together less than 64 KiB.',
  },
);

const Host = Type.Object(
  optional({
    devices: Type.Array(Type.String({ minLength: 1, maxLength: longestPath, description: 'E.g. /dev/ttyUSB0.' }), {
      maxItems: 64,
      description: 'Devices of the host.',
    }),
    mounts: Type.Array(
      Type.Object(
        optional({
          source: Type.String({ minLength: 1, maxLength: longestPath, description: 'Path on the host.' }),
          path: Type.String({ minLength: 1, maxLength: longestPath, description: 'The same as `source`.' }),
          target: Type.String({
            minLength: 1,
            maxLength: longestPath,
            description: 'Path in the container; default the same as on the host.',
          }),
          read_only: Type.Boolean({ description: 'Only to read; default false.' }),
        }),
        { ...closed, description: 'A folder or file of the host.' },
      ),
      { maxItems: 64, description: 'Folders and files of the host.' },
    ),
    network: Type.Enum(['host'], { description: "The host's network instead of the cluster's." }),
    caps: Type.Array(Type.String({ minLength: 1, maxLength: 32, description: 'E.g. NET_ADMIN.' }), {
      maxItems: 64,
      description: 'Linux capabilities beyond what every container has.',
    }),
  }),
  { ...closed, description: 'Access to the host. Only nodes whose policy.yaml grants it take the service.' },
);

const Volumes = Type.Array(
  Type.Object(
    {
      name: name('Name of the volume.'),
      mount_path: Type.String({ minLength: 1, maxLength: longestPath, description: 'Absolute path in the container.' }),
      ...optional({
        read_only: Type.Boolean({ description: 'Only to read; default false.' }),
        portable: Type.Boolean({
          description: 'May start empty on another node when its node is lost. Default false: the instance waits.',
        }),
      }),
    },
    closed,
  ),
  {
    maxItems: 16,
    description: 'Data that outlives the containers. Each instance has volumes of its own, which bind it to its node.',
  },
);

const Limits = Type.Object(optional({ memory: amount('Hard cap in MB.'), vcpus: amount('Hard cap in cores.') }), {
  ...closed,
  description: 'Hard caps. Without them, memory and vcpus are what is needed, and no cap.',
});

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

const Constraint = Type.Object(
  {
    type: Type.Enum(['direct', 'label', 'clusters', 'apart', 'addons', 'latency', 'geo'], {
      description: 'Kind of constraint.',
    }),
    ...optional({
      node: text('direct: node names, separated by `;`.'),
      cluster: text('direct: cluster name.', 63),
      label: text(
        'label: key of a node label. apart: keep away from all nodes with the same value; default the node.',
        63,
      ),
      services: Type.Array(text('A service of this application, or a full name.', 127), {
        minItems: 1,
        maxItems: 64,
        description: 'apart: services whose instances must not be beside it; it may name itself.',
      }),
      in: Type.Array(text('A value.', 255), { minItems: 1, maxItems: 256, description: 'label: one of these values.' }),
      not_in: Type.Array(text('A value.', 255), {
        minItems: 1,
        maxItems: 256,
        description: 'label: none of these values.',
      }),
      exists: Type.Boolean({ description: 'label: the node has it (true), or does not (false).' }),
      allowed: Type.Array(text('A name.', 63), { description: 'clusters: allowed clusters.' }),
      needs: later('addons: names of addons.'),
      area: later('latency: area.'),
      location: later('geo: location.'),
      threshold: later('latency, geo: bound.'),
      rigidness: later('latency, geo: rigidness.'),
      convergence_time: later('latency, geo: seconds.'),
    }),
  },
  { ...closed, description: 'Where instances may run. All constraints hold together.' },
);

const Spread = Type.Array(
  Type.Object(
    {
      label: text('Key of a node label.', 63),
      ...optional({
        required: Type.Boolean({
          description: 'true: wait rather than run where more instances are; default false.',
        }),
      }),
    },
    { ...closed, description: 'Instances go first to values of this label that have the fewest.' },
  ),
  { maxItems: 8, description: 'Spreads instances over the values of labels, the most important first.' },
);

const Addresses = Type.Object(
  optional({
    rr_ip: later('Fixed address that balances over all instances.'),
    rr_ip_v6: later('As rr_ip.'),
    closest_ip: ignored('Oakestra does not implement it.'),
    closest_ip_v6: ignored('Oakestra does not implement it.'),
    instances: ignored('Oakestra does not implement it.'),
  }),
  { ...closed, description: 'Addresses of the service.' },
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
      arch: Type.Array(Type.String({ minLength: 1, maxLength: 32, description: 'E.g. amd64, arm64, arm.' }), {
        maxItems: 16,
        description: 'Architectures that the image is made for; default any.',
        errorMessage: 'must be a list like [amd64, arm64]',
      }),
      spread: Spread,
      volumes: Volumes,
      secrets: later('Secrets.'),
      exclusive: later('At most one owner.'),
      on_disconnect: later('What happens on a silent node.'),
      on_return: later('Which copy stays when a lost node returns.'),
      schedule: later('Repeats a one_shot.'),
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
