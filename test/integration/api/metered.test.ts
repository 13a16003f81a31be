/** What clients do that hang up is counted, too: who asked, what, and how it ended. */
import { request as ask, type ClientRequest } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMetrics } from '../../../reconciler/metrics/metrics.ts';
import { listenApi, type TestApi, testToken } from '../../support/api-server.ts';
import { eventually } from '../../support/eventually.ts';
import { fakeControlPlane, fakeEvent } from '../../support/fake-control-plane.ts';

const authorization = `Bearer ${testToken}`;
let api: TestApi;
/** Ends the answers that are on their way. */
let finish: () => void;
/** Requests that arrived at the control plane. */
let arrived: number;
let left: boolean;

beforeEach(async () => {
  arrived = 0;
  left = false;
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const control = {
    approve: async () => {
      arrived += 1;
      await finished;
      return { approved: 'a' };
    },
    async *events(_: unknown, signal: AbortSignal) {
      yield fakeEvent(1);
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      left = true;
    },
    figures: () => ({
      status: fakeControlPlane().status(),
      services: [],
      nodes: [],
      queues: { services_to_plan: 0, nodes_to_tell: 0, messages_unacknowledged: 0 },
    }),
  };
  api = await listenApi(control, {}, undefined, undefined, { metrics: createMetrics() });
});
afterEach(() => api.close());

function begin(method: string, path: string, headers: Readonly<Record<string, string>> = {}): ClientRequest {
  const request = ask(`${api.url}${path}`, { method, agent: false, headers: { authorization, ...headers } });
  // Hung up by ourselves.
  request.on('error', () => {});
  return request;
}

/** Counted so far: `status method route`, with how often. Scrapes, which count as well, are left out. */
async function counted(): Promise<Readonly<Record<string, number>>> {
  const text = await (await fetch(`${api.url}/metrics`, { headers: { authorization } })).text();
  const rows = text.matchAll(/^oakctl_http_requests_total\{method="(.*)",route="(.*)",status="(.*)"\} (\d+)$/gm);
  const all = [...rows].map(([, method, route, status, count]) => [`${status} ${method} ${route}`, Number(count)]);
  return Object.fromEntries(all.filter(([name]) => name !== '200 GET /metrics')) as Record<string, number>;
}

const json = { 'content-type': 'application/json' };

describe('a client that hangs up', () => {
  it('before the answer is counted once, under 499, and how long it took is not', async () => {
    const request = begin('POST', '/v1/approve', json);
    request.end('{"id":"a"}');
    await eventually(() => expect(arrived).toBe(1));
    expect(await counted()).toEqual({});
    request.destroy();
    await eventually(async () => expect(await counted()).toEqual({ '499 POST /v1/approve': 1 }));
    finish();
    const patient = begin('POST', '/v1/approve', json);
    patient.end('{"id":"a"}');
    await new Promise((resolve) => patient.once('response', (answer) => answer.resume().once('end', resolve)));
    await eventually(async () =>
      expect(await counted()).toEqual({ '499 POST /v1/approve': 1, '200 POST /v1/approve': 1 }),
    );
    const text = await (await fetch(`${api.url}/metrics`, { headers: { authorization } })).text();
    expect(text).toContain('oakctl_http_request_duration_seconds_count{route="/v1/approve"} 1\n');
  });

  it('in the middle of its own body, too, and without a token', async () => {
    for (const headers of [{}, { authorization: 'Bearer x' }]) {
      const request = begin('POST', '/v1/approve', { ...json, ...headers, 'content-length': '100' });
      const refused = new Promise((resolve) => request.once('response', (answer) => resolve(answer.statusCode)));
      request.write('{"id":');
      if ('authorization' in headers) expect(await refused).toBe(401);
      // What asks after it on another connection is answered when it has arrived.
      await counted();
      request.destroy();
    }
    await eventually(async () =>
      expect(await counted()).toEqual({ '499 POST /v1/approve': 1, '401 POST /v1/approve': 1 }),
    );
    expect(arrived).toBe(0);
  });

  it('of events, once it has some, had an answer: it lasts as long as its reader stays', async () => {
    const request = begin('GET', '/v1/events?follow=true');
    request.end();
    await new Promise((resolve) => request.once('response', (answer) => answer.once('data', resolve)));
    request.destroy();
    await eventually(async () => expect(await counted()).toEqual({ '200 GET /v1/events': 1 }));
    expect(left).toBe(true);
  });

  it('from a path that is none is counted as all of them', async () => {
    const request = begin('POST', '/made/up', { ...json, 'content-length': '100' });
    request.write('{');
    await counted();
    request.destroy();
    await eventually(async () => {
      const found = await counted();
      expect(Object.keys(found).every((name) => name.endsWith(' any none'))).toBe(true);
      expect(Object.values(found)).toEqual([1]);
    });
  });
});
