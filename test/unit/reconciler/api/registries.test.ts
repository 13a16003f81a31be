import { expect, it } from 'vitest';
import { fakeInstance, fakeService } from '../../../support/fake-control-plane.ts';
import { injectedApi } from '../../../support/injected-api.ts';

const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });
const path = '/v1/registries/r.example.org/sources';

it('tells a node, and nobody else, where its images are', async () => {
  const asked: string[] = [];
  const api = injectedApi({
    async pullSources(node, registry) {
      asked.push(`${node} ${registry}`);
      return [{ host: registry, username: 'fleet', password: 'secret' }];
    },
  });
  expect((await api.get(path)).status).toBe(401);
  expect((await api.get(path, basic('ab12:1.wrong'))).status).toBe(401);
  expect((await api.get(path, basic('ab12'))).status).toBe(401);
  const told = await api.get(path, basic('ab12:1.secret'));
  expect(told.json()).toEqual({ items: [{ host: 'r.example.org', username: 'fleet', password: 'secret' }] });
  expect(asked).toEqual(['ab12 r.example.org']);
  expect(api.log.join()).not.toContain('secret');
});

it('keeps logins, and logs no password', async () => {
  const kept: unknown[] = [];
  const api = injectedApi({
    async login(registry, login, actor) {
      kept.push([registry, login, actor]);
      return { registry, changed: true };
    },
  });
  const login = { username: 'fleet', password: 'secret' };
  expect((await api.post('/v1/registries/r%3A5000/login', login)).json()).toEqual({
    registry: 'r:5000',
    changed: true,
  });
  expect(kept).toEqual([['r:5000', login, 'api']]);
  const bad = await api.post('/v1/registries/r/login', { ...login, password: ['secret'] });
  expect(bad.status).toBe(400);
  expect(bad.text + api.log.join()).not.toContain('secret');
});

it('asks a registry anew for a restart only where that is said', async () => {
  const asked: unknown[] = [];
  const web = 'shop.default.web.default';
  const api = injectedApi({
    services: () => [fakeService(web)],
    instances: () => [fakeInstance(`${web}.instance.0`)],
    async restart(service, instance, actor, how) {
      asked.push([service, instance, actor, how]);
      return { service, digest: '1:a', changed: true, instances: [] };
    },
  });
  await api.post(`/v1/services/${web}/restart`, { actor: 'ann', pull: true });
  await api.post(`/v1/services/${web}/restart`, {});
  await api.post(`/v1/instances/${web}.instance.0/restart`, { pull: true });
  expect(asked).toEqual([
    [web, undefined, 'ann', { pull: true }],
    [web, undefined, 'api', {}],
    [web, `${web}.instance.0`, 'api', { pull: true }],
  ]);
  expect((await api.post(`/v1/services/${web}/restart`, { pull: 'yes' })).status).toBe(400);
});
