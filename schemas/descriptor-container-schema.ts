/** Schemas of what a container is given: files, volumes, access to the host, caps. */
import { Type } from 'typebox';
import { amount, closed, name, optional } from './descriptor-words.ts';
import { longestPath } from './host-access.ts';
import { secretKeyPattern, secretNamePattern } from './secret-names.ts';

export const Files = Type.Array(
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

export const Secrets = Type.Array(
  Type.Union(
    [
      Type.String({ pattern: secretNamePattern.source, description: 'Name of a secret.' }),
      Type.Object(
        {
          name: Type.String({ pattern: secretNamePattern.source, description: 'Name of a secret.' }),
          ...optional({
            source: Type.Literal('node', { description: 'A file of the node, of this name; default the repository.' }),
            key: Type.String({
              pattern: secretKeyPattern.source,
              description: 'Which of its values, if it has several.',
            }),
            path: Type.String({
              minLength: 1,
              maxLength: longestPath,
              description: 'Absolute path of the file; default /run/secrets/<name>, or /run/secrets/<name>.<key>.',
            }),
            mode: Type.String({
              pattern: '^0?[0-7]{3}$',
              description: 'Permission bits as a quoted octal number; default "0444".',
              errorMessage: 'must be a quoted octal number like "0400"',
            }),
          }),
        },
        { ...closed, description: 'One file.' },
      ),
    ],
    { errorMessage: 'must be a name, or a name with source: node, key, path, mode' },
  ),
  {
    maxItems: 32,
    description: 'Secrets of the repository (secrets/<name>.yaml), or of the node, as files in memory.',
    errorMessage: 'must be a list of names, or of {name, source, key, path, mode}',
  },
);

export const Host = Type.Object(
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

export const Volumes = Type.Array(
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

export const Limits = Type.Object(
  optional({ memory: amount('Hard cap in MB.'), vcpus: amount('Hard cap in cores.') }),
  {
    ...closed,
    description: 'Hard caps. Without them, memory and vcpus are what is needed, and no cap.',
  },
);
