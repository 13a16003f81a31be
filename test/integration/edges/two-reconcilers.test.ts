import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runReconciler } from '../../../reconciler/main.ts';
import { isProblemError, type Problem } from '../../../schemas/problem.ts';
import type { ClusterStatus } from '../../../schemas/views.ts';
import { eventually } from '../../support/eventually.ts';
import { hasMosquitto, startMosquitto, type TestMosquitto } from '../../support/mosquitto.ts';

interface Running {
  readonly folder: string;
  readonly user: string;
  /** The problem that it ended with; undefined when it was stopped. */
  readonly ended: Promise<Problem | undefined>;
  stop(): Promise<unknown>;
}

const isThere = hasMosquitto();
if (!isThere) process.stderr.write('two reconcilers: Mosquitto is not installed, they are skipped\n');

describe.skipIf(!isThere)('two reconcilers of one cluster on one Mosquitto', () => {
  let mosquitto: TestMosquitto;
  const folders: string[] = [];
  const all: Running[] = [];
  let first: Running;
  let second: Running;

  beforeAll(async () => {
    const users = { reconciler: 'one password', 'reconciler-2': 'another password' };
    mosquitto = await startMosquitto({ users, reconcilers: Object.keys(users) });
  });
  afterAll(async () => {
    for (const one of all) await one.stop();
    await mosquitto.close();
    for (const folder of folders) await rm(folder, { recursive: true, force: true });
  });

  /** `like`: has what a backup of that one has. */
  async function prepare(user: string, like?: Running): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'oakctl-two-'));
    folders.push(folder);
    const filter = (path: string): boolean => !path.endsWith('.lock');
    for (const part of like ? ['identity', 'records'] : [])
      await cp(join(like?.folder ?? '', part), join(folder, part), { recursive: true, filter });
    const passwordFile = mosquitto.passwordFile(user, user === 'reconciler' ? 'one password' : 'another password');
    const text = `cluster: test
api: { port: 0 }
mqtt: { url: ${mosquitto.url}, username: ${user}, password_file: ${passwordFile} }
broker: { credentials: { file: ${mosquitto.folder}/passwords, reload: { pid_file: ${mosquitto.folder}/pid } } }
`;
    await writeFile(join(folder, 'cluster.yaml'), text);
    return folder;
  }
  function start(folder: string, user: string): Running {
    const abort = new AbortController();
    const ended = runReconciler({ folder }, abort.signal).then(
      () => undefined,
      (error: unknown) => {
        if (isProblemError(error)) return error.problem;
        throw error;
      },
    );
    const stop = async (): Promise<unknown> => {
      abort.abort();
      return ended;
    };
    const running = { folder, user, ended, stop };
    all.push(running);
    return running;
  }
  const ask = async ({ folder }: Running, path: string, init: RequestInit = {}): Promise<Response> => {
    const { api } = JSON.parse(await readFile(join(folder, 'endpoints.json'), 'utf8'));
    const token = (await readFile(join(folder, 'api-token'), 'utf8')).trim();
    return fetch(`${api}${path}`, { ...init, headers: { authorization: `Bearer ${token}` } });
  };
  const status = async (one: Running) => (await (await ask(one, '/v1/status')).json()) as ClusterStatus;
  const reaches = (one: Running, phase: ClusterStatus['phase'], timeout = 30_000): Promise<unknown> =>
    eventually(async () => expect((await status(one)).phase).toBe(phase), {
      timeout,
      what: `${one.user} to be ${phase}`,
    });

  it('the first one runs, the second one stands by and says for whom', async () => {
    first = start(await prepare('reconciler'), 'reconciler');
    await reaches(first, 'running');
    second = start(await prepare('reconciler-2', first), 'reconciler-2');
    const { api } = JSON.parse(await readFile(join(first.folder, 'endpoints.json'), 'utf8'));
    await eventually(
      async () =>
        expect((await status(second)).conditions).toMatchObject([
          { code: 'STANDBY', message: expect.stringContaining(api) },
        ]),
      { timeout: 30_000 },
    );
    expect((await status(second)).phase).toBe('standby');
    expect((await ask(second, '/v1/tokens', { method: 'POST' })).status).toBe(503);
    expect((await status(first)).conditions).toEqual([]);
  });

  it('a third one with the user name of the first ends, and the first goes on', async () => {
    const third = start(await prepare('reconciler', first), 'reconciler');
    expect(await third.ended).toMatchObject({
      code: 'RIVAL_RECONCILER',
      message: expect.stringContaining('takes turns'),
    });
    await reaches(first, 'running');
    const again = await eventually(
      async () => {
        const answer = await ask(first, '/readyz');
        expect(answer.status).toBe(200);
        return status(first);
      },
      { timeout: 30_000 },
    );
    expect(again.conditions).toEqual([]);
    expect((await status(second)).phase).toBe('standby');
  });

  it('the second one takes over when the first has gone, and keeps it when that comes back', async () => {
    const { epoch } = await status(first);
    await first.stop();
    await reaches(second, 'running', 45_000);
    expect((await status(second)).epoch).toBeGreaterThan(epoch);
    const back = start(first.folder, 'reconciler');
    await eventually(
      async () =>
        expect((await status(back)).conditions).toMatchObject([{ code: 'STANDBY', hint: expect.any(String) }]),
      { timeout: 30_000 },
    );
    const passwords = await readFile(join(mosquitto.folder, 'passwords'), 'utf8');
    expect(
      passwords
        .split('\n')
        .map((line) => line.split(':')[0])
        .filter(Boolean)
        .sort(),
    ).toEqual(['operator', 'reconciler', 'reconciler-2']);
  });
});
