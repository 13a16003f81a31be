/** A listening API with a fake control plane, and a client of it. */
import { pino } from 'pino';
import { type Api, type ApiBind, type ApiDeps, createApi } from '../../reconciler/api/server.ts';
import { createStreams, type StreamDeps, type StreamServer } from '../../reconciler/api/streams.ts';
import type { ControlPlane } from '../../reconciler/control-plane.ts';
import type { Shelf } from '../../reconciler/packages/shelf.ts';
import { type ApiClient, createApiClient } from '../../schemas/io/api-client.ts';
import { fakeControlPlane } from './fake-control-plane.ts';
import { memoryAccounts, memoryDesk } from './memory-accounts.ts';

export const testToken = 'the-token-of-this-test';

export interface TestApi extends Api {
  readonly client: ApiClient;
  readonly streams: StreamServer;
}

/** Listens on a free port of the loopback address. Nodes authenticate with `password-of-<node>`. */
export async function listenApi(
  given: Partial<ControlPlane> = {},
  streamDeps: Partial<StreamDeps> = {},
  shelf?: Shelf,
  notifier?: ApiDeps['notifier'],
  more: Partial<ApiDeps> & { readonly bind?: ApiBind } = {},
): Promise<TestApi> {
  const control = fakeControlPlane(given);
  const { accounts } = memoryAccounts();
  const streams = createStreams({
    authenticate: (node, password) => password === `password-of-${node}`,
    ...streamDeps,
  });
  const api = await createApi({
    control,
    token: testToken,
    accounts,
    limit: () => control,
    oakestra: memoryDesk(),
    streams,
    bind: { host: '127.0.0.1', port: 0 },
    logger: pino({ level: 'silent' }),
    ...(shelf && { shelf }),
    ...(notifier && { notifier }),
    ...more,
  });
  return { ...api, streams, client: createApiClient({ url: api.url, token: testToken }) };
}
