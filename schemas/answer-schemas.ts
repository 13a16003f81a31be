/**
 * Answers of the native API (types in api.ts, accounts.ts, joining.ts and packages.ts) that no command prints as they are: for the
 * API's own description. Open, as view-schemas.ts; a contract test holds them and those types together.
 */
import { type TSchema, Type } from 'typebox';
import { roles } from './accounts.ts';
import { EndpointList } from './endpoints.ts';
import { packageArchitectures } from './packages.ts';
import { PlainJob } from './seed.ts';
import { Chain } from './trust.ts';
import {
  CordonView,
  DeployedService,
  OverrideSchema,
  ProblemView,
  SourceSchema,
  SuspendSchema,
  words,
} from './view-schemas.ts';

const text = Type.String();
const texts = Type.Array(text);
const count = Type.Integer({ minimum: 0 });
const wall = Type.Number({ description: 'ms since 1970' });
const role = words(roles);
const optional = <T extends TSchema>(schema: T) => Type.Optional(schema);

/** What every refusal of the native API is. */
export const ProblemsAnswer = Type.Object({ problems: Type.Array(ProblemView) });

export const SessionSchema = Type.Object({
  user: text,
  role,
  token: Type.String({ description: 'the bearer of all other requests' }),
  refresh_token: Type.String({ description: 'good for one use' }),
  expires: Type.Number({ description: 'end of the token, ms since 1970' }),
  until: Type.Number({ description: 'end of the session, ms since 1970' }),
});

export const CallerSchema = Type.Object({
  name: text,
  role,
  by: words(['cluster', 'login', 'token']),
  apps: optional(Type.Array(text, { description: 'what it is limited to' })),
  expires: optional(wall),
});

export const UserSchema = Type.Object({ name: text, role, created: wall, changed: wall, tokens: count });
export const UserAnswerSchema = Type.Object({
  user: UserSchema,
  password: optional(Type.String({ description: 'where one was made; told once' })),
});

export const ApiTokenSchema = Type.Object({
  id: text,
  user: text,
  role,
  apps: optional(texts),
  purpose: optional(text),
  created: wall,
  expires: wall,
  state: words(['valid', 'expired', 'revoked']),
});
export const ApiTokenAnswerSchema = Type.Object({
  token: Type.String({ description: 'told once' }),
  view: ApiTokenSchema,
});

export const DeployAnswerSchema = Type.Object({
  services: Type.Array(DeployedService),
  warnings: Type.Array(ProblemView),
});

export const SlotAnswerSchema = Type.Object({
  instance: text,
  node: optional(text),
  override: optional(OverrideSchema),
});

export const VerbAnswerSchema = Type.Object({
  service: text,
  digest: text,
  changed: Type.Boolean({ description: 'false: it was so already' }),
  instances: texts,
  after: optional(Type.String({ description: 'a restart: older copies, and this one, were to be replaced' })),
  override: optional(OverrideSchema),
});

export const CordonAnswerSchema = Type.Object({
  node: text,
  changed: Type.Boolean({ description: 'false: it was so already' }),
  cordoned: optional(CordonView),
});

export const SuspendAnswerSchema = Type.Object({
  subject: text,
  changed: Type.Boolean({ description: 'false: it was so already' }),
  suspended: optional(SuspendSchema),
});

export const SyncAnswerSchema = Type.Object({ sources: Type.Array(SourceSchema) });

/** The node whose place a machine takes. */
export const ReplacesSchema = Type.Object({
  node: text,
  state: words(['online', 'suspect', 'lost', 'expected', 'revoked']),
  data: Type.Array(text, { description: 'instances that wait for their data, which is on the machine that goes' }),
  cordoned: optional(CordonView),
});

export const TokenAnswerSchema = Type.Object({
  token: text,
  id: text,
  expires: wall,
  replaces: optional(ReplacesSchema),
});

export const LoginAnswerSchema = Type.Object({
  registry: text,
  changed: Type.Boolean({ description: 'false: it was so already' }),
  unchecked: optional(Type.String({ description: 'why the registry could not be asked whether the login is good' })),
});

export const PackageSchema = Type.Object({
  arch: words(packageArchitectures),
  file: text,
  version: text,
  node: text,
  bytes: count,
  unpacked: count,
  sha256: text,
});

export const PackagesSchema = Type.Object({
  items: Type.Array(PackageSchema),
  folder: text,
  installer: Type.String({ description: 'SHA-256 of the script as it is served now, hex' }),
  problem: optional(ProblemView),
});

export const IdentitySchema = Type.Object({
  cluster: text,
  fingerprint: text,
  kid: text,
  key: Type.String({ description: 'raw Ed25519 public key, base64url' }),
  sig: text,
  endpoints: optional(EndpointList),
  wire: optional(Type.Object({ least: count, most: count })),
  since: optional(Type.Object({ chain: Chain, sig: text })),
});

export const JoinAnswerSchema = Type.Object({
  id: text,
  name: text,
  cluster: text,
  fingerprint: text,
  ordinal: count,
  mqtt: Type.Object({
    host: text,
    port: count,
    tls: optional(Type.Boolean()),
    url: optional(text),
    ca: optional(text),
    username: text,
    password: text,
  }),
  keys: Type.Record(Type.String(), text),
});

export const CredentialSchema = Type.Object({ serial: count, password: text });

export const RegisterAnswerSchema = Type.Object({
  id: text,
  MQTT_BROKER_PORT: Type.String({ description: 'a text, as Oakestra has it' }),
  MQTT_BROKER_URL: optional(text),
  username: text,
  password: text,
});

export const PullSourceSchema = Type.Object({
  host: text,
  username: optional(text),
  password: optional(text),
  plainHttp: optional(Type.Literal(true)),
  note: optional(text),
});

export const CalculateAnswerSchema = Type.Object({
  workers: Type.Array(text, { description: 'the best first' }),
  job: Type.Object(PlainJob.properties, { additionalProperties: true, description: 'as it was sent' }),
  problems: optional(Type.Array(Type.Object({ code: text, message: text, hint: optional(text) }))),
});

export const OkSchema = Type.Object({ ok: Type.Literal(true) });
