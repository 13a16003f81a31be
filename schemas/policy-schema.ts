/** Schema of a node's policy.yaml. What it means is in policy.ts. */
import { type Static, type TSchema, Type } from 'typebox';
import { longestPath } from './host-access.ts';

const closed = { additionalProperties: false } as const;
const path = (description: string) => Type.String({ minLength: 1, maxLength: longestPath, description });
const list = <T extends TSchema>(item: T, description: string) =>
  Type.Array(item, { minItems: 1, maxItems: 64, description });

const Mount = Type.Object(
  {
    path: path('Folder or file of the node; what lies below it is granted, too.'),
    read_only: Type.Optional(Type.Boolean({ description: 'Only to read; default false.' })),
  },
  { ...closed, description: 'A folder of the node.' },
);

const PolicyGrant = Type.Object(
  {
    app: Type.String({
      minLength: 1,
      maxLength: 63,
      description: 'For whom: `app`, `app.namespace`, or `*` for every application.',
    }),
    service: Type.Optional(
      Type.String({ minLength: 1, maxLength: 63, description: 'Of these only: `service` or `service.namespace`.' }),
    ),
    privileged: Type.Optional(Type.Boolean({ description: 'Oakestra: /dev/fuse, and the right to mount.' })),
    devices: Type.Optional(list(path('A device below /dev.'), 'Devices, each by its path.')),
    mounts: Type.Optional(list(Mount, 'Folders of the node that may be mounted.')),
    network: Type.Optional(Type.Enum(['host'], { description: 'The network of the node itself.' })),
    caps: Type.Optional(list(Type.String({ maxLength: 32, description: 'E.g. NET_ADMIN.' }), 'Capabilities.')),
  },
  { ...closed, description: 'What one service, one application, or all may do on this node.' },
);

/** Schema of policy.yaml. */
export const PolicyFile = Type.Object(
  {
    grants: Type.Optional(Type.Array(PolicyGrant, { maxItems: 64, description: 'What is allowed. All else is not.' })),
    registries: Type.Optional(
      list(
        Type.String({ minLength: 1, maxLength: 255, description: '`host` or `host:port`, e.g. docker.io.' }),
        'New containers take images of these registries only, and mirrors are asked only if they are here. Absent: any.',
      ),
    ),
    images: Type.Optional(
      list(
        Type.String({ minLength: 1, maxLength: 255, description: 'An image without its version, or `name/*`.' }),
        'New containers take these images only, in every version. Absent: any.',
      ),
    ),
    drift: Type.Optional(
      Type.Enum(['heal', 'keep'], {
        description:
          'What becomes of copies that somebody stops, removes or changes on this node by hand. heal (default): they are made as they were; keep: they are left as they are, until the agent or the engine starts anew or another version comes.',
      }),
    ),
  },
  { ...closed, title: 'oakctl policy.yaml', description: "What a node's owner lets services do on it." },
);
export type PolicyFile = Static<typeof PolicyFile>;
