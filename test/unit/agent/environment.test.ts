import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configOfEnvironment } from '../../../agent/environment.ts';

const least = { OAKCTL_API: 'https://reconciler:10100', NODE_IP: '127.0.0.1' };
const read = (env: Record<string, string>) => configOfEnvironment(env, 'box.lan');

describe('the environment of an agent', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'oakctl-environment-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('needs little', async () => {
    expect(await read({ ...least, NODE_NAME: '', NODE_TOKEN_FILE: join(folder, 'none') })).toMatchObject({
      config: { name: 'box', api: 'https://reconciler:10100', ip: '127.0.0.1', runtimes: { docker: {} } },
      problems: [],
    });
  });

  it('says everything', async () => {
    await writeFile(join(folder, 'token'), 'oak1.x\n');
    const more = {
      NODE_NAME: 'worker-1',
      NODE_LOCATION: 'hall',
      NODE_NETWORK: 'engine',
      NODE_TOKEN_FILE: join(folder, 'token'),
    };
    expect((await read({ ...least, ...more })).config).toMatchObject({
      name: 'worker-1',
      location: 'hall',
      token: 'oak1.x',
      runtimes: { docker: { network: 'engine' } },
    });
  });

  it('names what is missing', async () => {
    const { config, problems } = await read({ NODE_IP: '' });
    expect(config).toBeUndefined();
    expect(problems.map(({ subject }) => subject)).toEqual(['OAKCTL_API', 'NODE_IP']);
  });

  it.each([
    ['NODE_NAME', 'a b', 'name'],
    ['NODE_IP', 'here', 'ip'],
    ['OAKCTL_API', 'reconciler', 'api'],
    ['NODE_NETWORK', 'none', 'runtimes.docker.network'],
  ])('refuses %s=%s', async (variable, value, subject) => {
    const { config, problems } = await read({ ...least, [variable]: value });
    expect(config).toBeUndefined();
    expect(problems).toMatchObject([{ subject, file: 'the environment' }]);
    expect(problems[0]?.line).toBeUndefined();
  });
});
