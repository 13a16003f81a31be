import Fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { createGate, guardRoutes, needs } from '../../../../reconciler/api/access.ts';
import type { Caller } from '../../../../reconciler/core/rights.ts';
import { fakeControlPlane, watchControl } from '../../../support/fake-control-plane.ts';
import { attacked } from '../../../support/forged-tokens.ts';
import { type Answer, injectedApi } from '../../../support/injected-api.ts';
import { memoryAccounts, owner } from '../../../support/memory-accounts.ts';

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

  it('that looks at a credential by itself takes none of them either', async () => {
    const { memory, bad } = await attacked();
    const asked: string[] = [];
    const control = watchControl(fakeControlPlane(), (name) => void asked.push(name));
    const { request, routes } = injectedApi(control, { accounts: memory.accounts });
    const doors = (await routes()).filter(({ right, url }) => right === 'node' || url.endsWith('/refresh'));
    expect(doors.length).toBeGreaterThan(5);
    const { 'a refresh token': _, ...forged } = bad;
    for (const { method, url } of doors) {
      for (const [why, token] of Object.entries(forged)) {
        const headers = { authorization: `Bearer ${token}` };
        const { status } = await request(method as 'GET', url.replace(/:\w+/g, 'x'), undefined, headers);
        if (url.endsWith('/refresh')) expect(status, `${url}: ${why}`).toBe(401);
        else expect([400, 401, 403], `${url}: ${why}`).toContain(status);
      }
    }
    expect(asked).toEqual([]);
  });

  it('is open to the roles that have its right, and to nobody else', async () => {
    const memory = memoryAccounts();
    const { accounts } = memory;
    const { request, routes } = injectedApi({}, { accounts: memory.accounts });
    const tokenOf = async (name: string, role: 'admin' | 'viewer' | 'application_provider', apps?: string[]) => {
      await accounts.add({ name, role }, owner);
      return (await accounts.tokens.create(accounts.required(name), apps ? { apps } : {}, owner)).token;
    };
    await accounts.add({ name: 'q', role: 'application_provider' }, owner);
    const { token: looking } = await accounts.tokens.create(accounts.required('q'), { role: 'viewer' }, owner);
    const tokens = {
      'q, a provider, as a viewer': [looking, ['known', 'read']],
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

describe('an account that goes while its request is on the way', () => {
  it('has no token of others, and is not who has its name now', async () => {
    const { accounts } = memoryAccounts();
    await accounts.add({ name: 'ann', role: 'admin' }, owner);
    await accounts.add({ name: 'pat', role: 'viewer' }, owner);
    const { view } = await accounts.tokens.create(accounts.required('ann'), {}, owner);
    const gone: Caller = { name: 'pat', user: 'another id', role: 'viewer', by: 'login' };
    const { request, get } = injectedApi({}, { accounts: { ...accounts, callerOf: async () => gone } });
    const headers = { authorization: 'Bearer of-pat' };
    expect((await get('/v1/api-tokens', headers)).status).toBe(401);
    expect((await request('POST', `/v1/api-tokens/${view.id}/revoke`, {}, headers)).status).toBe(401);
    expect((await request('POST', '/v1/users/pat/tokens', {}, headers)).status).toBe(403);
    const mine = { password: 'another one 42' };
    expect((await request('POST', '/v1/users/pat/password', mine, headers)).status).toBe(403);
    expect(accounts.tokens.list(undefined)).toMatchObject([{ id: view.id, state: 'valid' }]);
  });
});

describe('passwords', () => {
  it('are guessed through all doors as through one', async () => {
    const memory = memoryAccounts();
    const { accounts } = memory;
    await accounts.add({ name: 'ann', role: 'admin', password: 'of ann 0123456789' }, owner);
    const { token } = await accounts.login('ann', 'of ann 0123456789', '192.0.2.1');
    const { request } = injectedApi({}, { accounts });
    const headers = { authorization: `Bearer ${token}` };
    const doors: ((guess: string) => Promise<Answer>)[] = [
      (guess) => request('POST', '/v1/login', { username: 'ann', password: guess }),
      (guess) => request('POST', '/v1/login', { username: 'ANN', password: guess }),
      (guess) => request('POST', '/api/auth/login', { username: 'ann', password: guess }),
      (guess) => request('POST', '/v1/users/ann/password', { old: guess, password: 'of eve 0123456789' }, headers),
      (guess) => request('POST', '/api/user/ann', { oldPassword: guess, newPassword: 'of eve 0123456789' }, headers),
    ];
    const looked = doors.map(() => 0);
    for (let i = 0; i < 200; i += 1) {
      for (const [door, guess] of doors.entries()) {
        const { status } = await guess(`guess ${i}`);
        expect([401, 429], `door ${door}`).toContain(status);
        if (status === 401) looked[door] = (looked[door] ?? 0) + 1;
      }
    }
    expect(looked).toEqual([2, 2, 2, 2, 2]);
  });
});
