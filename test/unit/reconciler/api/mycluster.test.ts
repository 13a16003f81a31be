import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { buildMyClusterApi } from '../../../../reconciler/api/mycluster.ts';
import type { ControlPlane } from '../../../../reconciler/control-plane.ts';
import type { DeployRequest } from '../../../../schemas/api.ts';
import { ProblemError, problem } from '../../../../schemas/problem.ts';
import { fakeControlPlane, fakeService } from '../../../support/fake-control-plane.ts';
import { injectedApi } from '../../../support/injected-api.ts';

const hello = { ...fakeService('mycluster.default.hello-world.default'), image: 'crccheck/hello-world', replicas: 3 };
const posted = { service: 'hello-world', image: 'crccheck/hello-world', replicas: 3 };

function onLoopback(given: Partial<ControlPlane> = {}) {
  const app = buildMyClusterApi({ control: fakeControlPlane(given), logger: pino({ enabled: false }) });
  return async (method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: object | string, headers = {}) => {
    const json = { 'content-type': 'application/json', ...headers };
    const url = path.startsWith('/') ? path : `/api/v1/${path}`;
    const answer = await app.inject({ method, url, headers: json, ...(body === undefined ? {} : { payload: body }) });
    return { status: answer.statusCode, type: answer.headers['content-type'], body: answer.json<unknown>() };
  };
}

function deploying(): { readonly control: Partial<ControlPlane>; readonly asked: DeployRequest[] } {
  const asked: DeployRequest[] = [];
  const deploy: ControlPlane['deploy'] = async (request) => {
    asked.push(request);
    return { services: [], warnings: [] };
  };
  return { control: { deploy, services: () => [hello] }, asked };
}

describe("MyCluster's API", () => {
  it('answers programs of this machine without a token, on a port of its own', async () => {
    const { status, type, body } = await onLoopback()('GET', 'state');
    expect([status, type]).toEqual([200, 'application/json; charset=utf-8']);
    expect(body).toMatchObject({ 'cluster.name': 'test', 'cluster.numOfWorkers': 0 });
  });

  it.each([
    ['a page of another site', { origin: 'https://example.org' }],
    ['a page that fetches', { 'sec-fetch-site': 'cross-site' }],
    ['a name that a stranger resolves to loopback', { host: 'rebound.example.org' }],
  ])('refuses there %s', async (_who, headers) => {
    const { control, asked } = deploying();
    const { status } = await onLoopback(control)('POST', 'service', posted, headers);
    expect(status).toBe(401);
    expect(asked).toEqual([]);
  });

  it.each(['/api/v1/state', '/api/v1/stats', '/api/v1/service', '/api/v1/service/hello-world'])(
    '%s needs the token elsewhere',
    async (url) => {
      const api = injectedApi({ services: () => [hello] });
      expect((await api.get(url, { authorization: '' })).status).toBe(401);
      expect((await api.get(url)).status).toBe(200);
    },
  );

  it('posts, reads, changes, lists and deletes a service', async () => {
    const { control, asked } = deploying();
    const removed: unknown[] = [];
    const ask = onLoopback({
      ...control,
      remove: async (names) => {
        removed.push(names);
        return { services: names.services ?? [] };
      },
    });
    expect((await ask('POST', 'service', { ...posted, extra: true })).status).toBe(201);
    expect((await ask('PUT', 'service/hello-world', { replicas: 5 })).status).toBe(200);
    expect((await ask('GET', 'service/hello-world')).body).toEqual({ ...posted, last_updated: 0 });
    expect((await ask('GET', 'service')).body).toEqual([{ ...posted, last_updated: 0 }]);
    expect((await ask('DELETE', 'service/hello-world')).status).toBe(200);
    expect(asked.map(({ documents: [document] }) => JSON.parse(document?.text ?? '').applications)).toMatchObject([
      [{ microservices: [{ microservice_name: 'hello-world', code: 'crccheck/hello-world', replicas: 3 }] }],
      [{ microservices: [{ microservice_name: 'hello-world', code: 'crccheck/hello-world', replicas: 5 }] }],
    ]);
    expect(removed).toEqual([{ services: [hello.name] }]);
  });

  it('says what a change waits for where that is not time alone', async () => {
    const { control } = deploying();
    const held = { ...hello, outcome: 'held' as const, message: '0 of 3 healthy; needs 900 MB' };
    const { status, body } = await onLoopback({ ...control, services: () => [held] })('POST', 'service', posted);
    expect(status).toBe(202);
    expect(body).toMatchObject({ message: held.message, 'cluster.name': 'test' });
  });

  it('knows nothing of a service that was not registered, as MyCluster says it', async () => {
    const { status, body } = await onLoopback()('GET', 'service/nothing');
    expect(status).toBe(404);
    expect(body).toEqual({ message: 'Service nothing was not registred for this cluster.', code: 404 });
  });

  it.each([
    ['no image', { service: 'a', replicas: 1 }, 400],
    ['a negative number', { ...posted, replicas: -1 }, 400],
    ['a number as text', { ...posted, replicas: '3' }, 400],
    ['no JSON', '{', 400],
  ])('refuses %s', async (_what, body, status) => {
    const answer = await onLoopback(deploying().control)('POST', 'service', body);
    expect([answer.status, answer.body]).toEqual([status, { error: expect.any(String), code: status }]);
  });

  it('leaves alone what git owns', async () => {
    const deploy = async (): Promise<never> => {
      throw new ProblemError(problem('OWNED_BY_GIT', 'git owns it', { hint: 'push' }));
    };
    const { status, body } = await onLoopback({ deploy })('POST', 'service', posted);
    expect([status, body]).toEqual([409, { error: 'git owns it (push)', code: 409 }]);
  });

  it('has no other path', async () => {
    const { status, body } = await onLoopback()('GET', '/api/v2/state');
    expect([status, body]).toMatchObject([404, { code: 404 }]);
  });
});
