/** Schema of nodes.yaml. What it means is in nodes-file.ts. */
import { type Static, type TSchema, Type } from 'typebox';
import { labelKeyPattern } from './names.ts';

/** Ports where seed 002 expects its services. */
export const defaultPorts = { metrics: 61_208, customOrchestrator: 9_999 } as const;

const closed = { additionalProperties: false } as const;
/** A blank value means the same as an absent key. */
const blank = <T extends TSchema>(schema: T, description: string) =>
  Type.Optional(Type.Union([schema, Type.Null()], { description }));
const hostname = Type.String({
  pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,252}$',
  description: 'Host name: the node that joined under this name.',
});
const port = Type.Integer({ minimum: 1, maximum: 65_535 });
const amount = (description: string) => Type.Number({ exclusiveMinimum: 0, description });
const scalar = Type.Union([Type.String({ maxLength: 255 }), Type.Number(), Type.Boolean()]);

const NodeItem = Type.Object(
  {
    hostname,
    IP: blank(Type.String({ maxLength: 45 }), 'Address: matches a node whose name does not, and is an alias of it.'),
    port: blank(port, `Port of its metrics service; ${defaultPorts.metrics} by default.`),
    orchestrator: blank(Type.String({ maxLength: 64 }), '`docker`, `kubernetes`, or the name of your own.'),
    resources: blank(Type.Array(Type.String({ maxLength: 64 })), 'Metrics to watch; blank for all.'),
    labels: blank(
      Type.Record(Type.String({ pattern: labelKeyPattern.source }), scalar, closed),
      'Labels, for constraints of services.',
    ),
    pool: blank(
      Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$' }),
      'Pool: settings for its nodes are in oakctl.yaml.',
    ),
    capacity: blank(
      Type.Object(
        {
          cpu: Type.Optional(amount('Cores.')),
          memory: Type.Optional(amount('MB.')),
          storage: Type.Optional(amount('MB of disk. Absent: not counted.')),
          bandwidth_in: Type.Optional(amount('kbit/s. Absent: not counted.')),
          bandwidth_out: Type.Optional(amount('kbit/s. Absent: not counted.')),
        },
        closed,
      ),
      'What jobs may reserve: cores, MB and kbit/s. Absent: what the agent reports.',
    ),
    location: blank(Type.String({ maxLength: 255 }), 'Free text, or `lat,long[,radius]`.'),
    thresholds: blank(Type.Record(Type.String(), Type.Unknown()), 'Not carried out by this version.'),
    cordon: blank(Type.Boolean(), 'No new copies here.'),
  },
  { ...closed, description: 'One node.' },
);

const CustomItem = Type.Object(
  {
    hostname: blank(hostname, 'Host name.'),
    IP: blank(Type.String({ maxLength: 45 }), 'Address.'),
    port: blank(port, `${defaultPorts.customOrchestrator} by default.`),
  },
  { ...closed, description: 'Where the resource manager pushed to.' },
);

/** Schema of nodes.yaml. */
export const NodesFile = Type.Array(
  Type.Object(
    { node: Type.Optional(NodeItem), 'custom-orchestrator': Type.Optional(CustomItem) },
    { ...closed, minProperties: 1, maxProperties: 1 },
  ),
  { maxItems: 10_000, title: 'oakctl nodes.yaml', description: 'The nodes of a cluster, as a list of `node:` items.' },
);
export type NodesFile = Static<typeof NodesFile>;
