/** The native API of accounts, and that of machines. */
import { Type } from 'typebox';
import { ApiTokenBody, CredentialsBody, PasswordBody, RoleBody, UserBody } from '../../../schemas/accounts.ts';
import {
  ApiTokenAnswerSchema,
  ApiTokenSchema,
  CalculateAnswerSchema,
  CallerSchema,
  CredentialSchema,
  IdentitySchema,
  JoinAnswerSchema,
  ProblemsAnswer,
  PullSourceSchema,
  RegisterAnswerSchema,
  SessionSchema,
  UserAnswerSchema,
  UserSchema,
} from '../../../schemas/answer-schemas.ts';
import { EmptyBody, JoinBody, StandingBody } from '../../../schemas/api-bodies.ts';
import { AuditEntrySchema, auditOutcomes, mostAuditEntries } from '../../../schemas/audit.ts';
import { PlainJob, RegistrationBody } from '../../../schemas/seed.ts';
import { TlsSchema } from '../../../schemas/view-schemas.ts';
import { itemsOf, type OperationGroup, type Operations } from './operation.ts';

const text = Type.String();

const accounts: Operations = {
  'POST /v1/login': {
    summary: 'a token for a name and a password',
    body: CredentialsBody,
    answers: { 200: SessionSchema },
  },
  'POST /v1/refresh': {
    summary: 'another pair of tokens',
    shows: 'refresh',
    answers: { 200: SessionSchema },
  },
  'POST /v1/logout': {
    summary: 'this login is over',
    body: EmptyBody,
    answers: { 200: Type.Object({ name: text }) },
  },
  'GET /v1/whoami': { summary: 'who calls, as what', answers: { 200: CallerSchema } },
  'GET /v1/users': { summary: 'accounts', answers: { 200: itemsOf(UserSchema) } },
  'POST /v1/users': { summary: 'a new account', body: UserBody, answers: { 200: UserAnswerSchema } },
  'POST /v1/users/:name/remove': {
    summary: 'the end of an account',
    body: EmptyBody,
    answers: { 200: Type.Object({ removed: text }) },
  },
  'POST /v1/users/:name/role': { summary: 'another role', body: RoleBody, answers: { 200: UserAnswerSchema } },
  'POST /v1/users/:name/password': {
    summary: 'another password; of oneself with the old one',
    body: PasswordBody,
    answers: { 200: UserAnswerSchema },
  },
  'POST /v1/users/:name/tokens': {
    summary: 'a token for a program',
    body: ApiTokenBody,
    answers: { 200: ApiTokenAnswerSchema },
  },
  'GET /v1/api-tokens': { summary: 'the own ones, or all', answers: { 200: itemsOf(ApiTokenSchema) } },
  'GET /v1/audit': {
    summary: 'who did what; the newest that fit, the oldest of them first',
    query: {
      last: Type.Integer({ minimum: 0, maximum: mostAuditEntries, description: 'how many at most' }),
      who: text,
      outcome: Type.Enum([...auditOutcomes]),
    },
    answers: { 200: itemsOf(AuditEntrySchema) },
  },
  'POST /v1/api-tokens/:id/revoke': {
    summary: 'it is good for nothing any more',
    body: EmptyBody,
    answers: { 200: Type.Object({ revoked: text }) },
  },
};

const machines: Operations = {
  'GET /v1/identity': {
    summary: 'proof of who the cluster is',
    query: { nonce: Type.String({ pattern: '^[0-9a-fA-F]{32,128}$' }) },
    answers: { 200: IdentitySchema },
  },
  'GET /v1/tls': { summary: 'certificates in use; also over plain HTTP', answers: { 200: TlsSchema } },
  'GET /v1/install.sh': { summary: 'makes a machine a node', answers: { 200: 'text/x-shellscript' } },
  'GET /v1/packages/:file': { summary: 'a package of the agent', answers: { 200: 'application/gzip' } },
  'POST /v1/join': {
    summary: 'become a node; the join token is in the body',
    body: JoinBody,
    answers: { 200: JoinAnswerSchema },
  },
  'POST /v1/standing': {
    summary: 'what a node is to the cluster; its credential is in the body',
    body: StandingBody,
    answers: { 200: Type.Object({ node: text }) },
  },
  'POST /v1/credential': {
    summary: 'the credential that a node is to have',
    shows: 'node',
    answers: { 200: CredentialSchema },
  },
  'GET /v1/streams/:id': {
    summary: 'what the reconciler asked a node for: a ledger, a log, a session',
    shows: 'node',
    answers: {},
    socket: 'texts up, or frames both ways; once, and soon after it was asked for',
  },
  'GET /v1/registries/:name/sources': {
    summary: 'where a node has images from',
    shows: 'node',
    answers: { 200: itemsOf(PullSourceSchema) },
  },
  'POST /v1/webhooks/:kind': {
    summary: 'something was pushed; proven by the secret that cluster.yaml names',
    body: Type.Unknown(),
    answers: { 202: Type.Object({ woken: Type.Array(text) }) },
  },
  'POST /api/node/register': {
    summary: 'seed 000: a node that says four keys; 501 for a worker of Oakestra itself',
    body: RegistrationBody,
    shows: 'join',
    answers: { 200: RegisterAnswerSchema, 501: ProblemsAnswer },
  },
  'POST /api/calculate/deploy': {
    summary: 'seed 000: where a job could go; 409 when nowhere',
    body: Type.Union([PlainJob, Type.Object({ job: PlainJob })]),
    answers: { 200: CalculateAnswerSchema, 409: CalculateAnswerSchema },
  },
};

const failure = ProblemsAnswer;

export const accountGroups: readonly OperationGroup[] = [
  { name: 'Accounts', description: 'Who may call.', failure, operations: accounts },
  { name: 'Machines', description: 'For nodes, and whatever becomes one.', failure, operations: machines },
];
