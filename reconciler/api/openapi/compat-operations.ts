/** Oakestra's API, MyCluster's, and that of FRACTAL's custom orchestrator. */
import { Type } from 'typebox';
import { CredentialsBody } from '../../../schemas/accounts.ts';
import { ProblemsAnswer } from '../../../schemas/answer-schemas.ts';
import { Descriptor } from '../../../schemas/descriptor-schema.ts';
import { LoadNodesBody, TaintsBody } from '../../../schemas/fractal.ts';
import {
  MyClusterChange,
  MyClusterDefinition,
  MyClusterFailure,
  MyClusterPending,
  MyClusterService,
  MyClusterState,
  MyClusterStats,
} from '../../../schemas/mycluster.ts';
import {
  OakestraAdded,
  OakestraApplication,
  OakestraApplicationBody,
  OakestraCluster,
  OakestraFailure,
  OakestraMessage,
  OakestraNewInstance,
  OakestraPasswordsBody,
  OakestraPermission,
  OakestraRegisterBody,
  OakestraRolesBody,
  OakestraService,
  OakestraServiceSla,
  OakestraTokens,
  OakestraUser,
} from '../../../schemas/oakestra.ts';
import { notServed } from '../oakestra/not-served.ts';
import type { OperationGroup, Operations } from './operation.ts';

const applications = Type.Array(OakestraApplication);
const services = Type.Array(OakestraService);
const clusters = Type.Array(OakestraCluster);
const done = { 200: OakestraMessage };

/** They say why. */
const missing: Operations = Object.fromEntries(
  notServed.map(([method, url]) => [`${method} ${url}`, { summary: 'not served', answers: { 501: OakestraFailure } }]),
);

const oakestra: Operations = {
  ...missing,
  'POST /api/auth/login': {
    summary: 'a token for a name and a password; 403 without a body',
    body: CredentialsBody,
    answers: { 200: OakestraTokens },
  },
  'POST /api/auth/refresh': { summary: 'another pair of tokens', shows: 'refresh', answers: { 200: OakestraTokens } },
  'POST /api/auth/register': { summary: 'a new user', body: OakestraRegisterBody, answers: { 200: OakestraUser } },
  'GET /api/permission/:username': { summary: 'roles of a user', answers: { 200: OakestraPermission } },
  'GET /api/users': { summary: 'all users', answers: { 200: Type.Array(OakestraUser) } },
  'GET /api/user/:username': { summary: 'a user: oneself, or for admins anybody', answers: { 200: OakestraUser } },
  'POST /api/user/:username': { summary: 'another password', body: OakestraPasswordsBody, answers: done },
  'PUT /api/user/:username': { summary: 'another role', body: OakestraRolesBody, answers: { 200: OakestraUser } },
  'DELETE /api/user/:username': { summary: 'the end of a user', answers: done },
  'POST /api/application': {
    summary: 'register an SLA, or edit what has its ids; starts nothing. Answers with all applications',
    body: Descriptor,
    answers: { 200: applications },
  },
  'GET /api/applications': { summary: 'all applications', answers: { 200: applications } },
  'GET /api/applications/:id': { summary: 'those of the user with this id', answers: { 200: applications } },
  'GET /api/aplications': {
    summary: "all applications, as Oakestra's manual spells it",
    answers: { 200: applications },
  },
  'GET /api/aplications/:id': { summary: 'those of the user with this id', answers: { 200: applications } },
  'GET /api/application/:id': { summary: 'one application', answers: { 200: OakestraApplication } },
  'PUT /api/application/:id': {
    summary: 'another name or description; what is absent stays',
    body: OakestraApplicationBody,
    answers: done,
  },
  'DELETE /api/application/:id': { summary: 'it goes, with all that is in it', answers: done },
  'POST /api/service': {
    summary: 'add services to an application',
    body: OakestraServiceSla,
    answers: { 200: OakestraAdded },
  },
  'GET /api/services': { summary: 'all services', answers: { 200: services } },
  'GET /api/services/:id': { summary: 'services of the application with this id', answers: { 200: services } },
  'GET /api/service/:id': { summary: 'a service and its instances', answers: { 200: OakestraService } },
  'PUT /api/service/:id': {
    summary: 'the first service of the SLA in its place: a rollout',
    body: OakestraServiceSla,
    answers: done,
  },
  'DELETE /api/service/:id': { summary: 'it goes, with all its instances', answers: done },
  'POST /api/service/:id/instance': { summary: 'one more instance', answers: { 200: OakestraNewInstance } },
  'DELETE /api/service/:id/instance/:number': { summary: 'exactly that instance; -1: all of them', answers: done },
  'GET /api/clusters': { summary: 'this cluster', answers: { 200: clusters } },
  'GET /api/clusters/active': { summary: 'this cluster', answers: { 200: clusters } },
};

const changed = { 200: MyClusterState, 202: MyClusterPending };

const myCluster: Operations = {
  'GET /api/v1/state': { summary: 'workers, what runs on them, and services', answers: { 200: MyClusterState } },
  'GET /api/v1/stats': { summary: 'the five counters', answers: { 200: MyClusterStats } },
  'GET /api/v1/service': { summary: 'all services', answers: { 200: Type.Array(MyClusterDefinition) } },
  'POST /api/v1/service': {
    summary: 'so many replicas of an image; 202 while it waits for somebody',
    body: MyClusterService,
    answers: { 201: MyClusterState, 202: MyClusterPending },
  },
  'GET /api/v1/service/:name': { summary: 'one service', answers: { 200: MyClusterDefinition } },
  'PUT /api/v1/service/:name': { summary: 'other replicas or image', body: MyClusterChange, answers: changed },
  'DELETE /api/v1/service/:name': { summary: 'it goes', answers: { 200: MyClusterState } },
};

const fractal: Operations = {
  'GET /': { summary: 'it answers', answers: { 200: 'text/plain' } },
  'POST /api/v1/load_nodes': {
    summary: 'the nodes of a resource manager: says which of them are known',
    body: LoadNodesBody,
    answers: { 200: 'text/plain' },
  },
  'POST /api/v1/update_taints': {
    summary: 'all nodes that are tainted now: cordoned, until they are not in it any more',
    body: TaintsBody,
    answers: { 200: 'text/plain' },
  },
};

export const compatGroups: readonly OperationGroup[] = [
  {
    name: 'Oakestra',
    description:
      "As Oakestra's root orchestrator has it; a slash at the end of a path changes nothing. With `compat.oakestra.json_in_strings` what is read is a string that holds this JSON.",
    failure: OakestraFailure,
    operations: oakestra,
  },
  {
    name: 'MyCluster',
    description: 'As MyCluster has it; on the port of `compat.mycluster` without a token.',
    failure: MyClusterFailure,
    operations: myCluster,
  },
  {
    name: 'FRACTAL',
    description: 'As the custom orchestrator of FRACTAL has it, on the port of `compat.custom_orchestrator`, too.',
    failure: ProblemsAnswer,
    operations: fractal,
  },
];
