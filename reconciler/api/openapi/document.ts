/**
 * The API as OpenAPI 3.1: made of the routes that a server has, their rights, and the schemas that their bodies are checked with and
 * their answers tested against.
 */
import { type TSchema, Type } from 'typebox';
import { oakctlVersion } from '../../../schemas/version.ts';
import { rights } from '../../core/rights.ts';
import type { RouteRight } from '../access.ts';
import { accountGroups } from './account-operations.ts';
import { clusterGroups } from './cluster-operations.ts';
import { compatGroups } from './compat-operations.ts';
import { createReferences, type References } from './components.ts';
import type { Credential, Operation, OperationGroup } from './operation.ts';

export const operationGroups: readonly OperationGroup[] = [...clusterGroups, ...accountGroups, ...compatGroups];

const description = `Log in with \`POST /api/auth/login\` (or \`POST /v1/login\`): the token of the answer is the bearer of
all other requests. Each request says which right it needs. What answers 101 is
a WebSocket: its frames are beyond this document, and browsers cannot send the bearer with it.`;

/**
 * The bearer of people and programs; the others are shown to routes that look at them by themselves. It is the last because the page
 * puts the cursor into the last of its fields: who copied a token pastes it there.
 */
const securitySchemes = {
  refresh: { type: 'http', scheme: 'bearer', description: 'the refresh token of a login' },
  node: { type: 'http', scheme: 'basic', description: 'id and credential of a node' },
  join: { type: 'http', scheme: 'bearer', description: 'a join token, or the credential of the node' },
  token: {
    type: 'http',
    scheme: 'bearer',
    description: 'of a login, an API token, or the token file of the cluster',
  },
} satisfies Readonly<Record<Credential | 'token', object>>;

/** Routes that no operation is written for are left out, as are operations without a route. */
export function describeApi(routes: readonly RouteRight[]): object {
  const references = createReferences();
  const paths: Record<string, Record<string, object>> = {};
  for (const { method, url, right } of routes) {
    const group = operationGroups.find(({ operations }) => Object.hasOwn(operations, `${method} ${url}`));
    const operation = group?.operations[`${method} ${url}`];
    if (!group || !operation) continue;
    const path = url.replace(/:(\w+)/g, '{$1}');
    paths[path] = {
      ...paths[path],
      [method.toLowerCase()]: operationOf({ method, url, right }, operation, group, references),
    };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'oakctl', version: oakctlVersion, description },
    tags: operationGroups.map(({ name, description: about }) => ({ name, description: about })),
    paths,
    components: { schemas: references.components, securitySchemes },
  };
}

function operationOf(
  { method, url, right }: RouteRight,
  operation: Operation,
  group: OperationGroup,
  references: References,
): object {
  const { summary, body, query = {}, answers, shows, socket } = operation;
  const isAsked = right !== 'open' && right !== 'node';
  const names = [...url.matchAll(/:(\w+)/g)].map(([, name = '']) => name);
  const parameters = [
    ...names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
    ...Object.entries(query).map(([name, schema]) => ({ name, in: 'query', schema: references.to(schema) })),
  ];
  const refusal = (what: string) => ({ description: what, content: contentOf(group.failure, references) });
  return {
    operationId: `${method.toLowerCase()}${url.replace(/\W+(\w)/g, (_, letter: string) => letter.toUpperCase()).replace(/\W/g, '')}`,
    tags: [group.name],
    summary,
    description: `Right: ${right} (${rights[right]}).`,
    security: isAsked ? [{ token: [right] }] : shows ? [{ [shows]: [] }] : [],
    ...(parameters.length > 0 && { parameters }),
    ...(body && { requestBody: { required: isNeeded(body), content: contentOf(body, references) } }),
    responses: {
      ...Object.fromEntries(
        Object.entries(answers).map(([status, answer]) => [
          status,
          { description: Number(status) < 300 ? 'done' : 'why not', content: contentOf(answer, references) },
        ]),
      ),
      ...(socket !== undefined && { 101: { description: socket }, 426: refusal('asked without an upgrade') }),
      ...(isAsked && { 401: refusal('no token that is good'), 403: refusal('the right is missing') }),
      default: refusal('what is wrong, and what to do about it'),
    },
  };
}

function contentOf(answer: TSchema | string, references: References): object {
  if (typeof answer !== 'string') return { 'application/json': { schema: references.to(answer) } };
  const isText = answer.startsWith('text/');
  return { [answer]: { schema: isText ? Type.String() : { type: 'string', format: 'binary' } } };
}

/** No body is an empty one. */
function isNeeded(body: TSchema): boolean {
  const { properties, required = [] } = body as { readonly properties?: object; readonly required?: readonly string[] };
  return properties === undefined || required.length > 0;
}
