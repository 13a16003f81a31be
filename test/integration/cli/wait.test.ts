import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exitCodes } from '../../../cli/exit-codes.ts';
import type { ServiceView } from '../../../schemas/views.ts';
import { listenApi, type TestApi, testToken } from '../../support/api-server.ts';
import { runCommand } from '../../support/commands.ts';
import { descriptor, fullName } from '../../support/descriptors.ts';
import { fakeInstance, fakeService } from '../../support/fake-control-plane.ts';

const digest = `1:${'a'.repeat(64)}`;
const done = fullName('shop', 'done');
const late = fullName('shop', 'late');
const settled: ServiceView = { ...fakeService(done), digest, outcome: 'settled', message: 'runs' };
const instance = `${late}.instance.1`;
const waiting: ServiceView = {
  ...fakeService(late),
  digest,
  outcome: 'progressing',
  message: '1 of 2 healthy',
  instances: [fakeInstance(`${late}.instance.0`), { ...fakeInstance(instance), status: 'pulling', healthy: false }],
  holds: [{ code: 'NO_CAPACITY', subject: instance, message: 'no node has 64 MB free', hint: 'add a node' }],
};

let folder: string;
let api: TestApi;
let questions: number;

/** A reconciler that took the deployment, and says this of its services whenever it is asked. */
async function answering(views: readonly ServiceView[], asked: () => unknown = () => {}): Promise<void> {
  questions = 0;
  api = await listenApi({
    deploy: async () => ({
      services: views.map(({ name }) => ({ name, digest, change: 'same' as const })),
      warnings: [],
    }),
    services() {
      questions += 1;
      asked();
      return views;
    },
    // Nothing happens any more, and nobody says so.
    async *events(_, signal) {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
    },
  });
}

const deploy = (...flags: string[]) =>
  runCommand('deploy', [join(folder, 'shop.yaml'), '--api', api.url, '--token-file', join(folder, 'token'), ...flags]);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakctl-wait-'));
  process.env['OAKCTL_HOME'] = folder;
  await writeFile(join(folder, 'token'), testToken);
  await writeFile(join(folder, 'shop.yaml'), descriptor('shop', { done: { code: 'a:1' } }));
});
afterEach(async () => {
  delete process.env['OAKCTL_HOME'];
  await api.close();
  await rm(folder, { recursive: true, force: true });
});

describe('a deployment that is waited for', () => {
  it('and is done already ends with the first answer: no second question, and no event that it would need', async () => {
    await answering([settled]);
    const { code, stdout } = await deploy();
    expect(code).toBe(exitCodes.ok);
    expect(stdout).toContain(done);
    expect(questions).toBe(1);
  });

  it('and does not come to an end in time has a code of its own, and names whom it waited for, and why', async () => {
    await answering([settled, waiting]);
    const { code, stdout } = await deploy('--timeout', '1ms');
    expect(code).toBe(exitCodes.timedOut);
    const culprits = stdout.split('\n').filter((line) => /waiting|pulling|NO_CAPACITY/.test(line));
    expect(culprits).toEqual([
      expect.stringMatching(new RegExp(`^${late} +waiting.*1 of 2 healthy`)),
      expect.stringMatching(new RegExp(`^ +${instance} +pulling`)),
      expect.stringContaining('NO_CAPACITY no node has 64 MB free (add a node)'),
    ]);
  });

  it('and is left by Ctrl-C says that it goes on', async () => {
    await answering([settled, waiting], () => questions > 1 && process.emit('SIGINT'));
    const { code, stderr } = await deploy();
    expect(code).toBe(exitCodes.interrupted);
    expect(stderr).toMatch(/no longer waiting; the cluster goes on with it: oakctl services ls\n$/);
  });
});
