/** Schemas of cluster.yaml and oakctl.yaml. What they mean is in settings.ts. */
import { type Static, Type } from 'typebox';
import { durationSchema } from './duration.ts';
import { labelKeyPattern } from './names.ts';
import { NotificationsFile } from './notifications.ts';
import { BrokerFile, MqttFile } from './settings-broker.ts';
import { EndpointsFile } from './settings-endpoints.ts';
import { SourceFile } from './settings-source.ts';
import { WebhooksFile } from './settings-webhooks.ts';

const closed = { additionalProperties: false } as const;
const nodeName = '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$';
const nodeClass = Type.Enum(['edge', 'lan', 'fast'], { description: 'How soon silence counts as loss.' });
const undeclared = Type.Enum(['use', 'cordon', 'refuse'], {
  description: 'What becomes of a node that joined and is not in nodes.yaml.',
});
const nodes = Type.Object({ undeclared: Type.Optional(undeclared) }, { ...closed, description: 'Rules for nodes.' });
const pools = Type.Record(
  Type.String({ pattern: nodeName }),
  Type.Object({ class: Type.Optional(nodeClass) }, closed),
  {
    ...closed,
    description: 'Settings by pool name.',
  },
);
const guard = Type.Object(
  {
    count: Type.Optional(Type.Integer({ minimum: 0, description: 'As many removals always pass.' })),
    share: Type.Optional(
      Type.Number({ minimum: 0, maximum: 1, description: 'Share of what a source had that may go at once.' }),
    ),
  },
  { ...closed, description: 'One change that removes more than both of these waits for `oakctl approve`.' },
);
const endpoint = (description: string, port: number) =>
  Type.Object(
    {
      host: Type.Optional(Type.String({ maxLength: 255, description: 'Address to listen on; loopback.' })),
      port: Type.Optional(
        Type.Integer({ minimum: 0, maximum: 65_535, default: port, description: '0 takes any free port.' }),
      ),
    },
    { ...closed, description },
  );

const tls = Type.Union(
  [
    Type.Literal('auto'),
    Type.Object(
      {
        names: Type.Optional(
          Type.Array(Type.String({ maxLength: 253, pattern: '^[A-Za-z0-9*][A-Za-z0-9.:-]*$' }), {
            maxItems: 64,
            description: 'More host names and addresses for the generated certificate.',
          }),
        ),
        cert: Type.Optional(Type.String({ pattern: '^/', maxLength: 4096, description: 'PEM file, chain included.' })),
        key: Type.Optional(Type.String({ pattern: '^/', maxLength: 4096, description: 'PEM file of its key.' })),
        ca: Type.Optional(
          Type.String({
            pattern: '^/',
            maxLength: 4096,
            description: 'PEM file of the root that signed it; absent: a public authority did.',
          }),
        ),
      },
      closed,
    ),
  ],
  {
    description:
      'TLS for API and broker. `auto` makes an authority and certificates; `{cert, key, ca}` takes files, and reads them again when they change.',
  },
);
/** Says in its name what it does. */
export const insecureSetting = 'insecure_outside_loopback_i_know_the_risk';

/** Schema of cluster.yaml. */
export const ClusterFile = Type.Object(
  {
    cluster: Type.String({ pattern: nodeName, description: 'Name of the cluster.' }),
    location: Type.Optional(
      Type.String({ maxLength: 255, description: 'Where it is: free text, or `latitude,longitude[,radius in m]`.' }),
    ),
    labels: Type.Optional(
      Type.Record(
        Type.String({ pattern: labelKeyPattern.source }),
        Type.Union([Type.String({ maxLength: 255 }), Type.Number(), Type.Boolean()]),
        { ...closed, description: `What descriptors read as \${cluster.label.<key>}.` },
      ),
    ),
    sources: Type.Optional(Type.Array(SourceFile, { maxItems: 64, description: 'Git repositories to follow.' })),
    api: Type.Optional(endpoint('The HTTP API.', 10_100)),
    mqtt: Type.Optional(MqttFile),
    broker: Type.Optional(BrokerFile),
    tls: Type.Optional(tls),
    endpoints: Type.Optional(EndpointsFile),
    [insecureSetting]: Type.Optional(
      Type.Boolean({
        description: 'Listen outside loopback without TLS. Every credential is then readable on the way.',
      }),
    ),
    node_class: Type.Optional(nodeClass),
    lost_after: Type.Optional(
      Type.Object(
        {
          edge: Type.Optional(durationSchema('For class edge; default 90s')),
          lan: Type.Optional(durationSchema('For class lan; default 15s')),
          fast: Type.Optional(durationSchema('For class fast; default 2s')),
        },
        { ...closed, description: 'Silence after which a node is lost.' },
      ),
    ),
    cpu_overcommit: Type.Optional(
      Type.Number({ minimum: 0.01, maximum: 1000, description: 'How many times over vcpus may be promised.' }),
    ),
    placement: Type.Optional(
      Type.Enum(['spread', 'best_fit'], {
        description: '`spread` (default) takes the emptiest node, `best_fit` the fullest that has room.',
      }),
    ),
    guard: Type.Optional(guard),
    nodes: Type.Optional(nodes),
    notifications: Type.Optional(NotificationsFile),
    webhooks: Type.Optional(WebhooksFile),
    limits: Type.Optional(
      Type.Enum(['request', 'none'], { description: '`request` makes what a service needs its hard cap too.' }),
    ),
    pools: Type.Optional(pools),
    compat: Type.Optional(
      Type.Object(
        {
          mycluster: Type.Optional(
            Type.Object(
              {
                port: Type.Optional(
                  Type.Integer({ minimum: 0, maximum: 65_535, description: 'On loopback; default 5000.' }),
                ),
              },
              {
                ...closed,
                description: "MyCluster's API on its own port, for programs on this machine, without a token.",
              },
            ),
          ),
          oakestra: Type.Optional(
            Type.Object(
              {
                json_in_strings: Type.Optional(
                  Type.Boolean({
                    description:
                      'What is read there comes as a string that holds the JSON, for clients that parse twice; default false.',
                  }),
                ),
              },
              { ...closed, description: "How Oakestra's API answers." },
            ),
          ),
          custom_orchestrator: Type.Optional(
            Type.Object(
              {
                port: Type.Optional(
                  Type.Integer({ minimum: 1, maximum: 65_535, description: 'Where `api` listens; default 9999.' }),
                ),
              },
              {
                ...closed,
                description: "The API on the port of FRACTAL's custom orchestrator, for its resource manager.",
              },
            ),
          ),
        },
        { ...closed, description: 'Doors for clients of other systems.' },
      ),
    ),
  },
  { ...closed, title: 'oakctl cluster.yaml', description: 'Settings of a cluster, on the host of its reconciler.' },
);
export type ClusterFile = Static<typeof ClusterFile>;

/** Schema of oakctl.yaml. */
export const RepositoryFile = Type.Object(
  {
    poll: Type.Optional(durationSchema('Time between two looks at this repository')),
    pools: Type.Optional(pools),
    guard: Type.Optional(guard),
    nodes: Type.Optional(nodes),
    notifications: Type.Optional(Type.Unknown({ description: 'Ignored: cluster.yaml says who is notified.' })),
  },
  { ...closed, title: 'oakctl.yaml', description: 'Settings that a repository gives to the cluster that follows it.' },
);
export type RepositoryFile = Static<typeof RepositoryFile>;
