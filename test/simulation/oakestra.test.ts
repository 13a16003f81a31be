/** The walk through Oakestra's manual, with its descriptor byte for byte, over HTTP on a cluster in memory. */
import { readFile } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { buildApi } from '../../reconciler/api/server.ts';
import { createMemoryCluster, type MemoryCluster } from '../support/memory-cluster.ts';

const sla = await readFile(new URL('../../examples/clientsrvr/deploy_curl_application.yaml', import.meta.url), 'utf8');
let cluster: MemoryCluster;
let app: FastifyInstance;
let password = '';
let token = '';

beforeEach(async () => {
  cluster = await createMemoryCluster({ workers: 3 });
  await serve();
  await cluster.reconciler.accounts.begin(async (made) => {
    password = made;
  });
  token = (await ask('POST', '/api/auth/login', { username: 'Admin', password })).token;
});
afterEach(async () => {
  expect(cluster.fatal).toEqual([]);
  await app.close();
  await cluster.close();
});

async function serve(): Promise<void> {
  const { control, accounts, oakestra, limit } = cluster.reconciler;
  app = buildApi({
    ...{ control, accounts, oakestra, limit, token: 'the-token-of-the-folder' },
    logger: pino({ level: 'silent' }),
    streams: {
      authenticate: () => false,
      upgrade: () => undefined,
      close: () => undefined,
      expect: () => ({ id: '', chunks: (async function* () {})() }),
    },
  });
  await app.ready();
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';
// biome-ignore lint/suspicious/noExplicitAny: tests say what they expect of it
type Answer = any;

async function send(method: Method, url: string, body?: object | string): Promise<{ status: number; json: Answer }> {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
  const answer = await app.inject({ method, url, headers, ...(body !== undefined && { payload: body }) });
  return { status: answer.statusCode, json: answer.json() };
}

async function ask(method: Method, url: string, body?: object | string): Promise<Answer> {
  const { status, json } = await send(method, url, body);
  expect(status, `${method} ${url}: ${JSON.stringify(json)}`).toBe(200);
  return json;
}

/** Numbers of the instances that run, and how Oakestra calls that. */
const runs = (service: string, numbers: readonly number[]): Promise<number> =>
  cluster.clock.until(
    () => {
      const running = cluster.running().filter((line) => line.includes(service));
      return (
        running.length === numbers.length &&
        numbers.every((n) => running.some((line) => line.includes(`.instance.${n}`)))
      );
    },
    60_000,
    `${service}: ${numbers.join(', ')} of ${cluster.running().join('; ')}`,
  );

async function posted(): Promise<{ application: Answer; curl: Answer; nginx: Answer }> {
  const [application] = await ask('POST', '/api/application/', sla);
  const services: Answer[] = await ask('GET', `/api/services/${application.applicationID}`);
  const [curl, nginx] = ['curl', 'nginx'].map((name) => services.find((one) => one.service_name === name));
  return { application, curl, nginx };
}

it('is as the manual has it', async () => {
  const { application, curl, nginx } = await posted();
  expect(application).toMatchObject({
    application_name: 'clientsrvr',
    application_namespace: 'test',
    application_desc: 'Simple demo with curl client and Nginx server',
    userId: 'Admin',
    microservices: expect.arrayContaining([curl.microserviceID, nginx.microserviceID]),
  });
  expect(nginx).toMatchObject({
    job_name: 'clientsrvr.test.nginx.test',
    virtualization: 'docker',
    image: 'docker.io/library/nginx:latest',
    port: '6080:60/tcp',
    instance_list: [],
    next_instance_progressive_number: 0,
  });
  await cluster.clock.advance(30_000);
  expect(cluster.running()).toEqual([]);

  expect(await ask('GET', '/api/aplications/')).toEqual(await ask('GET', '/api/applications/'));
  const { _id } = await ask('GET', '/api/user/Admin');
  expect(await ask('GET', `/api/aplications/${_id.$oid}`)).toHaveLength(1);
  expect(await ask('GET', '/api/permission/Admin')).toEqual({ roles: [{ name: 'Admin' }] });
  expect(await ask('GET', '/api/clusters/')).toMatchObject([{ active: true, active_nodes: 3, cluster_name: 'test' }]);

  const service = `/api/service/${nginx.microserviceID}`;
  expect(await ask('POST', `${service}/instance`)).toEqual({ message: 'ok', instance_number: 0 });
  expect(await ask('POST', `${service}/instance`)).toEqual({ message: 'ok', instance_number: 1 });
  await runs('nginx', [0, 1]);
  await cluster.clock.advance(1_000);
  const { instance_list } = await ask('GET', service);
  expect(instance_list).toMatchObject([
    { instance_number: 0, status: 'RUNNING', publicip: expect.stringContaining('127.0.0.') },
    { instance_number: 1, status: 'RUNNING' },
  ]);
  await ask('DELETE', `${service}/instance/1`);
  await runs('nginx', [0]);
  // A number is never used again.
  expect(await ask('POST', `${service}/instance`)).toMatchObject({ instance_number: 2 });
  await runs('nginx', [0, 2]);
  await ask('DELETE', `${service}/instance/-1`);
  await runs('nginx', []);
  expect((await ask('GET', service)).instance_list).toEqual([]);
  expect(await ask('POST', `${service}/instance`)).toMatchObject({ instance_number: 3 });

  await ask('DELETE', service);
  await runs('nginx', []);
  expect((await send('GET', service)).status).toBe(404);
  await ask('DELETE', `/api/application/${application.applicationID}`);
  expect(await ask('GET', '/api/applications/')).toEqual([]);
});

it('updates, renames and adds by id, and refuses what is not there', async () => {
  const { application, curl, nginx } = await posted();
  await ask('POST', `/api/service/${nginx.microserviceID}/instance`);
  await runs('nginx', [0]);
  const edit = JSON.parse(sla);
  const [written] = edit.applications;
  const [, nginxAsWritten] = written.microservices;

  await ask('PUT', `/api/service/${nginx.microserviceID}`, {
    ...edit,
    applications: [{ ...written, microservices: [{ ...nginxAsWritten, code: 'docker.io/library/nginx:1.27' }] }],
  });
  expect(await ask('GET', `/api/service/${nginx.microserviceID}`)).toMatchObject({
    image: 'docker.io/library/nginx:1.27',
  });
  await cluster.clock.until(() => cluster.reconciler.control.service(nginx.job_name)?.outcome === 'settled', 120_000);
  await runs('nginx', [0]);

  await ask('PUT', `/api/service/${nginx.microserviceID}`, {
    ...edit,
    applications: [{ ...written, microservices: [{ ...nginxAsWritten, microservice_name: 'web' }] }],
  });
  expect(await ask('GET', `/api/service/${nginx.microserviceID}`)).toMatchObject({
    job_name: 'clientsrvr.test.web.test',
  });
  await runs('web', [0]);
  await runs('nginx', []);

  const more = { ...nginxAsWritten, microservice_name: 'more', port: '' };
  const adding = { ...edit, applications: [{ applicationID: application.applicationID, microservices: [more] }] };
  const added = await ask('POST', '/api/service/', adding);
  expect(added).toMatchObject({
    deployed_services: [{ service_name: 'clientsrvr.test.more.test' }],
    failed_services: [],
  });
  expect((await send('POST', '/api/service/', adding)).status).toBe(409);
  expect(await ask('GET', `/api/service/${added.job_id}`)).toMatchObject({ instance_list: [] });

  expect((await send('POST', '/api/application/', sla)).status).toBe(409);
  const foreign = { ...edit, applications: [{ ...written, applicationID: 'f'.repeat(24) }] };
  expect((await send('POST', '/api/application/', foreign)).status).toBe(404);
  expect(
    (await send('POST', '/api/application/', { ...edit, applications: [{ ...written, application_name: 'a b' }] }))
      .status,
  ).toBe(422);
  expect((await send('POST', '/api/application/', { nothing: true })).status).toBe(400);
  for (const [method, path] of [
    ['POST', `/api/service/${'f'.repeat(24)}/instance`],
    ['DELETE', `/api/service/${'f'.repeat(24)}/instance/0`],
    ['DELETE', `/api/service/${curl.microserviceID}/instance/7`],
    ['DELETE', `/api/application/${'f'.repeat(24)}`],
    ['GET', '/api/services/none'],
  ] as const)
    expect((await send(method, path)).status, path).toBe(404);

  await ask('PUT', `/api/application/${application.applicationID}`, { application_name: 'renamed' });
  expect(await ask('GET', `/api/application/${application.applicationID}`)).toMatchObject({
    application_name: 'renamed',
  });
  expect(await ask('GET', `/api/service/${nginx.microserviceID}`)).toMatchObject({ job_name: 'renamed.test.web.test' });
});

it('survives the reconciler, and shows a provider only its own', async () => {
  const { application, nginx } = await posted();
  await ask('POST', `/api/service/${nginx.microserviceID}/instance`);
  await runs('nginx', [0]);
  await ask('POST', '/api/auth/register', {
    name: 'pat',
    password: 'of pat 0123456789',
    roles: ['Application_Provider'],
  });
  await cluster.restartReconciler();
  await app.close();
  await serve();
  expect(await ask('GET', `/api/application/${application.applicationID}`)).toMatchObject({
    application_name: 'clientsrvr',
  });
  expect(await ask('GET', `/api/service/${nginx.microserviceID}`)).toMatchObject({
    job_name: 'clientsrvr.test.nginx.test',
  });

  const admin = token;
  token = (await ask('POST', '/api/auth/login', { username: 'pat', password: 'of pat 0123456789' })).token;
  expect(await ask('GET', '/api/applications/')).toEqual([]);
  for (const [method, path] of [
    ['GET', `/api/service/${nginx.microserviceID}`],
    ['POST', `/api/service/${nginx.microserviceID}/instance`],
    ['DELETE', `/api/application/${application.applicationID}`],
  ] as const)
    expect((await send(method, path)).status, path).toBe(404);
  expect((await send('POST', '/api/application/', sla)).status).toBe(403);
  expect((await send('GET', '/api/users/')).status).toBe(403);
  const own = sla.replace('"clientsrvr"', '"mine"').replace('6080:60/tcp', '');
  expect(await ask('POST', '/api/application/', own)).toMatchObject([{ application_name: 'mine', userId: 'pat' }]);
  token = admin;
  expect(await ask('GET', '/api/applications/')).toHaveLength(2);
});
