/** Answers, held against the description that the API gives of itself. */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { RouteRight } from '../../reconciler/api/access.ts';
import { describeApi } from '../../reconciler/api/openapi/document.ts';
import { closed } from './closed-schema.ts';

export interface ApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, ApiOperation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, object>>;
    readonly securitySchemes: Readonly<Record<string, object>>;
  };
}

export interface ApiOperation {
  readonly operationId: string;
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly required: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content: Content }>>;
}

type Content = Readonly<Record<string, { readonly schema: object }>>;

export interface GivenAnswer {
  readonly method: string;
  readonly url: string;
  readonly status: number;
  readonly type: string | undefined;
  readonly text: string;
}

export interface Described {
  readonly document: ApiDocument;
  /** What the answer says that the description does not, or the other way round. `''`: nothing. */
  fault(answer: GivenAnswer): string;
}

/** HEAD comes with each GET, and is what it is. */
export function withoutHeads(routes: readonly RouteRight[]): readonly RouteRight[] {
  return routes.filter(({ method }) => method !== 'HEAD');
}

export function describedBy(routes: readonly RouteRight[]): Described {
  const document = describeApi(withoutHeads(routes)) as ApiDocument;
  const strict = closed(document) as ApiDocument;
  const { ClusterSnapshot = {} } = document.components.schemas;
  const schemas = { ...strict.components.schemas, ClusterSnapshot };
  const ajv = new Ajv2020({ strict: false, allErrors: true }).addSchema({ ...strict, components: { schemas } }, 'api');
  const paths = Object.entries(strict.paths)
    .map(([path, methods]) => {
      const pattern = new RegExp(`^${path.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}/?$`);
      return { path, methods, pattern };
    })
    // As the server does it: a word counts more than a name.
    .sort((a, b) => a.path.split('{').length - b.path.split('{').length);
  /** By place in the document, because references are to its components. */
  const checkOf = (...place: readonly string[]): ValidateFunction => {
    const step = (name: string): string => encodeURIComponent(name.replaceAll('~', '~0').replaceAll('/', '~1'));
    const key = `api#/${place.map(step).join('/')}`;
    const check = ajv.getSchema(key);
    if (!check) throw new Error(`there is no ${key}`);
    return check;
  };
  return {
    document,
    fault({ method, url, status, type = '', text }) {
      const [bare = ''] = url.split('?');
      const verb = method.toLowerCase();
      const what = `${method} ${url}: ${status}`;
      const found = paths.find(({ methods, pattern }) => pattern.test(bare) && methods[verb]);
      const responses = found?.methods[verb]?.responses;
      if (!found || !responses) return `${what} is of no path`;
      if (status < 300 && !responses[status]) return `${what} is not described`;
      const [media = ''] = type.split(';');
      const answer = responses[status] ? String(status) : 'default';
      const content = responses[answer]?.content ?? {};
      if (media.startsWith('text/') && content['text/*']) return '';
      if (!content[media]) return `${what} is ${media || 'of no type'}`;
      if (media !== 'application/json') return '';
      const check = checkOf('paths', found.path, verb, 'responses', answer, 'content', media, 'schema');
      return check(JSON.parse(text)) ? '' : `${what}: ${ajv.errorsText(check.errors)} in ${text.slice(0, 2_000)}`;
    },
  };
}
