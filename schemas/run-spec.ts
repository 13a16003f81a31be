/** The run spec on the wire: a closed schema. What is not in it cannot reach a runtime. */
import { type Static, Type } from 'typebox';
import { longestPath } from './host-access.ts';
import { appNamePattern } from './names.ts';
import { checkMessage } from './parse.ts';
import type { Problem } from './problem.ts';
import { secretKeyPattern, secretNamePattern } from './secret-names.ts';
import type { RunSpec } from './spec.ts';

const closed = { additionalProperties: false } as const;
const ms = Type.Integer({ minimum: 0, maximum: 365 * 86_400_000 });
const port = Type.Integer({ minimum: 1, maximum: 65_535 });
const word = Type.String({ maxLength: 32_768, pattern: '^[^\\u0000]*$' });
const path = Type.String({ maxLength: longestPath, pattern: '^/[^\\u0000]*$' });
const amount = Type.Number({ minimum: 0, maximum: 1e9 });

/** Schema of {@link RunSpec}. */
export const RunSpecSchema = Type.Object(
  {
    virtualization: Type.Enum(['container', 'process']),
    code: Type.String({ minLength: 1, maxLength: 4096, pattern: '^[^\\u0000]*$' }),
    cmd: Type.Optional(Type.Array(word, { maxItems: 1024 })),
    environment: Type.Optional(
      Type.Array(Type.String({ maxLength: 32_768, pattern: '^[^=\\u0000]+=[^\\u0000]*$' }), { maxItems: 1024 }),
    ),
    ports: Type.Optional(
      Type.Array(Type.Object({ host: port, container: port, protocol: Type.Enum(['tcp', 'udp']) }, closed), {
        maxItems: 256,
      }),
    ),
    memory: Type.Optional(amount),
    vcpus: Type.Optional(amount),
    limits: Type.Optional(Type.Object({ memory: Type.Optional(amount), vcpus: Type.Optional(amount) }, closed)),
    healthcheck: Type.Optional(
      Type.Object(
        {
          command: Type.Array(word, { minItems: 1, maxItems: 256 }),
          interval: ms,
          timeout: ms,
          retries: Type.Integer({ minimum: 1, maximum: 1000 }),
          start_period: ms,
        },
        closed,
      ),
    ),
    restart: Type.Optional(Type.Enum(['always', 'on_failure', 'never'])),
    one_shot: Type.Optional(Type.Boolean()),
    stop_grace: Type.Optional(ms),
    vgpus: Type.Optional(Type.Integer({ minimum: 0, maximum: 1024 })),
    files: Type.Optional(
      Type.Array(
        Type.Object(
          {
            path,
            content: Type.String({ maxLength: 65_536, pattern: '^[^\\u0000]*$' }),
            mode: Type.Integer({ minimum: 0, maximum: 0o777 }),
          },
          closed,
        ),
        { maxItems: 64 },
      ),
    ),
    secrets: Type.Optional(
      Type.Array(
        Type.Object(
          {
            name: Type.String({ pattern: secretNamePattern.source }),
            source: Type.Optional(Type.Literal('node')),
            version: Type.Optional(Type.String({ pattern: '^[0-9]{0,15}(\\+[0-9a-f]{16})?$' })),
            key: Type.Optional(Type.String({ pattern: secretKeyPattern.source })),
            path,
            mode: Type.Integer({ minimum: 0, maximum: 0o777 }),
          },
          closed,
        ),
        { maxItems: 32 },
      ),
    ),
    host: Type.Optional(
      Type.Object(
        {
          devices: Type.Optional(Type.Array(path, { maxItems: 64 })),
          mounts: Type.Optional(
            Type.Array(Type.Object({ source: path, target: path, read_only: Type.Optional(Type.Boolean()) }, closed), {
              maxItems: 64,
            }),
          ),
          network: Type.Optional(Type.Literal('host')),
          caps: Type.Optional(Type.Array(Type.String({ pattern: '^[A-Z_]{1,32}$' }), { maxItems: 64 })),
        },
        closed,
      ),
    ),
    volumes: Type.Optional(
      Type.Array(
        Type.Object(
          {
            name: Type.String({ pattern: appNamePattern.source }),
            mount_path: path,
            read_only: Type.Optional(Type.Boolean()),
          },
          closed,
        ),
        { maxItems: 16 },
      ),
    ),
    privileged: Type.Optional(Type.Boolean()),
  },
  closed,
);

/** Schema and type say the same: a member that only one of them has does not compile. */
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? readonly string[] : never) : never;
type Plain<T> = T extends readonly (infer Item)[]
  ? Plain<Item>[]
  : T extends object
    ? { -readonly [Key in keyof T]: Plain<T[Key]> }
    : T;
type Fields = Same<Plain<Static<typeof RunSpecSchema>>, Plain<RunSpec>>;

/** Members of a run spec that this version understands, sorted: agents report them, the planner compares. */
export const runSpecFields: Fields = Object.keys(RunSpecSchema.properties).sort();

/**
 * A run spec from the wire, or what is wrong with it: UNKNOWN_FIELD for a member of a later version, else BAD_REQUEST. Tell
 * them apart with `'disposition' in answer` (only problems have one).
 */
export function parseRunSpec(value: unknown): RunSpec | Problem {
  const parsed = checkMessage<RunSpec>(RunSpecSchema, value);
  return parsed.ok ? parsed.value : parsed.problem;
}
