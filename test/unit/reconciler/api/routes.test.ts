import { createHmac } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import type { ControlPlane } from '../../../../reconciler/control-plane.ts';
import { type ProblemCode, ProblemError, problem } from '../../../../schemas/problem.ts';
import {
  fakeControlPlane,
  fakeInstance,
  fakeNode,
  fakeService,
  watchControl,
} from '../../../support/fake-control-plane.ts';
import { injectedApi as api, apiToken } from '../../../support/injected-api.ts';

const lacking = (subject: string) => problem('UNAVAILABLE', 'it is away', { subject });

describe('access', () => {
  it.each([
    ['GET', '/v1/status'],
    ['GET', '/v1/events'],
    ['POST', '/v1/deploy'],
    ['POST', '/v1/tokens'],
    ['GET', '/v1/tokens'],
    ['POST', '/v1/tokens/0123/revoke'],
    ['POST', '/v1/nodes/pi1/revoke'],
    ['POST', '/v1/nodes/pi1/remove'],
    ['GET', '/v1/instances/x/logs'],
  ] as const)('%s %s needs the token', async (method, url) => {
    for (const header of ['', 'Bearer', 'Bearer wrong', `Bearer ${apiToken}x`, `Basic ${apiToken}`]) {
      const { status, json } = await api().request(method, url, undefined, { authorization: header });
      expect(status).toBe(401);
      expect(json().problems[0].code).toBe('UNAUTHORIZED');
    }
  });

  it('knows no account by default: the name and password that Oakestra begins with open nothing', async () => {
    const login = { username: 'Admin', password: 'Admin', organization: '' };
    const basic = `Basic ${Buffer.from('Admin:Admin').toString('base64')}`;
    for (const url of ['/api/auth/login', '/api/auth/login/', '/v1/login']) {
      const { status, text } = await api().request('POST', url, login, { authorization: basic });
      expect([401, 404]).toContain(status);
      expect(text).not.toMatch(/token|jwt/i);
    }
    for (const authorization of [basic, 'Bearer Admin', 'Bearer Admin:Admin'])
      expect((await api().request('GET', '/v1/status', undefined, { authorization })).status).toBe(401);
  });

  it('takes no token that says of itself that it is good, signed by nobody or with an empty key', async () => {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = part({ sub: 'admin', role: 'Admin', iat: 0, exp: 9e9 });
    const unsigned = ['none', 'None', 'HS256', ''].map((alg) => `${part({ alg, typ: 'JWT' })}.${claims}.`);
    const empty = createHmac('sha256', '')
      .update(`${part({ alg: 'HS256' })}.${claims}`)
      .digest('base64url');
    for (const token of [...unsigned, `${part({ alg: 'HS256' })}.${claims}.${empty}`])
      expect((await api().get('/v1/status', { authorization: `Bearer ${token}` })).status).toBe(401);
  });

  it('leaves identity, join and health open', async () => {
    const { request } = api({ join: async () => ({ id: 'x' }) as never });
    const none = { authorization: '' };
    expect((await request('GET', `/v1/identity?nonce=${'ab'.repeat(16)}`, undefined, none)).status).toBe(200);
    const join = { token: 'oak1', name: 'pi1', ip: '127.0.0.2', version: '1' };
    expect((await request('POST', '/v1/join', join, none)).status).toBe(200);
    expect((await request('GET', '/healthz', undefined, none)).status).toBe(200);
    expect((await request('GET', '/readyz', undefined, none)).status).toBe(200);
  });

  it.each([
    ['nothing', { vital: [], working: [] }, 200, 200],
    ['the broker', { vital: [lacking('broker')], working: [] }, 503, 503],
    ['git', { vital: [], working: [lacking('git')] }, 200, 503],
  ] as const)('says by /healthz and /readyz what is missing, and lives: %s', async (_what, vitals, health, ready) => {
    const { get } = api({ vitals: () => vitals });
    expect((await get('/livez')).status).toBe(200);
    expect((await get('/healthz')).status).toBe(health);
    const answer = await get('/readyz');
    expect(answer.status).toBe(ready);
    expect(answer.json()).toEqual(ready === 200 ? { ok: true } : { problems: [...vitals.vital, ...vitals.working] });
  });
});

describe('failures', () => {
  const failing = async (code: ProblemCode) => {
    const { status } = await api({
      plan: async () => {
        throw new ProblemError(problem(code, 'no'));
      },
    }).post('/v1/plan', {});
    return status;
  };

  it.each([
    ['BAD_REQUEST', 400],
    ['DESCRIPTOR_INVALID', 400],
    ['UNKNOWN_FIELD', 400],
    ['UNAUTHORIZED', 401],
    ['TOKEN_INVALID', 401],
    ['REVOKED', 403],
    ['NOT_FOUND', 404],
    ['OWNED_BY_GIT', 409],
    ['REFUSED', 409],
    ['NAME_TAKEN', 409],
    ['UNAVAILABLE', 503],
  ] as const)('%s is %d', async (code, status) => {
    expect(await failing(code)).toBe(status);
  });

  it('judges by the first error, not by a warning before it', async () => {
    const { post } = api({
      deploy: async () => {
        throw new ProblemError([
          problem('FIELD_IGNORED', 'ignored', { severity: 'warning' }),
          problem('OWNED_BY_GIT', 'owned'),
        ]);
      },
    });
    const { status, json } = await post('/v1/deploy', { documents: [{ file: 'a', text: 'b' }] });
    expect(status).toBe(409);
    expect(json().problems).toHaveLength(2);
  });

  it('tells of a bug an id only, and the log the rest', async () => {
    const { get, log } = api({
      status: () => {
        throw new TypeError('the inside of the inside');
      },
    });
    const { status, text } = await get('/v1/status');
    expect(status).toBe(500);
    expect(text).not.toContain('inside');
    const id = /bug, ([0-9a-f]{12})/.exec(text)?.[1];
    const line = log.find((entry) => entry.includes('the inside of the inside'));
    expect(line && JSON.parse(line)).toMatchObject({ bug: id, url: '/v1/status' });
  });

  it('answers unknown routes and methods as problems', async () => {
    const { status, json } = await api().get('/v1/nothing');
    expect([status, json().problems[0].code]).toEqual([404, 'NOT_FOUND']);
    expect((await api().post('/v1/status')).status).toBe(404);
  });
});

describe('bodies', () => {
  const documents = [{ file: 'a.yaml', text: 'x: 1' }];

  it.each([
    ['no JSON', '/v1/deploy', '{'],
    ['an empty one', '/v1/deploy', ''],
    ['a list', '/v1/deploy', '[]'],
    ['no documents', '/v1/deploy', { documents: [] }],
    ['a document without text', '/v1/deploy', { documents: [{ file: 'a' }] }],
    ['an unknown key', '/v1/deploy', { documents, force: true }],
    ['__proto__', '/v1/deploy', '{"documents":[{"file":"a","text":"b","__proto__":{"x":1}}]}'],
    ['half a character', '/v1/suspend', '{"subject":"cluster","reason":"cut \\ud83d"}'],
    ['a wrong type', '/v1/tokens', { uses: '3' }],
    ['a token for years', '/v1/tokens', { ttl: 1e12 }],
    ['an id that is none', '/v1/approve', { id: '' }],
    ['something where nothing goes', '/v1/sync', { now: true }],
  ])('refuses %s', async (_what, url, body) => {
    const { status, json } = await api().post(url, body);
    expect(status).toBe(400);
    expect(['BAD_REQUEST', 'UNKNOWN_FIELD']).toContain(json().problems[0].code);
  });

  it('takes a whole repository to plan, up to 16 MiB', async () => {
    const plan = vi.fn<ControlPlane['plan']>(async () => ({ changes: [], holds: [], settled: 0, problems: [] }));
    const { post } = api({ plan });
    const of = (bytes: number) => ({ documents: [{ file: 'a', text: 'x'.repeat(bytes) }], asSource: true });
    expect((await post('/v1/plan', of(15 * 1024 ** 2))).status).toBe(200);
    const { status, json } = await post('/v1/plan', of(16 * 1024 ** 2));
    expect([status, json().problems[0].message]).toEqual([413, 'the body is larger than 16 MiB']);
    expect(plan).toHaveBeenCalledTimes(1);
  });

  it('refuses one above 1 MiB, and takes one just below', async () => {
    const deploy = vi.fn<ControlPlane['deploy']>(async () => ({ services: [], warnings: [] }));
    const { post } = api({ deploy });
    const { status, json } = await post('/v1/deploy', { documents: [{ file: 'a', text: 'x'.repeat(1024 * 1024) }] });
    expect([status, json().problems[0].message]).toEqual([413, 'the body is larger than 1 MiB']);
    expect(deploy).not.toHaveBeenCalled();
    const most = { documents: [{ file: 'a', text: 'x'.repeat(1024 * 1024 - 100) }] };
    expect((await post('/v1/deploy', most)).status).toBe(200);
  });

  it('gives up a node that no record knows by its whole id, and never one whose id only begins so', async () => {
    const removed: string[] = [];
    const control = {
      nodes: () => [fakeNode('pump-12', { id: 'pump-12' })],
      removeNode: async (id: string) => {
        removed.push(id);
        return { removed: id };
      },
    };
    await api(control).post('/v1/nodes/pump-1/remove');
    const status = { ...fakeControlPlane().status(), conditions: [problem('RECORDS_MISSING', 'node pump-1')] };
    await api({ ...control, status: () => status }).post('/v1/nodes/pump-1/remove');
    expect(removed).toEqual(['pump-12', 'pump-1']);
  });

  it('hands requests on as they are', async () => {
    const calls: unknown[] = [];
    const note =
      <T>(answer: T) =>
      async (...args: unknown[]) => {
        calls.push(args.filter((arg) => !(arg instanceof AbortSignal)));
        return answer;
      };
    const { post } = api({
      nodes: () => [fakeNode('pi1', { id: 'aa11' })],
      deploy: note({ services: [], warnings: [] }),
      plan: note({ changes: [], holds: [], settled: 0, problems: [] }),
      remove: note({ services: [] }),
      approve: note({ approved: 'h1' }),
      sync: note({ sources: [] }),
      createToken: note({ token: 't', id: 'i', expires: 1 }),
      revokeToken: note({ revoked: 'i' }),
      revoke: note({ revoked: 'pi1' }),
      removeNode: note({ removed: 'pi1' }),
    });
    await post('/v1/deploy', { documents, actor: 'ann' });
    await post('/v1/plan', { documents, asSource: true });
    await post('/v1/delete', { services: ['a'], actor: 'ann' });
    await post('/v1/delete', { apps: ['b'] });
    await post('/v1/approve', { id: 'h1', actor: 'ann' });
    await post('/v1/sync');
    await post('/v1/tokens', { name: 'pi2', ttl: 60_000, uses: 2 });
    await post('/v1/tokens/0123/revoke', { actor: 'ann' });
    await post('/v1/nodes/pi/revoke');
    await post('/v1/nodes/pi/remove', { force: true, actor: 'ann' });
    await post('/v1/nodes/aa11/remove');
    expect(calls).toEqual([
      [{ documents, actor: 'ann' }],
      [{ documents, asSource: true }],
      [{ services: ['a'] }, 'ann'],
      [{ apps: ['b'] }, 'api'],
      ['h1', 'ann'],
      [],
      [{ name: 'pi2', ttl: 60_000, uses: 2, actor: 'api', acceptEmptyVolume: false }],
      ['0123', 'ann'],
      ['aa11'],
      ['aa11', { force: true, actor: 'ann' }],
      ['aa11', {}],
    ]);
  });
});

describe('queries', () => {
  const shop = fakeService('shop.prod.web.default');
  const blog = fakeService('blog.prod.web.default');
  const control = {
    services: () => [blog, shop],
    instances: () => [
      fakeInstance('shop.prod.web.default.instance.0'),
      fakeInstance('blog.prod.web.default.instance.0'),
    ],
    nodes: () => [fakeNode('pi1'), fakeNode('pi2')],
  };

  it('lists all, or those that are named', async () => {
    const { get } = api(control);
    expect((await get('/v1/services')).json().items).toEqual([blog, shop]);
    expect((await get('/v1/services?name=shop')).json().items).toEqual([shop]);
    expect((await get('/v1/services?name=shop&name=blog')).json().items).toEqual([blog, shop]);
    expect((await get('/v1/instances?name=shop')).json().items).toHaveLength(1);
    expect((await get('/v1/services/blog')).json()).toEqual(blog);
    expect((await get('/v1/nodes/pi1')).json().name).toBe('pi1');
  });

  it('says which names are unknown or ambiguous', async () => {
    const { get } = api(control);
    expect((await get('/v1/services/web')).status).toBe(400);
    expect((await get('/v1/services/web')).json().problems[0].hint).toContain(shop.name);
    expect((await get('/v1/nodes/pi9')).status).toBe(404);
    const { status, json } = await get('/v1/nodes?name=pi8&name=pi9&name=pi1');
    expect([status, json().problems.length]).toEqual([404, 2]);
  });

  it.each([
    '/v1/identity',
    '/v1/identity?nonce=abc',
    `/v1/identity?nonce=${'zz'.repeat(16)}`,
    '/v1/events?after=-1',
    '/v1/events?after=1&after=2',
    '/v1/events?follow=yes',
    '/v1/instances/shop.web.0/logs?tail=1000000',
  ])('refuses %s', async (url) => {
    expect((await api(control).get(url)).status).toBe(400);
  });

  it('takes names as long as they may be', async () => {
    const name = Array(4).fill('x'.repeat(30)).join('.');
    const { get } = api({ services: () => [fakeService(name)] });
    expect((await get(`/v1/services/${name}`)).status).toBe(200);
    expect((await get(`/v1/services/${'y'.repeat(400)}`)).status).toBe(404);
  });
});

describe('a whole name', () => {
  const web = 'shop.default.web.default';
  const instances = [fakeInstance(`${web}.instance.0`)];
  const service = { ...fakeService(web), instances };

  it.each([
    ['GET', `/v1/services/${web}`, undefined, 'service'],
    ['GET', `/v1/instances/${web}.instance.0/logs`, undefined, 'logs'],
    ['POST', `/v1/services/${web}/scale`, { replicas: 2 }, 'scale'],
    ['POST', `/v1/instances/${web}.instance.0/replicate`, {}, 'replicate'],
    ['POST', '/v1/suspend', { subject: web }, 'suspend'],
  ] as const)('is found without a look at all others: %s %s', async (method, url, body, verb) => {
    const asked: string[] = [];
    const control = fakeControlPlane({ services: () => [service], instances: () => instances });
    const { request } = api(watchControl(control, (name) => void asked.push(name)));
    await request(method, url, body);
    expect(asked.at(-1)).toBe(verb);
    expect(asked.filter((name) => ['apps', 'services', 'instances'].includes(name))).toEqual([]);
  });
});
