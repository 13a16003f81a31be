/** The table in examples/oakestra/conformance.md, row by row, on a cluster in memory; and each answer against the API's description. */
import { readFile } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildApi } from '../../reconciler/api/server.ts';
import { type Described, describedBy } from '../support/described.ts';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';

const examples = new URL('../../examples/', import.meta.url);
const sla = await readFile(new URL('clientsrvr/deploy_curl_application.yaml', examples), 'utf8');
const table = await readFile(new URL('oakestra/conformance.md', examples), 'utf8');

interface Row {
  readonly as: string;
  readonly method: string;
  readonly path: string;
  readonly body: string;
  readonly status: number;
  readonly answer: string;
}

const bare = (cell: string): string => cell.trim().replace(/^`(.*)`$/, '$1');
const rows: readonly Row[] = table
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| as '))
  .map((line) => {
    const [, as = '', request = '', body = '', status = '', answer = ''] = line.split('|');
    const [method = '', path = ''] = bare(request).split(' ');
    return { as: bare(as), method, path, body: bare(body), status: Number(status), answer: bare(answer) };
  });

let cluster: MemoryCluster;
let app: FastifyInstance;
let described: Described;
/** What answers told, by the name that the table gives it. */
const told = new Map<string, string>();
const walked = new Set<string>();

beforeAll(async () => {
  cluster = await createMemoryCluster({ workers: 3 });
  await cluster.push({ 'web.yaml': descriptor([{ microservice_name: 'web' }]) });
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
  app.addHook('onResponse', async ({ method, routeOptions: { url = '' } }) => void walked.add(`${method} ${url}`));
  await app.ready();
  described = describedBy(app.routeRights);
  await accounts.begin(async (made) => void told.set('password', made));
});
afterAll(async () => {
  expect(cluster.fatal).toEqual([]);
  await app.close();
  await cluster.close();
});

const known = (text: string): string => text.replace(/<(\w+)>/g, (whole, name: string) => told.get(name) ?? whole);

/** Keeps what is told for the first time; all else has to be as it is written. */
function requireLike(found: unknown, written: unknown, place: string): void {
  if (written === '…') {
    expect(found, place).toBeTruthy();
    return;
  }
  const [, name] = typeof written === 'string' ? (/^<(\w+)>$/.exec(written) ?? []) : [];
  if (name !== undefined) {
    expect(found, place).toEqual(told.get(name) ?? expect.any(String));
    told.set(name, String(found));
  } else if (Array.isArray(written) && written.length > 0) {
    for (const [index, item] of written.entries()) requireAmong(found, item, `${place}[${index}]`);
  } else if (typeof written === 'object' && written !== null && !Array.isArray(written)) {
    expect(found, place).toBeTypeOf('object');
    for (const [key, member] of Object.entries(written))
      requireLike((found as Record<string, unknown>)[key], member, `${place}.${key}`);
  } else expect(found, place).toEqual(written);
}

/** Nodes follow a change within a moment: whoever looks, looks again. */
async function followed(look: () => Promise<void>): Promise<void> {
  for (let left = 10; left > 0; left -= 1) {
    const before = new Map(told);
    try {
      await look();
      return;
    } catch {
      told.clear();
      for (const [key, value] of before) told.set(key, value);
      await cluster.clock.advance(2_000);
    }
  }
  await look();
}

/** One of the list is like this. What it tells is kept only if it is. */
function requireAmong(list: unknown, written: unknown, place: string): void {
  expect(Array.isArray(list), `${place}: ${JSON.stringify(list)}`).toBe(true);
  const before = new Map(told);
  const fits = (list as readonly unknown[]).some((one) => {
    try {
      requireLike(one, written, place);
      return true;
    } catch {
      told.clear();
      for (const [key, value] of before) told.set(key, value);
      return false;
    }
  });
  expect(fits, `${place}: ${JSON.stringify(written)} in ${JSON.stringify(list)}`).toBe(true);
}

it('has rows', () => {
  expect(rows.length).toBeGreaterThan(80);
});

it.each(rows.map((row, index) => [index + 1, row.as, `${row.method} ${row.path}`, row.status, row] as const))(
  'row %i: %s %s is %i',
  async (_number, as, _request, status, row) => {
    const token = as === 'nobody' ? undefined : told.get(as);
    expect(as === 'nobody' || token !== undefined, `${as} is logged in`).toBe(true);
    const url = known(row.path);
    expect(url).not.toContain('<');
    const payload = row.body === 'SLA' ? sla : known(row.body);
    const ask = async (): Promise<void> => {
      const answer = await app.inject({
        method: row.method as 'GET',
        url,
        headers: {
          'content-type': 'application/json',
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
        },
        ...(payload !== '' && { payload }),
      });
      const { body: text, headers } = answer;
      expect(answer.statusCode, text).toBe(status);
      if (row.answer !== '') requireLike(answer.json(), JSON.parse(row.answer), 'the answer');
      const type = headers['content-type']?.toString();
      if (row.path.startsWith('/api/'))
        expect(described.fault({ method: row.method, url, status, type, text })).toBe('');
    };
    await (row.method === 'GET' ? followed(ask) : ask());
  },
);

it('has every route of the API, and each of its codes that is meant for people', () => {
  const routes = app.routeRights.filter(({ url }) => /^\/api\/(?!v1|docs|openapi|calculate)/.test(url));
  const named = routes.filter(({ method }) => method !== 'HEAD').map(({ method, url }) => `${method} ${url}`);
  expect(named.filter((route) => !walked.has(route))).toEqual([]);
  expect(new Set(rows.map(({ status }) => status))).toEqual(new Set([200, 400, 401, 403, 404, 409, 422, 501]));
});
