import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { createAuditDesk } from '../../../../reconciler/api/audit.ts';
import { buildMyClusterApi } from '../../../../reconciler/api/mycluster.ts';
import type { AuditEntry } from '../../../../schemas/audit.ts';
import { fakeControlPlane } from '../../../support/fake-control-plane.ts';
import { apiToken, injectedApi } from '../../../support/injected-api.ts';
import { memoryAccounts, owner } from '../../../support/memory-accounts.ts';
import { createVirtualClock } from '../../../support/virtual-clock.ts';

function desk(clock = createVirtualClock()) {
  const entries: AuditEntry[] = [];
  const log = {
    add: (entry: AuditEntry) => void entries.push(entry),
    read: async (last: number, fits: (entry: AuditEntry) => boolean) => entries.filter(fits).slice(-last),
    close: async () => undefined,
  };
  return { audit: createAuditDesk({ log, clock }), entries, clock };
}

const deed = { address: '192.0.2.1', action: 'POST /v1/login', status: 401 };
const ann = { name: 'ann', role: 'admin', by: 'login' } as const;

describe('who is refused', () => {
  it('again and again does not fill the log, and the next entry says how often', async () => {
    const { audit, entries, clock } = desk();
    for (let i = 0; i < 1000; i++) audit.record({ ...deed, claimed: `user${i}` });
    expect(entries).toHaveLength(30);
    audit.record({ ...deed, caller: ann, status: 200 });
    expect(entries.at(-1)).not.toHaveProperty('unwritten');
    await clock.advance(60_000);
    audit.record(deed);
    expect(entries.at(-1)).toMatchObject({ who: 'unknown', by: 'nobody', unwritten: 970 });
    audit.record({ ...deed, caller: ann, status: 403 });
    expect(entries.at(-1)).toMatchObject({ who: 'ann', outcome: 'refused' });
  });

  it('nor does who may change nothing, by what succeeds', async () => {
    const { audit, entries, clock } = desk();
    const eve = { name: 'eve', role: 'viewer', by: 'token' } as const;
    for (let i = 0; i < 1500; i++) audit.record({ ...deed, action: 'POST /v1/logout', caller: eve, status: 200 });
    expect(entries).toHaveLength(1000);
    for (let i = 0; i < 1500; i++) audit.record({ ...deed, action: 'POST /v1/sync', caller: ann, status: 200 });
    expect(entries).toHaveLength(2500);
    await clock.advance(60_000);
    audit.record({ ...deed, caller: eve, status: 200 });
    expect(entries.at(-1)).toMatchObject({ who: 'eve', unwritten: 500 });
  });

  it('nor does who may change applications, by what changes nothing, with however many tokens', async () => {
    const { audit, entries, clock } = desk();
    const dev = { name: 'dev', role: 'application_provider', own: true } as const;
    const again = { ...deed, action: 'POST /v1/deploy', status: 200 };
    for (let i = 0; i < 3500; i++)
      for (const by of ['login', 'token'] as const) audit.record({ ...again, caller: { ...dev, by } });
    expect(entries).toHaveLength(5000);
    for (let i = 0; i < 6000; i++) audit.record({ ...again, caller: ann });
    expect(entries).toHaveLength(11_000);
    await clock.advance(60_000);
    audit.record({ ...again, caller: { ...dev, by: 'token' } });
    expect(entries.at(-1)).toMatchObject({ who: 'dev', unwritten: 2000 });
  });

  it('cannot write to the terminal of who reads it', () => {
    const { audit, entries } = desk();
    audit.record({ ...deed, claimed: '\u001b[2Jann\n', subject: 'x'.repeat(1000) });
    expect(entries[0]).toMatchObject({ who: '?[2Jann?', subject: 'x'.repeat(200) });
    audit.record({ ...deed, subject: `${'x'.repeat(199)}\u{1f355}` });
    expect(entries[1]?.subject).toBe(`${'x'.repeat(199)}?`);
  });
});

describe('requests', () => {
  it('are recorded when they change something, and with who the owner of the token file says he is', async () => {
    const { audit, entries } = desk();
    const { get, post, request } = injectedApi({ approve: async (id) => ({ approved: id }) }, { audit });
    await get('/v1/status');
    await post('/v1/plan', {});
    await post('/v1/nowhere');
    await post('/v1/approve', { id: 'ab12', actor: 'ann@desk' });
    await post('/v1/approve', { id: 'ab12', king: true });
    await request('POST', '/v1/join', {}, { authorization: '' });
    expect(entries.map(({ who, by, action, subject, outcome }) => [who, by, action, subject, outcome])).toEqual([
      ['ann@desk', 'cluster', 'POST /v1/approve', 'ab12', 'done'],
      ['api', 'cluster', 'POST /v1/approve', 'ab12', 'failed'],
    ]);
    expect(JSON.stringify(entries)).not.toContain(apiToken);
  });

  it.each<[path: string, body: object, subject: string]>([
    ['/v1/suspend', { subject: 'cluster', reason: 'a storm' }, 'cluster'],
    ['/v1/resume', { subject: 'node/pi1' }, 'node/pi1'],
    ['/v1/keys/rotate', { kind: 'node', nodes: ['pi1', 'pi2'] }, 'node pi1 pi2'],
    ['/v1/delete', { services: ['a.b.c.d'], apps: ['shop.default'] }, 'a.b.c.d shop.default'],
    ['/v1/deploy', { documents: [{ file: 'shop.yaml', text: '' }] }, 'shop.yaml'],
    ['/v1/users/ann/role', { role: 'viewer' }, 'ann viewer'],
    ['/api/v1/service', { service: 'web', image: 'nginx', replicas: 1 }, 'web'],
    ['/api/application', { applications: [{ application_name: 'shop' }, { application_name: 'till' }] }, 'shop till'],
  ])('say what they name: %s', async (path, body, subject) => {
    const { audit, entries } = desk();
    await injectedApi({}, { audit }).post(path, body);
    expect(entries).toMatchObject([{ action: expect.stringContaining('POST '), subject }]);
  });

  it('of Oakestra, too', async () => {
    const { audit, entries } = desk();
    const { accounts } = memoryAccounts();
    await accounts.add({ name: 'pat', role: 'viewer', password: 'of pat 0123456789' }, owner);
    const { post } = injectedApi({}, { accounts, audit });
    await post('/api/auth/login', { username: 'pat', password: 'of pat 0123456789' });
    await post('/api/auth/login', { username: 'pat', password: 'Admin' });
    expect(entries.map(({ who, by, outcome }) => [who, by, outcome])).toEqual([
      ['pat', 'login', 'done'],
      ['pat', 'nobody', 'refused'],
    ]);
  });

  it('of MyCluster on its own port, where nobody is asked who he is', async () => {
    const { audit, entries } = desk();
    const app = buildMyClusterApi({ control: fakeControlPlane(), logger: pino({ level: 'silent' }), audit });
    await app.inject({ method: 'GET', url: '/api/v1/state' });
    await app.inject({ method: 'DELETE', url: '/api/v1/service/web' });
    expect(entries).toMatchObject([
      { who: 'mycluster', by: 'nobody', action: 'DELETE /api/v1/service/:name', subject: 'web' },
    ]);
  });

  it('are read by admins: the newest that fit', async () => {
    const { audit } = desk();
    for (const status of [200, 409, 500]) audit.record({ ...deed, caller: ann, status });
    const { get } = injectedApi({}, { audit });
    const outcomes = async (query: string) =>
      (await get(`/v1/audit${query}`)).json().items.map(({ outcome }: AuditEntry) => outcome);
    expect(await outcomes('')).toEqual(['done', 'refused', 'failed']);
    expect(await outcomes('?last=2')).toEqual(['refused', 'failed']);
    expect(await outcomes('?outcome=done&who=ann')).toEqual(['done']);
    expect(await outcomes('?who=eve')).toEqual([]);
    expect((await get('/v1/audit?outcome=good')).status).toBe(400);
    expect((await get('/v1/audit?last=1000000')).status).toBe(400);
  });
});
