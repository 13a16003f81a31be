import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import Fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { createGate, guardRoutes, needs } from '../../../../reconciler/api/access.ts';
import { fakeControlPlane } from '../../../support/fake-control-plane.ts';
import { injectedApi } from '../../../support/injected-api.ts';
import { type MemoryAccounts, memoryAccounts, owner } from '../../../support/memory-accounts.ts';
import { createMemoryKeys } from '../../../support/memory-keys.ts';

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const keys = createMemoryKeys('test');
const key = keys.secretFor('session/access');

interface Forged {
  readonly header?: object;
  readonly claims?: object;
  readonly sign?: (text: string) => string;
}

/** A cluster with an admin who is logged in, and what an attacker makes out of what he saw of it. */
async function attacked(): Promise<{ memory: MemoryAccounts; good: string; bad: Readonly<Record<string, string>> }> {
  const memory = memoryAccounts();
  const { accounts, clock } = memory;
  await accounts.add({ name: 'ann', role: 'admin', password: 'of ann 0123456789' }, owner);
  await accounts.add({ name: 'eve', role: 'viewer', password: 'of eve 0123456789' }, owner);
  const login = (name: string) => accounts.login(name, `of ${name} 0123456789`, '192.0.2.1');
  const { token: good, refresh_token: refresh } = await login('ann');
  const eve = await login('eve');
  const ended = await login('eve');
  await accounts.logout(await accounts.callerOf(ended.token));
  const api = await accounts.tokens.create(accounts.required('ann'), {}, owner);
  await accounts.tokens.revoke(api.view.id, undefined, owner);
  const [head = '', body = '', signature = ''] = good.split('.');
  const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as object;
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as { exp: number; sub: string };
  const now = Math.floor(clock.now().wall / 1000);
  const hmac =
    (secret: Uint8Array | string, hash = 'sha256') =>
    (text: string) =>
      createHmac(hash, secret).update(text).digest('base64url');
  const make = ({ header: h = {}, claims: c = {}, sign: by = hmac(key) }: Forged): string => {
    const text = `${part({ ...header, ...h })}.${part({ ...claims, ...c })}`;
    return `${text}.${by(text)}`;
  };
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const ed = generateKeyPairSync('ed25519');
  const none = () => '';
  const own = hmac(Buffer.alloc(32, 1));
  const bad = {
    'nobody signed it': make({ header: { alg: 'none' }, sign: none }),
    'nobody signed it, in another spelling': make({ header: { alg: 'nOnE' }, sign: none }),
    'nobody signed it, and it says HS256': make({ sign: none }),
    'its signature is of the empty key': make({ sign: hmac('') }),
    'its signature is of zeros': make({ sign: hmac(Buffer.alloc(32)) }),
    'another algorithm of the same kind': make({ header: { alg: 'HS512' }, sign: hmac(key, 'sha512') }),
    'an algorithm in lower case': make({ header: { alg: 'hs256' } }),
    'an RSA key of the attacker': make({
      header: { alg: 'RS256' },
      sign: (text) => sign('sha256', Buffer.from(text), rsa.privateKey).toString('base64url'),
    }),
    'an Ed25519 key of the attacker, brought along': make({
      header: { alg: 'EdDSA', jwk: ed.publicKey.export({ format: 'jwk' }) },
      sign: (text) => sign(null, Buffer.from(text), ed.privateKey).toString('base64url'),
    }),
    'the public key of the cluster as a secret': make({ sign: hmac(keys.publicKey) }),
    'a key of the attacker, brought along': make({ header: { jwk: { kty: 'oct', k: 'AQEB' } }, sign: own }),
    'a key from his server': make({ header: { jku: 'https://attacker.example/keys', kid: '1' }, sign: own }),
    'a key from a file': make({ header: { kid: '../../../../dev/null' }, sign: hmac('') }),
    'an extension that must be understood': make({ header: { crit: ['x'], x: 1 } }),
    'a payload that is not encoded': make({ header: { b64: false, crit: ['b64'] } }),
    'the account of somebody else in a good token': `${head}.${part({ ...claims, sub: 'x' })}.${signature}`,
    'the rights of somebody else': eve.token.replace(/\.[^.]+\./, `.${body}.`),
    'a good token, cut': good.slice(0, -4),
    'a good token, and more': `${good}AAAA`,
    'a good token with an empty part': `${good}.`,
    'a refresh token': refresh,
    'a refresh token that calls itself otherwise': make({ sign: hmac(keys.secretFor('session/refresh')) }),
    'no kind': make({ header: { typ: undefined } }),
    'the usual kind': make({ header: { typ: 'JWT' } }),
    'the kind of refresh tokens': make({ header: { typ: 'rt+jwt' } }),
    'of another cluster': make({ claims: { iss: 'oakctl/00/0' } }),
    'of no cluster': make({ claims: { iss: undefined } }),
    'for somebody else': make({ claims: { aud: 'other' } }),
    'over since a second': make({ claims: { exp: now - 1 } }),
    'without an end': make({ claims: { exp: undefined } }),
    'an end that is a text': make({ claims: { exp: '9999999999' } }),
    'not yet good': make({ claims: { nbf: now + 60 } }),
    'an account that never was': make({ claims: { sub: 'admin' } }),
    'an account of the language': make({ claims: { sub: '__proto__' } }),
    'a list for an account': make({ claims: { sub: [claims.sub] } }),
    'an older password': make({ claims: { ver: 0 } }),
    'a session that ended': ended.token,
    'an API token that was revoked': api.token,
    'an API token with another secret': `${api.token.slice(0, 18)}${'A'.repeat(43)}`,
    'an API token without a secret': api.token.slice(0, 18),
    'a very long text': 'A'.repeat(4000),
    'five parts': `${head}.${body}.${signature}.${body}.${signature}`,
    dots: '...',
    'the words of a language': 'undefined',
  };
  return { memory, good, bad };
}

/** What is about an account is about one's own. */
function pathFor(url: string, who: string): string {
  return url.replace(':username', who.charAt(0)).replace(/:\w+/g, 'x');
}

describe('every route', () => {
  it('takes none of the tokens that an attacker makes', async () => {
    const { memory, good, bad } = await attacked();
    const { request, routes } = injectedApi({}, { accounts: memory.accounts });
    const closed = (await routes()).filter(({ right }) => right !== 'open' && right !== 'node');
    expect(closed.length).toBeGreaterThan(60);
    expect(Object.keys(bad).length).toBeGreaterThan(20);
    for (const { method, url } of closed) {
      const path = url.replace(/:\w+/g, 'x');
      for (const [why, token] of [...Object.entries(bad), ['no token', '']]) {
        const authorization = token === '' ? '' : `Bearer ${token}`;
        const { status } = await request(method as 'GET', path, undefined, { authorization });
        expect(status, `${method} ${url}: ${why}`).toBe(401);
      }
    }
    expect((await request('GET', '/v1/users', undefined, { authorization: `Bearer ${good}` })).status).toBe(200);
  });

  it('is open to the roles that have its right, and to nobody else', async () => {
    const memory = memoryAccounts();
    const { accounts } = memory;
    const { request, routes } = injectedApi({}, { accounts: memory.accounts });
    const tokenOf = async (name: string, role: 'admin' | 'viewer' | 'application_provider', apps?: string[]) => {
      await accounts.add({ name, role }, owner);
      return (await accounts.tokens.create(accounts.required(name), apps ? { apps } : {}, owner)).token;
    };
    const tokens = {
      viewer: [await tokenOf('v', 'viewer'), ['known', 'read', 'survey']],
      provider: [await tokenOf('p', 'application_provider'), ['known', 'read', 'change']],
      'admin of one application': [await tokenOf('a', 'admin', ['shop.prod']), ['known', 'read', 'change']],
    } as const;
    for (const { method, url, right } of (await routes()).filter(
      ({ right: one }) => one !== 'open' && one !== 'node',
    )) {
      if (url === '/v1/events') continue;
      for (const [who, [token, rights]] of Object.entries(tokens)) {
        const headers = { authorization: `Bearer ${token}` };
        const { status } = await request(method as 'GET', pathFor(url, who), undefined, headers);
        const may = (rights as readonly string[]).includes(right);
        if (may) expect(status, `${who}: ${method} ${url}`).not.toBe(403);
        else expect(status, `${who}: ${method} ${url}`).toBe(403);
      }
    }
  });

  it('has a right, or cannot be', () => {
    const app = Fastify();
    const { accounts } = memoryAccounts();
    const control = fakeControlPlane();
    guardRoutes(app, createGate({ token: 'x', accounts, control, limit: () => control }));
    expect(() => app.get('/v1/forgotten', async () => 'secret')).toThrow('declares no right');
    expect(() => app.get('/v1/thought-of', needs('admin'), async () => 'secret')).not.toThrow();
  });
});

describe('who did it', () => {
  it('is who called, whatever he says', async () => {
    const memory = memoryAccounts();
    await memory.accounts.add({ name: 'ann', role: 'admin' }, owner);
    const { token } = await memory.accounts.tokens.create(memory.accounts.required('ann'), {}, owner);
    const actors: unknown[] = [];
    const { request } = injectedApi(
      {
        approve: async (id, actor) => {
          actors.push(actor);
          return { approved: id };
        },
      },
      { accounts: memory.accounts },
    );
    const headers = { authorization: `Bearer ${token}` };
    await request('POST', '/v1/approve', { id: 'x', actor: 'somebody else' }, headers);
    await request('POST', '/v1/approve', { id: 'x' }, headers);
    await request('POST', '/v1/approve', { id: 'x', actor: 'ann@laptop' });
    expect(actors).toEqual(['ann', 'ann', 'ann@laptop']);
  });
});

describe('accounts over HTTP', () => {
  it('log in, refresh, say who they are, and log out', async () => {
    const memory = memoryAccounts();
    await memory.accounts.add({ name: 'pat', role: 'application_provider', password: 'of pat 0123456789' }, owner);
    const { request, post } = injectedApi({}, { accounts: memory.accounts });
    const login = await post('/v1/login', { username: 'pat', password: 'of pat 0123456789', organization_name: '' });
    expect(login.status).toBe(200);
    const as = (token: string) => ({ authorization: `Bearer ${token}` });
    const next = await request('POST', '/v1/refresh', {}, as(login.json().refresh_token));
    expect(next.status).toBe(200);
    const { token } = next.json();
    const me = await request('GET', '/v1/whoami', undefined, as(token));
    expect(me.json()).toMatchObject({ name: 'pat', role: 'application_provider', by: 'login' });
    expect((await request('POST', '/v1/users/ann/password', {}, as(token))).status).toBe(403);
    expect((await request('POST', '/v1/users/pat/password', {}, as(token))).status).toBe(400);
    const changed = await request('POST', '/v1/users/pat/password', { old: 'of pat 0123456789' }, as(token));
    expect(changed.json().password).toMatch(/^[a-z2-9-]{24}$/);
    expect((await request('GET', '/v1/whoami', undefined, as(token))).status).toBe(401);
    expect((await post('/v1/login', { username: 'pat', password: 'of pat 0123456789' })).status).toBe(401);
  });

  it('let the owner of the token file do all that', async () => {
    const { get, post } = injectedApi();
    expect((await get('/v1/whoami')).json()).toEqual({ name: 'api', role: 'admin', by: 'cluster' });
    expect((await post('/v1/users', { name: 'pat', role: 'viewer' })).json().password).toBeDefined();
    expect((await post('/v1/users', { name: 'pat', role: 'king' })).status).toBe(400);
    const { token, view } = (await post('/v1/users/pat/tokens', { purpose: 'dashboard' })).json();
    expect((await get('/v1/api-tokens', { authorization: `Bearer ${token}` })).json().items).toHaveLength(1);
    expect((await post(`/v1/api-tokens/${view.id}/revoke`)).status).toBe(200);
    expect((await get('/v1/whoami', { authorization: `Bearer ${token}` })).status).toBe(401);
    expect((await post('/v1/users/pat/role', { role: 'admin' })).json().user.role).toBe('admin');
    expect((await post('/v1/users/pat/remove')).json()).toEqual({ removed: 'pat' });
    expect((await get('/v1/users')).json()).toEqual({ items: [] });
    expect((await post('/v1/logout')).status).toBe(200);
  });
});
