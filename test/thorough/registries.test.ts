/** A service whose image comes from a registry with a login: whatever goes wrong there has its reason, and what ran before runs on. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import type { ServiceView } from '../../schemas/views.ts';
import { createTestCluster, program, type TestCluster, takeDown } from '../support/cluster.ts';
import { descriptor, fullName } from '../support/descriptors.ts';
import { engineAnswers } from '../support/engine.ts';
import { eventually } from '../support/eventually.ts';
import { unique } from '../support/machine.ts';
import { startRegistry, type TinyImage, type TinyRegistry } from '../support/tiny-registry.ts';

const app = unique('pull');
const web = fullName(app, 'web');
const login = { username: 'fleet', password: `correct-horse-${process.pid}` };

describe.skipIf(!(await engineAnswers()))('a registry with a login', () => {
  let cluster: TestCluster;
  let registry: TinyRegistry;
  let mirror: TinyRegistry;
  let busybox: Buffer;
  let agent: ChildProcess | undefined;

  const image = (version: string): TinyImage => ({
    entries: [
      { path: 'busybox', kind: 'file', content: busybox, mode: 0o755 },
      { path: 'version', kind: 'file', content: Buffer.from(`${version} ${app}`) },
    ],
    command: ['/busybox', 'sleep', '3600'],
  });
  const codeOf = (version: string): string => `${registry.host}/team/app:${version}`;
  const push = (version: string): Promise<unknown> =>
    cluster.repository.push({ 'app.yaml': descriptor(app, { web: { code: codeOf(version) } }) });
  /** What the reconciler knows of registries: read at each use. */
  const say = (entry: object): Promise<void> =>
    writeFile(join(cluster.folder, 'registries.yaml'), stringify({ registries: { [registry.host]: entry } }), {
      mode: 0o600,
    });
  const runs = (version: string): Promise<unknown> =>
    eventually(
      async () => {
        const view = await cluster.get<ServiceView>(`services/${web}`);
        expect(view).toMatchObject({ outcome: 'settled', image: codeOf(version), healthy: 1 });
      },
      { timeout: 120_000, what: `version ${version}` },
    );
  /** Ids of the containers that run. */
  const running = async (): Promise<string[]> =>
    (await cluster.containers()).filter(({ state }) => state === 'running').map(({ id }) => id);
  const reason = (code: string): Promise<unknown> =>
    eventually(async () => expect(await cluster.oakctl('why', web)).toContain(code), { timeout: 60_000, what: code });

  beforeAll(async () => {
    const { stdout } = await promisify(execFile)('sh', ['-c', 'command -v busybox']);
    busybox = await readFile(stdout.trim());
    [registry, mirror] = await Promise.all([startRegistry({ kind: 'token', ...login }), startRegistry()]);
    cluster = await createTestCluster({ workers: 1 });
    const file = join(cluster.folder, 'workers', 'worker-1', 'agent.yaml');
    const settings = parse(await readFile(file, 'utf8')) as { runtimes?: { docker?: object } };
    const docker = { ...settings.runtimes?.docker, pull_stall: '2s' };
    await writeFile(file, stringify({ ...settings, runtimes: { ...settings.runtimes, docker } }));
    // `up` would write the file anew.
    process.kill(await cluster.pid('worker-1'), 'SIGKILL');
    const folder = join(cluster.folder, 'workers', 'worker-1');
    agent = spawn(process.execPath, [program, 'agent', '--folder', folder], { stdio: 'ignore' });
    for (const version of ['1', '2', '3']) registry.push('team/app', version, image(version));
    mirror.push('team/app', '4', image('4'));
  });
  afterAll(async () => {
    agent?.kill('SIGKILL');
    await takeDown(cluster);
    await registry.close();
    await mirror.close();
    const docker = new Docker();
    const names = (await docker.listImages()).flatMap(({ RepoTags, RepoDigests }) => [
      ...(RepoTags ?? []),
      ...(RepoDigests ?? []),
    ]);
    for (const name of names.filter((one) => [registry, mirror].some(({ host }) => one.startsWith(`${host}/`))))
      await docker
        .getImage(name)
        .remove({ force: true })
        .catch(() => undefined);
  });

  it('is logged in to, once it took the password, and gives the image', async () => {
    const path = `registries/${encodeURIComponent(registry.host)}/login`;
    await expect(cluster.post(path, { ...login, password: 'no' })).rejects.toMatchObject({
      problem: { code: 'IMAGE_DENIED' },
    });
    expect(await cluster.post(path, login)).toEqual({ registry: registry.host, changed: true });
    expect(await cluster.oakctl('registries', 'ls')).toContain('fleet');
    await push('1');
    await runs('1');
  });

  it('that refuses the password is a reason, and tried again until it takes it', async () => {
    const before = await running();
    await say({ ...login, password: 'wrong' });
    await push('2');
    await reason('IMAGE_DENIED');
    expect(await running()).toEqual(before);
    await say(login);
    await runs('2');
  });

  it('that stops in the middle of an image is a reason, and asked again', async () => {
    const before = await running();
    registry.mood = 'stalls midway';
    await push('3');
    await reason('IMAGE_STALLED');
    expect(await running()).toEqual(before);
    registry.mood = 'serves';
    await runs('3');
  });

  it('that has no such image is the end of the update, and the old copy is not touched', async () => {
    const before = await running();
    await push('absent');
    await reason('IMAGE_NOT_FOUND');
    await eventually(
      async () => expect((await cluster.get<ServiceView>(`services/${web}`)).outcome).toBe('rolled_back'),
      { timeout: 60_000 },
    );
    expect(await running()).toEqual(before);
  });

  it('that is away is made up for by its mirror', async () => {
    registry.mood = 'breaks';
    await say({ ...login, mirrors: [mirror.host] });
    await push('4');
    await runs('4');
  });

  it('is asked once for a version what its tag stands for: the tag moves, and every copy is of the same bytes', async () => {
    const docker = new Docker();
    const images = async (): Promise<string[]> => {
      const found = await Promise.all((await running()).map((id) => docker.getContainer(id).inspect()));
      return [...new Set(found.map(({ Image }) => Image))];
    };
    registry.mood = 'serves';
    await say(login);
    const content = registry.push('team/app', 'moving', image('5'));
    await push('moving');
    await runs('moving');
    expect(await cluster.get<ServiceView>(`services/${web}`)).toMatchObject({ content });
    const before = await images();
    const moved = registry.push('team/app', 'moving', image('6'));
    // As on another node, which has nothing of it yet.
    await docker.getImage(codeOf('moving')).remove({ force: true });
    await cluster.oakctl('scale', web, '2');
    expect(await running()).toHaveLength(2);
    expect(await images()).toEqual(before);

    registry.mood = 'breaks';
    const copies = await running();
    await expect(cluster.oakctl('restart', web, '--pull')).rejects.toThrow('REGISTRY_UNREACHABLE');
    expect(await running()).toEqual(copies);
    registry.mood = 'serves';
    await cluster.oakctl('restart', web, '--pull');
    expect(await cluster.get<ServiceView>(`services/${web}`)).toMatchObject({ content: moved, healthy: 2 });
    const after = await images();
    expect(after).toHaveLength(1);
    expect(after).not.toEqual(before);
  });

  it('has its password in no file but that one', async () => {
    const files = await readdir(cluster.folder, { recursive: true, withFileTypes: true });
    const texts = await Promise.all(
      files
        .filter((file) => file.isFile() && file.name !== 'registries.yaml')
        .map(async ({ parentPath, name }) => ({
          name: join(parentPath, name),
          text: await readFile(join(parentPath, name), 'latin1').catch(() => ''),
        })),
    );
    expect(texts.length).toBeGreaterThan(5);
    expect(texts.filter(({ text }) => text.includes(login.password)).map(({ name }) => name)).toEqual([]);
  });
});
