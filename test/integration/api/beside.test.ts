import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { isProblemError } from '../../../schemas/problem.ts';
import { listenApi, type TestApi, testToken } from '../../support/api-server.ts';
import { ownPort } from '../../support/machine.ts';

const host = '127.0.0.1';
let api: TestApi | undefined;
afterEach(() => api?.close());

const listen = (beside: number): Promise<TestApi> =>
  listenApi({}, {}, undefined, undefined, { bind: { host, port: 0, beside } });

describe('another port beside that of the API', () => {
  it('answers the same, with the same tokens, and ends with it', async () => {
    const port = await ownPort(70);
    api = await listen(port);
    const there = `http://${host}:${port}`;
    expect(await (await fetch(`${there}/`)).text()).toBe('OK\n');
    expect((await fetch(`${there}/v1/status`)).status).toBe(401);
    const headers = { authorization: `Bearer ${testToken}` };
    expect((await fetch(`${there}/v1/status`, { headers })).status).toBe(200);
    await api.close();
    await expect(fetch(`${there}/`)).rejects.toThrow();
    api = undefined;
  });

  it('is an error that names it when somebody else has it', async () => {
    const port = await ownPort(71);
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(port, host, resolve));
    try {
      const failed: unknown = await listen(port).catch((error: unknown) => error);
      expect(isProblemError(failed) && failed.problem).toMatchObject({ code: 'PORT_TAKEN' });
      expect(String(failed)).toContain(String(port));
    } finally {
      other.close();
    }
  });
});
