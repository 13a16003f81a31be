import { get } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AuditEntry } from '../../../schemas/audit.ts';
import type { ExecConnection } from '../../../schemas/exec.ts';
import { createApiClient } from '../../../schemas/io/api-client.ts';
import { listenApi, type TestApi } from '../../support/api-server.ts';
import { eventually } from '../../support/eventually.ts';
import { fakeEvent, fakeInstance } from '../../support/fake-control-plane.ts';
import { attacked } from '../../support/forged-tokens.ts';
import { type MemoryAccounts, memoryAccounts, owner } from '../../support/memory-accounts.ts';

const name = 'shop.default.web.default.instance.0';
const never = new AbortController().signal;

let memory: MemoryAccounts;
let api: TestApi;
let entries: AuditEntry[];
let approve: (id: string) => Promise<{ approved: string }>;
/** Of the agents' side. */
let ended: string[];

beforeEach(async () => {
  memory = memoryAccounts();
  entries = [];
  ended = [];
  await memory.accounts.add({ name: 'ann', role: 'admin' }, owner);
  const until = (what: string, signal: AbortSignal) =>
    new Promise<void>((resolve) =>
      signal.addEventListener('abort', () => {
        ended.push(what);
        resolve();
      }),
    );
  api = await listenApi(
    {
      instances: () => [fakeInstance(name)],
      approve: (id) => approve(id),
      async *events(_, signal) {
        yield fakeEvent(1);
        await until('events', signal);
      },
      async exec(_, __, signal): Promise<ExecConnection> {
        async function* frames(): AsyncGenerator<Uint8Array> {
          yield new Uint8Array([1]);
          await until('exec', signal);
        }
        return { frames: frames(), send: async () => {}, close: () => {}, gone: signal };
      },
    },
    {},
    undefined,
    undefined,
    {
      accounts: memory.accounts,
      audit: { record: (deed) => void entries.push(deed as never), read: async () => entries },
    },
  );
});
afterEach(() => api.close());

async function tokenOf(account: string) {
  const { accounts } = memory;
  return accounts.tokens.create(accounts.required(account), {}, owner);
}

/** Opens an answer that lasts; `isOver` once it was cut. */
async function stream(path: string, token: string) {
  const state = { isOver: false, text: '' };
  const request = get(`${api.url}${path}`, { headers: { authorization: `Bearer ${token}` } }, (response) => {
    response.on('data', (data: Buffer) => {
      state.text += data.toString();
    });
    response.on('error', () => {});
    response.on('close', () => {
      state.isOver = true;
    });
  });
  request.on('error', () => {
    state.isOver = true;
  });
  return state;
}

describe('a session', () => {
  it('is opened by none of the tokens that an attacker makes', async () => {
    const { memory: others, bad } = await attacked();
    const one = await listenApi({}, {}, undefined, undefined, { accounts: others.accounts });
    for (const path of [`/v1/instances/${name}/exec`, '/v1/nodes/pi1/images']) {
      const answers = Object.entries(bad).map(async ([why, token]) => [why, await upgrade(`${one.url}${path}`, token)]);
      expect(await Promise.all(answers)).toEqual(Object.keys(bad).map((why) => [why, 401]));
    }
    await one.close();
  });
});

/** Status of the answer to a request for a WebSocket. */
function upgrade(url: string, token: string): Promise<number | undefined> {
  const headers = {
    authorization: `Bearer ${token}`,
    ...{ connection: 'Upgrade', upgrade: 'websocket' },
    ...{ 'sec-websocket-version': '13', 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==' },
  };
  return new Promise((resolve, reject) => {
    const request = get(url, { headers, agent: false }, (response) => resolve(response.resume().statusCode));
    request.once('upgrade', () => resolve(101)).once('error', reject);
  });
}

describe('who may not go on', () => {
  it('is cut off from events and from what runs inside instances; others are not, and he is told why', async () => {
    const { token, view } = await tokenOf('ann');
    const other = await tokenOf('ann');
    const mine = await stream('/v1/events?follow=true', token);
    const others = await stream('/v1/events?follow=true', other.token);
    const session = await createApiClient({ url: api.url, token }).exec(name, 'ann', never);
    await eventually(() => mine.text.includes('id:') && others.text.includes('id:'));
    await memory.accounts.tokens.revoke(view.id, undefined, owner);
    const started = performance.now();
    let said = '';
    for await (const frame of session.frames) said += new TextDecoder().decode(frame);
    await eventually(() => mine.isOver);
    expect(performance.now() - started).toBeLessThan(5_000);
    expect(said).toContain('the token was revoked');
    await eventually(() => ended.length === 2);
    expect(ended.sort()).toEqual(['events', 'exec']);
    expect(others.isOver).toBe(false);
  });
});

describe('who does not wait for the answer', () => {
  it('did it all the same', async () => {
    const { token } = await tokenOf('ann');
    let begun = false;
    let go = () => {};
    approve = async (id) => {
      begun = true;
      await new Promise<void>((resolve) => {
        go = resolve;
      });
      return { approved: id };
    };
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
    const body = JSON.stringify({ id: 'ab12' });
    socket.write(
      `POST /v1/approve HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await eventually(() => begun);
    socket.destroy();
    await new Promise((resolve) => socket.once('close', resolve));
    go();
    await eventually(() => entries.length > 0);
    expect(entries).toMatchObject([
      { caller: { name: 'ann' }, action: 'POST /v1/approve', subject: 'ab12', status: 200 },
    ]);
  });
});
