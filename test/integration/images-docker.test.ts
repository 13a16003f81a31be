/** Pulls through a real Engine from a registry of our own: logins, mirrors, stalls, content that a tag stood for. */
import Docker from 'dockerode';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ImageSources } from '../../agent/runtimes/docker/image.ts';
import { createDockerRuntime } from '../../agent/runtimes/docker/index.ts';
import type { Runnable } from '../../agent/runtimes/runtime.ts';
import type { PullSource } from '../../schemas/registries.ts';
import { describeWithEngine } from '../support/engine.ts';
import { type RegistryLogin, startRegistry, type TinyRegistry, textImage } from '../support/tiny-registry.ts';

const never = new AbortController().signal;
const login = { username: 'fleet', password: 'correct horse' };
const pullStall = 1_500;

await describeWithEngine('images of a registry', (socket) => {
  const docker = new Docker({ socketPath: socket });
  const open: TinyRegistry[] = [];
  let registry: TinyRegistry;

  const start = async (known?: RegistryLogin): Promise<TinyRegistry> => {
    const one = await startRegistry(known);
    open.push(one);
    return one;
  };
  beforeEach(async () => {
    registry = await start();
  });
  afterEach(async () => {
    for (const one of open.splice(0)) {
      await one.close();
      const all = await docker.listImages();
      for (const name of all.flatMap(({ RepoTags, RepoDigests }) => [...(RepoTags ?? []), ...(RepoDigests ?? [])]))
        if (name.startsWith(`${one.host}/`))
          await docker
            .getImage(name)
            .remove({ force: true })
            .catch(() => {});
    }
  });

  const failed: string[] = [];
  const prepare = (run: Omit<Runnable, 'virtualization'>, places?: readonly PullSource[]): Promise<void> => {
    failed.length = 0;
    const images: ImageSources = {
      of: async (host) => places ?? [{ host }],
      failed: ({ host }, _image, why) => failed.push(`${host} ${why}`),
    };
    const owner = { cluster: 'c'.repeat(64), node: 'images', ip: '127.0.0.1' };
    const runtime = createDockerRuntime({ socket, ...owner, images, pullStall });
    return runtime.prepare({ virtualization: 'container', ...run }, never);
  };
  const problemOf = (code: string) => ({ problem: { code, disposition: 'retry', subject: registry.image } });
  const idOf = async (name: string): Promise<string> => (await docker.getImage(name).inspect()).Id;

  it.each(['basic', 'token'] as const)(
    'are pulled with a login (%s), and denied without one or with a wrong one',
    async (kind) => {
      registry = await start({ kind, ...login });
      const { host, image: code } = registry;
      await expect(prepare({ code })).rejects.toMatchObject(problemOf('IMAGE_DENIED'));
      const wrong = [{ host, username: 'fleet', password: 'wrong' }];
      const failure = await prepare({ code }, wrong).catch((error: Error) => error);
      expect(failure).toMatchObject(problemOf('IMAGE_DENIED'));
      expect(String(failure)).toContain(`oakctl registries login ${host}`);
      expect(String(failure)).not.toContain('wrong"');
      await prepare({ code }, [{ host, ...login }]);
      expect(await idOf(code)).toMatch(/^sha256:/);
    },
  );

  it('that stop coming in the middle of a blob are given up, and had at the next try', async () => {
    registry.mood = 'stalls midway';
    const { image: code } = registry;
    await expect(prepare({ code })).rejects.toMatchObject(problemOf('IMAGE_STALLED'));
    registry.mood = 'stalls';
    await expect(prepare({ code })).rejects.toMatchObject(problemOf('IMAGE_STALLED'));
    registry.mood = 'serves';
    await prepare({ code });
  });

  it('cannot be had from a registry that is not there', async () => {
    await registry.close();
    await expect(prepare({ code: registry.image })).rejects.toMatchObject(problemOf('REGISTRY_UNREACHABLE'));
  });

  it('made for other machines are refused, also when they are there', async () => {
    registry.push('tiny/image', '1', { ...textImage('other'), architecture: 's390x' });
    for (const _ of [1, 2])
      await expect(prepare({ code: registry.image })).rejects.toMatchObject(problemOf('IMAGE_WRONG_ARCHITECTURE'));
  });

  it('come from the mirror first, and from the registry when that has not got them', async () => {
    const mirror = await start();
    const places = [{ host: mirror.host }, { host: registry.host }];
    registry.push('team/only', '1', textImage('here alone'));
    await prepare({ code: `${registry.host}/team/only:1` }, places);
    expect(failed).toHaveLength(1);
    expect(failed[0]).toContain(`${mirror.host} `);
    mirror.push('team/app', '7', textImage('mirrored'));
    const asked = registry.requests();
    await prepare({ code: `${registry.host}/team/app:7` }, places);
    expect(registry.requests()).toBe(asked);
    expect(await idOf(`${registry.host}/team/app:7`)).toBe(await idOf(`${mirror.host}/team/app:7`));
  });

  it('are the bytes that a tag stood for, from registry or mirror, however it has moved', async () => {
    const mirror = await start();
    const code = `${registry.host}/team/app:7`;
    const old = registry.push('team/app', '7', textImage('old'));
    expect(mirror.push('team/app', '7', textImage('old'))).toBe(old);
    await prepare({ code, content: old });
    const id = await idOf(code);
    const next = registry.push('team/app', '7', textImage('new'));
    await prepare({ code, content: next });
    expect(await idOf(code)).not.toBe(id);
    // Both are there, whatever the tag is here.
    const asked = registry.requests();
    await prepare({ code, content: old });
    await prepare({ code, content: next });
    expect(registry.requests()).toBe(asked);
    const other = `${registry.host}/team/app:8`;
    const mirrored = mirror.push('team/app', '8', textImage('mirrored'));
    await prepare({ code: other, content: mirrored }, [{ host: mirror.host }, { host: registry.host }]);
    await mirror.close();
    await prepare({ code: other, content: mirrored }, [{ host: mirror.host }]);
    expect(registry.requests()).toBe(asked);
  });

  it('that were loaded here count as they are, whatever the tag stands for elsewhere', async () => {
    const code = `${registry.host}/team/app:7`;
    const content = registry.push('team/app', '7', textImage('elsewhere'));
    await prepare({ code: registry.image });
    const archive = await docker.getImage(registry.image).get();
    await docker.getImage(registry.image).remove({ force: true });
    for (const digest of (await docker.listImages()).flatMap(({ RepoDigests }) => RepoDigests ?? []))
      if (digest.startsWith(registry.host)) await docker.getImage(digest).remove({ force: true });
    const loaded = await docker.loadImage(archive);
    await new Promise((resolve) => loaded.resume().once('end', resolve));
    await docker.getImage(registry.image).tag({ repo: `${registry.host}/team/app`, tag: '7' });
    const asked = registry.requests();
    await prepare({ code, content });
    expect(registry.requests()).toBe(asked);
    // What a descriptor says itself is taken at its word.
    await prepare({ code: `${code}@${content}` });
    expect(registry.requests()).toBeGreaterThan(asked);
  });
});
