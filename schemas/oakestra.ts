/**
 * Oakestra's HTTP API of its root orchestrator: the bodies that its clients send, and the answers that they read. Names are
 * Oakestra's. Bodies are open: its clients send more than anybody reads.
 */
import { type Static, Type } from 'typebox';
import { Microservice } from './descriptor-schema.ts';

const text = Type.String();
const texts = Type.Array(text);
const count = Type.Integer({ minimum: 0 });
const given = Type.String({ minLength: 1, maxLength: 1024 });

/** Names of roles, as texts or as `{name}`. */
const RoleNames = Type.Array(Type.Union([given, Type.Object({ name: given })]), { maxItems: 10 });

/** POST /api/auth/register */
export const OakestraRegisterBody = Type.Object({ name: given, password: given, roles: Type.Optional(RoleNames) });

/** POST /api/user/:username */
export const OakestraPasswordsBody = Type.Object({ oldPassword: given, newPassword: given });

/** PUT /api/user/:username */
export const OakestraRolesBody = Type.Object({ roles: RoleNames });

/** POST /api/service and PUT /api/service/:id: the first application, which is known by its id. */
export const OakestraServiceSla = Type.Object({
  sla_version: Type.Optional(Type.Enum(['v2.0'])),
  customerID: Type.Optional(Type.String({ maxLength: 256, description: 'ignored: the caller is the owner' })),
  applications: Type.Array(
    Type.Object({
      applicationID: Type.Optional(Type.String({ maxLength: 64, description: 'needed where a service is added' })),
      microservices: Type.Array(Microservice),
    }),
    { minItems: 1 },
  ),
});

/** PUT /api/application/:id: what is absent stays. */
export const OakestraApplicationBody = Type.Object({
  application_name: Type.Optional(text),
  application_namespace: Type.Optional(text),
  application_desc: Type.Optional(text),
});

/** Every refusal. `problems`: as the native API has them. */
export const OakestraFailure = Type.Object({
  code: count,
  message: text,
  problems: Type.Optional(Type.Array(Type.Unknown())),
});

const ObjectId = Type.Object({ $oid: text });

export const OakestraTokens = Type.Object({ token: text, refresh_token: text });
export const OakestraMessage = Type.Object({ message: text });

const Roles = Type.Array(Type.Object({ name: text }));
export const OakestraPermission = Type.Object({ roles: Roles });

export const OakestraUser = Type.Object({
  _id: ObjectId,
  name: text,
  email: text,
  created_at: Type.Number({ description: 'seconds since 1970' }),
  roles: Roles,
});
export type OakestraUser = Static<typeof OakestraUser>;

export const OakestraApplication = Type.Object({
  _id: ObjectId,
  applicationID: text,
  userId: Type.String({ description: 'name of the owner' }),
  application_name: text,
  application_namespace: text,
  application_desc: text,
  microservices: Type.Array(text, { description: 'ids' }),
});
export type OakestraApplication = Static<typeof OakestraApplication>;

export const OakestraInstance = Type.Object({
  instance_number: count,
  cluster_id: text,
  cluster_location: text,
  status: Type.String({ description: "in Oakestra's words" }),
  status_detail: text,
  publicip: text,
  worker_id: text,
  host_ip: text,
});
export type OakestraInstance = Static<typeof OakestraInstance>;

/** A service: its descriptor, and how it is. */
export const OakestraService = Type.Object({
  ...Microservice.properties,
  _id: ObjectId,
  microserviceID: text,
  applicationID: text,
  virtualization: text,
  image: text,
  port: Type.Union([text, Type.Integer()]),
  app_name: text,
  app_ns: text,
  service_name: text,
  service_ns: text,
  job_name: Type.String({ description: '`<app>.<namespace>.<service>.<namespace>`' }),
  next_instance_progressive_number: count,
  instance_list: Type.Array(OakestraInstance),
  status: Type.Union([text, Type.Null()], { description: 'the worst of its instances; null without any' }),
  status_detail: text,
});

export const OakestraAdded = Type.Object({
  job_id: Type.String({ description: 'of the last one' }),
  deployed_services: Type.Array(Type.Object({ service_name: text, status: text })),
  failed_services: texts,
});

export const OakestraNewInstance = Type.Object({ message: text, instance_number: count });

const amount = Type.Number({ minimum: 0 });
export const OakestraCluster = Type.Object({
  _id: ObjectId,
  cluster_id: text,
  cluster_name: text,
  cluster_location: text,
  active: Type.Boolean(),
  active_nodes: count,
  number_of_nodes: count,
  vcpus: amount,
  total_cpu_cores: amount,
  cpu_percent: amount,
  aggregated_cpu_percent: amount,
  memory: Type.Number({ minimum: 0, description: 'MB' }),
  memory_in_mb: amount,
  memory_percent: amount,
  vgpus: amount,
  total_gpu_cores: amount,
  virtualization: texts,
});
export type OakestraCluster = Static<typeof OakestraCluster>;
