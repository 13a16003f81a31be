/** The API without a socket: requests go straight into the server, and a fake control plane answers. */
import { pino } from 'pino';
import type { RouteRight } from '../../reconciler/api/access.ts';
import { type ApiDeps, buildApi } from '../../reconciler/api/server.ts';
import type { ControlPlane } from '../../reconciler/control-plane.ts';
import { fakeControlPlane } from './fake-control-plane.ts';
import { memoryAccounts, memoryDesk } from './memory-accounts.ts';

export const apiToken = 'a-token-of-this-test';

export interface Answer {
  readonly status: number;
  /** Of its content. */
  readonly type: string | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests say what they expect of it
  json(): any;
}

type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
type Headers = Readonly<Record<string, string>>;

export interface InjectedApi {
  /** With the token, unless `headers` say otherwise. Objects and texts are sent as JSON. */
  request(method: Method, url: string, payload?: object | string, headers?: Headers): Promise<Answer>;
  get(url: string, headers?: Headers): Promise<Answer>;
  post(url: string, body?: object | string): Promise<Answer>;
  /** Every route, once it is ready. */
  routes(): Promise<readonly RouteRight[]>;
  /** Lines of the server's log. */
  readonly log: readonly string[];
}

/** Needs no closing: nothing listens. */
export function injectedApi(
  given: Partial<ControlPlane> = {},
  { accounts = memoryAccounts().accounts, ...more }: Partial<ApiDeps> = {},
): InjectedApi {
  const control = fakeControlPlane(given);
  const log: string[] = [];
  const app = buildApi({
    control,
    token: apiToken,
    accounts,
    limit: () => control,
    oakestra: memoryDesk(),
    streams: {
      authenticate: (node, password) => node === 'ab12' && password === '1.secret',
      upgrade: () => {},
      close: () => {},
      expect: () => ({ id: '', chunks: (async function* () {})() }),
    },
    logger: pino({}, { write: (line: string) => void log.push(line) }),
    ...more,
  });
  const request: InjectedApi['request'] = async (method, url, payload, headers = {}) => {
    const json = payload === undefined ? {} : { 'content-type': 'application/json' };
    const answer = await app.inject({
      method,
      url,
      headers: { authorization: `Bearer ${apiToken}`, ...json, ...headers },
      ...(payload === undefined ? {} : { payload }),
    });
    const { statusCode: status, headers: told, body: text } = answer;
    return { status, type: told['content-type']?.toString(), headers: told, text, json: () => answer.json() };
  };
  return {
    request,
    get: (url, headers) => request('GET', url, undefined, headers),
    async routes() {
      await app.ready();
      return app.routeRights;
    },
    post: (url, body) => request('POST', url, body),
    log,
  };
}
