import { runInNewContext } from 'node:vm';
import type { Static, TSchema } from 'typebox';
import { beforeAll, describe, expect, expectTypeOf, it } from 'vitest';
import { operationGroups } from '../../reconciler/api/openapi/document.ts';
import { page, pageHeaders } from '../../reconciler/api/openapi/page.ts';
import { rights } from '../../reconciler/core/rights.ts';
import type { ApiTokenAnswer, CallerView, SessionAnswer, UserAnswer } from '../../schemas/accounts.ts';
import type * as answers from '../../schemas/answer-schemas.ts';
import type { DeployAnswer, SlotAnswer, SuspendAnswer, TokenAnswer } from '../../schemas/api.ts';
import type { CredentialAnswer, IdentityAnswer, JoinAnswer, RegisterAnswer } from '../../schemas/joining.ts';
import type { PackagesAnswer } from '../../schemas/packages.ts';
import { type ApiDocument, type Described, describedBy, withoutHeads } from '../support/described.ts';
import { fakeService } from '../support/fake-control-plane.ts';
import { fromSchema } from '../support/fuzz/from-schema.ts';
import { createDice } from '../support/fuzz/random.ts';
import { type Answer, type InjectedApi, injectedApi } from '../support/injected-api.ts';
import { memoryAccounts, owner } from '../support/memory-accounts.ts';
import { web, wholeAudit, wholeControl, wholeNotifier, wholeShelf } from '../support/whole-control-plane.ts';

const memory = memoryAccounts();
const hello = fakeService('mycluster.default.hello.default');
const api: InjectedApi = injectedApi(
  { ...wholeControl, services: () => [...(wholeControl.services?.() ?? []), hello] },
  {
    accounts: memory.accounts,
    shelf: wholeShelf,
    notifier: wholeNotifier,
    audit: wholeAudit,
    webhooks: { mayCall: () => true, receive: async () => ({ woken: ['git'] }) },
  },
);
const written = Object.assign({}, ...operationGroups.map(({ operations }) => operations)) as Readonly<
  Record<string, { readonly body?: TSchema }>
>;
let described: Described;
let document: ApiDocument;
beforeAll(async () => {
  described = describedBy(await api.routes());
  document = described.document;
});

describe('the document', () => {
  it('has every route of the server, and no other', async () => {
    const routes = withoutHeads(await api.routes()).map(({ method, url }) => `${method} ${url}`);
    expect(Object.keys(written).sort()).toEqual(routes.sort());
    const paths = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`),
    );
    expect(paths.sort()).toEqual(routes);
  });

  it('is what the server serves, also where Oakestra has it, to whoever asks', async () => {
    for (const path of ['/api/openapi.json', '/docs/openapi.json', '/api/openapi.json/']) {
      const { status, text } = await api.get(path, { authorization: '' });
      expect(status).toBe(200);
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(document)));
    }
  });

  it('says of each operation which right it needs', async () => {
    for (const { method, url, right } of withoutHeads(await api.routes())) {
      const operation = document.paths[url.replace(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()];
      const asked = operation?.security.flatMap(({ token = [] }) => token) ?? [];
      expect(asked, `${method} ${url}`).toEqual(right === 'open' || right === 'node' ? [] : [right]);
    }
    expect(Object.keys(rights)).toContain('admin');
  });

  it('refers to nothing that it does not have, and names each operation once', () => {
    const text = JSON.stringify(document);
    const places = [...text.matchAll(/"\$ref":"([^"]+)"/g)].map(([, place = '']) => place);
    expect(places.length).toBeGreaterThan(50);
    for (const place of new Set(places)) {
      const [, name = ''] = /^#\/components\/schemas\/(\w+)$/.exec(place) ?? [];
      expect(Object.keys(document.components.schemas), place).toContain(name);
    }
    for (const name of Object.keys(document.components.schemas))
      expect(places, `${name} is used`).toContain(`#/components/schemas/${name}`);
    const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));
    const ids = operations.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [path, methods] of Object.entries(document.paths))
      for (const { parameters = [] } of Object.values(methods))
        expect(parameters.filter((one) => one.in === 'path').map(({ name }) => `{${name}}`)).toEqual(
          path.match(/\{\w+\}/g) ?? [],
        );
  });
});

/** Names that there are, by the name of the parameter. */
const names: Readonly<Record<string, string>> = {
  '/v1/services/:name': web,
  '/v1/instances/:name': `${web}.instance.0`,
  '/v1/nodes/:name': 'pi1',
  '/v1/users/:name': 'ann',
  '/v1/registries/:name': 'r:5000',
  '/v1/packages/:file': 'none',
  '/v1/webhooks/:kind': 'github',
  '/api/docs/:file': 'start.js',
  '/api/v1/service/:name': 'hello',
};

/** Bodies that mean something here; all others are the least that their schema takes. */
const bodies: Readonly<Record<string, object>> = {
  'POST /v1/login': { username: 'ann', password: 'of ann 0123456789' },
  'POST /v1/users': { name: 'ben', role: 'viewer' },
  'POST /v1/users/:name/role': { role: 'admin' },
  'POST /v1/plan': {},
  'POST /v1/suspend': { subject: 'shop' },
  'POST /v1/resume': { subject: 'shop' },
  'POST /v1/keys/rotate': { kind: 'cluster' },
  'POST /api/node/register': { id: '', name: 'pi3', ip: '10.0.0.3', port: 0 },
  'POST /api/calculate/deploy': { name: 'hello', image: 'a:1' },
  'POST /api/v1/service': { service: 'hello', image: 'a:1', replicas: 1 },
  'POST /v1/instances/:name/move': { to: 'pi1' },
  'POST /api/v1/load_nodes': { ips: { pi1: '10.0.0.1' } },
  'POST /api/v1/update_taints': { pi1: 'NoSchedule' },
};

/** What is not there in this test, and why: all else is answered with what was asked for. */
const without: Readonly<Record<string, number>> = {
  'GET /metrics': 404,
  'GET /v1/tls': 404,
  'GET /v1/packages/:file': 404,
  'GET /v1/instances/:name/exec': 426,
  'GET /v1/nodes/:name/images': 426,
  'GET /v1/streams/:id': 426,
};

const basic = `Basic ${Buffer.from('ab12:1.secret').toString('base64')}`;

async function ask(key: string): Promise<{ readonly url: string; readonly method: string; readonly answer: Answer }> {
  const [method = '', route = ''] = key.split(' ');
  const { accounts } = memory;
  const revocable = async () => (await accounts.tokens.create(accounts.required('ann'), {}, owner)).view.id;
  const [place = ''] = /^.*?:\w+/.exec(route) ?? [];
  const known = route === '/v1/users/:name/remove' ? 'ben' : names[place];
  const name = route.includes('api-tokens/:id') ? await revocable() : (known ?? 'ab12');
  const query = route === '/v1/identity' ? `?nonce=${'0'.repeat(32)}` : route === '/v1/why' ? `?subject=${web}` : '';
  const url = route.replace(/:\w+/, encodeURIComponent(name)) + query;
  const { body } = written[key] ?? {};
  const least = body && (fromSchema(body, createDice(1, 1), { wildness: 0, richness: 0 }) as object);
  const login = async () => (await accounts.login('ann', 'of ann 0123456789', '192.0.2.1')).refresh_token;
  const headers: Record<string, string> = {};
  if (route === '/v1/refresh') headers['authorization'] = `Bearer ${await login()}`;
  if (route === '/v1/credential' || /\/(sources|streams\/:id)$/.test(route)) headers['authorization'] = basic;
  return { method, url, answer: await api.request(method as 'GET', url, bodies[key] ?? least, headers) };
}

describe('answers', () => {
  beforeAll(async () => {
    await memory.accounts.add({ name: 'ann', role: 'admin', password: 'of ann 0123456789' }, owner);
  });

  // Oakestra's are held against it where a cluster answers: test/simulation/oakestra*.test.ts.
  const keys = operationGroups
    .filter(({ name }) => name !== 'Oakestra')
    .flatMap(({ operations }) => Object.keys(operations));
  /** Others log in with the password that it changes. */
  const last = (key: string): number => (key.endsWith('/users/:name/password') ? 1 : 0);
  it.each(keys.sort((a, b) => last(a) - last(b)))('of %s are as they are described', async (key) => {
    const { method, url, answer } = await ask(key);
    expect(described.fault({ method, url, ...answer })).toBe('');
    const expected = without[key];
    if (expected === undefined) expect(answer.status, answer.text).toBeLessThan(300);
    else expect(answer.status).toBe(expected);
  });

  it.each(keys)('of %s to nobody are as they are described', async (key) => {
    const [method = '', route = ''] = key.split(' ');
    const url = route.replace(/:\w+/g, 'x');
    const answer = await api.request(method as 'GET', url, undefined, { authorization: '' });
    expect(described.fault({ method, url, ...answer })).toBe('');
  });
});

describe('bodies', () => {
  const kinds = ['POST', 'PUT'];
  const checked = Object.entries(written).filter(
    ([key, { body }]) =>
      kinds.includes(key.split(' ')[0] ?? '') &&
      body &&
      'properties' in body &&
      !/ \/api\/(service|application|v1)/.test(key),
  );
  it.each(checked)('of %s are checked as they are described', async (key, { body }) => {
    const [method = '', route = ''] = key.split(' ');
    const [place = ''] = /^.*?:\w+/.exec(route) ?? [];
    const url = route.replace(/:\w+/, encodeURIComponent(names[place] ?? 'ab12'));
    const { properties = {} } = body as { readonly properties?: Readonly<Record<string, object>> };
    const least = fromSchema(body ?? {}, createDice(1, 1), { wildness: 0, richness: 0 }) as object;
    for (const member of Object.keys(properties)) {
      const headers = route === '/api/node/register' ? { authorization: 'Bearer x' } : {};
      const answer = await api.request(method as 'GET', url, { ...least, [member]: { wrong: true } }, headers);
      expect(answer.status, `${key} with a wrong ${member}: ${answer.text}`).toBe(400);
      expect(answer.text).toContain(member);
    }
  });
});

describe('the page', () => {
  it('loads nothing from elsewhere, and has no scripts or styles inside', async () => {
    const { status, headers, text } = await api.get('/api/docs', { authorization: '' });
    expect([status, text]).toEqual([200, page]);
    expect(headers).toMatchObject(pageHeaders);
    expect(text).not.toMatch(/https?:|\/\/|<style|style=|<script>|\son\w+=/);
    const policy = String(headers['content-security-policy']);
    expect(policy).toMatch(/^default-src 'none'; script-src 'self';/);
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
  });

  it('gets whatever it names from this server', async () => {
    const named = [...page.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path = '']) => path);
    expect(named.length).toBeGreaterThan(3);
    for (const path of named) {
      const { status, headers } = await api.get(path, { authorization: '' });
      expect(status, path).toBe(200);
      expect(headers).toMatchObject(path.startsWith('/api/docs') ? pageHeaders : {});
    }
  });

  it('is logged in once a login was tried out, and by no other answer', async () => {
    const { text } = await api.get('/api/docs/start.js');
    let given: { responseInterceptor(answer: object): object } | undefined;
    const shown: unknown[] = [];
    const bundle = (options: NonNullable<typeof given>) => {
      given = options;
      return { preauthorizeApiKey: (...what: readonly string[]) => void shown.push(what) };
    };
    runInNewContext(text, { SwaggerUIBundle: bundle, URL, location: { href: 'http://localhost/api/docs' } });
    const answer = (path: string, ok: boolean, body: unknown) =>
      given?.responseInterceptor({ url: `http://localhost${path}`, ok, body });
    for (const [path, ok, body] of [
      ['/api/auth/login', false, { token: 'a' }],
      ['/api/auth/login', true, undefined],
      ['/v1/tokens', true, { token: 'oak1.a' }],
      ['/api/openapi.json', true, {}],
    ] as const)
      answer(path, ok, body);
    expect(shown).toEqual([]);
    const told = { url: 'http://localhost/v1/login', ok: true, body: { token: 'b' } };
    expect(given?.responseInterceptor(told)).toBe(told);
    answer('/api/auth/login', true, { token: 'c' });
    expect(shown).toEqual([
      ['token', 'b'],
      ['token', 'c'],
    ]);
    expect(Object.keys(document.components.securitySchemes)).toContain('token');
  });

  it.each(['package.json', '..%2fpackage.json', '%2e%2e%2fpackage.json', '__proto__', 'index.html', 'constructor'])(
    'has no file %s',
    async (file) => {
      expect((await api.get(`/api/docs/${file}`)).status).toBe(404);
    },
  );
});

/** Schemas make arrays that can be written, views are read only: that is no difference. */
type Frozen<T> = T extends readonly (infer Item)[]
  ? readonly Frozen<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Frozen<T[Key]> }
    : T;
type Answered<Name extends keyof typeof answers> = (typeof answers)[Name] extends infer Schema extends TSchema
  ? Frozen<Static<Schema>>
  : never;

it('schemas and types say the same', () => {
  expectTypeOf<Answered<'SessionSchema'>>().toEqualTypeOf<Frozen<SessionAnswer>>();
  expectTypeOf<Answered<'CallerSchema'>>().toEqualTypeOf<Frozen<CallerView>>();
  expectTypeOf<Answered<'UserAnswerSchema'>>().toEqualTypeOf<Frozen<UserAnswer>>();
  expectTypeOf<Answered<'ApiTokenAnswerSchema'>>().toEqualTypeOf<Frozen<ApiTokenAnswer>>();
  expectTypeOf<Answered<'DeployAnswerSchema'>>().toEqualTypeOf<Frozen<DeployAnswer>>();
  expectTypeOf<Answered<'SlotAnswerSchema'>>().toEqualTypeOf<Frozen<SlotAnswer>>();
  expectTypeOf<Answered<'SuspendAnswerSchema'>>().toEqualTypeOf<Frozen<SuspendAnswer>>();
  expectTypeOf<Answered<'TokenAnswerSchema'>>().toEqualTypeOf<Frozen<TokenAnswer>>();
  expectTypeOf<Answered<'PackagesSchema'>>().toEqualTypeOf<Frozen<PackagesAnswer>>();
  expectTypeOf<Answered<'IdentitySchema'>>().toEqualTypeOf<Frozen<IdentityAnswer>>();
  expectTypeOf<Answered<'JoinAnswerSchema'>>().toEqualTypeOf<Frozen<JoinAnswer>>();
  expectTypeOf<Answered<'CredentialSchema'>>().toEqualTypeOf<Frozen<CredentialAnswer>>();
  expectTypeOf<Answered<'RegisterAnswerSchema'>>().toEqualTypeOf<Frozen<RegisterAnswer>>();
});
