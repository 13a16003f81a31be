/** Schemas that are written down once: wherever one of them occurs, there is a reference to it. */
import type { TSchema } from 'typebox';
import * as answers from '../../../schemas/answer-schemas.ts';
import * as bodies from '../../../schemas/api-bodies.ts';
import { ClusterSnapshotSchema } from '../../../schemas/cluster-snapshot.ts';
import { Descriptor, Microservice } from '../../../schemas/descriptor-schema.ts';
import { KeyViewSchema } from '../../../schemas/keys.ts';
import { MyClusterDefinition, MyClusterState } from '../../../schemas/mycluster.ts';
import * as oakestra from '../../../schemas/oakestra.ts';
import { PlainJob } from '../../../schemas/seed.ts';
import * as views from '../../../schemas/view-schemas.ts';

const named: Readonly<Record<string, TSchema>> = {
  Problem: views.ProblemView,
  Problems: answers.ProblemsAnswer,
  Hold: views.HoldView,
  Instance: views.InstanceSchema,
  Service: views.ServiceSchema,
  Override: views.OverrideSchema,
  Application: views.AppSchema,
  Node: views.NodeSchema,
  Cordon: views.CordonView,
  Source: views.SourceSchema,
  Status: views.StatusSchema,
  Cause: views.CauseSchema,
  Plan: views.PlanSchema,
  Pin: views.PinSchema,
  Revision: views.RevisionSchema,
  Key: KeyViewSchema,
  Session: answers.SessionSchema,
  User: answers.UserSchema,
  ApiToken: answers.ApiTokenSchema,
  VerbAnswer: answers.VerbAnswerSchema,
  SlotAnswer: answers.SlotAnswerSchema,
  CordonAnswer: answers.CordonAnswerSchema,
  Documents: bodies.DeployBody,
  Descriptor,
  Microservice,
  PlainJob,
  ClusterSnapshot: ClusterSnapshotSchema,
  OakestraApplication: oakestra.OakestraApplication,
  OakestraService: oakestra.OakestraService,
  OakestraInstance: oakestra.OakestraInstance,
  OakestraCluster: oakestra.OakestraCluster,
  OakestraUser: oakestra.OakestraUser,
  OakestraFailure: oakestra.OakestraFailure,
  OakestraMessage: oakestra.OakestraMessage,
  MyClusterState,
  MyClusterDefinition,
};

export interface References {
  /** A schema as plain JSON, with references in place of what has a name. */
  to(schema: unknown): unknown;
  /** All named schemas. */
  readonly components: Readonly<Record<string, unknown>>;
}

export function createReferences(): References {
  /** By their text: an optional member is a copy of its schema. */
  const names = new Map(Object.entries(named).map(([name, schema]) => [JSON.stringify(schema), name]));
  const place = (name: string) => ({ $ref: `#/components/schemas/${name}` });
  const to = (value: unknown, owner?: string): unknown => {
    const name = names.get(JSON.stringify(value));
    return name === undefined ? inside(value, owner) : place(name);
  };
  /** `owner`: the named schema that this is part of, which is what `#` means in it. */
  const inside = (value: unknown, owner?: string): unknown => {
    if (Array.isArray(value)) return value.map((item) => to(item, owner));
    if (typeof value !== 'object' || value === null) return value;
    if ('$ref' in value && value.$ref === '#' && owner !== undefined) return { ...value, ...place(owner) };
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, to(member, owner)]));
  };
  const components = Object.entries(named).map(([name, schema]) => [name, inside(schema, name)] as const);
  return { to: (schema) => to(schema), components: Object.fromEntries(components) };
}
