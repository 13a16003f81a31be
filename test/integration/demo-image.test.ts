/** Images that need no registry, on a real engine: what they serve, and that an unchanged one is left alone. */
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type DemoPage, ensureDemoImage } from '../../cli/demo-image.ts';
import { describeWithEngine } from '../support/engine.ts';
import { eventually } from '../support/eventually.ts';
import { ownAddresses, unique } from '../support/machine.ts';

await describeWithEngine('a demo image', (socket) => {
  const docker = new Docker({ socketPath: socket });
  let network: Docker.Network;
  beforeAll(async () => {
    network = await docker.createNetwork({ Name: `oakctl-test-demo-${process.pid}` });
  });
  afterAll(() => network.remove());
  const cleanups: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  const assemble = async (tag: string, page: DemoPage): Promise<string> => {
    cleanups.push(() => docker.getImage(tag).remove({ force: true }));
    return ensureDemoImage(socket, tag, page);
  };

  /** What a container of the image answers on its port 80, published on an address of this process. */
  const serve = async (image: string, host: string): Promise<() => Promise<string>> => {
    const container = await docker.createContainer({
      Image: image,
      Labels: { 'oakctl-test': 'demo-image' },
      ExposedPorts: { '80/tcp': {} },
      HostConfig: {
        NetworkMode: network.id,
        PortBindings: { '80/tcp': [{ HostIp: host, HostPort: '18080' }] },
        Init: true,
      },
    });
    cleanups.push(() => container.remove({ force: true }));
    await container.start();
    return async () => (await fetch(`http://${host}:18080/`)).text();
  };

  it('serves its page', async () => {
    const image = await assemble(`oakctl/test-demo:${unique('page')}`, { html: 'hello\n' });
    const page = await serve(image, `127.0.${await ownAddresses()}.9`);
    await eventually(async () => expect(await page()).toBe('hello\n'));
  });

  it('is left alone while its content is the same, and replaced when it changes', async () => {
    const tag = `oakctl/test-demo:${unique('same')}`;
    const id = async () => (await docker.getImage(tag).inspect()).Id;
    await assemble(tag, { html: 'one' });
    const first = await id();
    await ensureDemoImage(socket, tag, { html: 'one' });
    expect(await id()).toBe(first);
    await ensureDemoImage(socket, tag, { html: 'two' });
    expect(await id()).not.toBe(first);
    await expect(docker.getImage(first).inspect()).rejects.toMatchObject({ statusCode: 404 });
  });

  it('is made of node where there is no busybox, and answers to the same commands', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'oakctl-path-'));
    cleanups.push(() => rm(folder, { recursive: true }));
    for (const name of ['sh', 'tail', 'sleep', 'cat']) await symlink(`/bin/${name}`, join(folder, name));
    const image = await assemble(`oakctl/test-demo:${unique('node')}`, { html: 'from node\n', folders: [folder] });
    const { Config } = await docker.getImage(image).inspect();
    expect(Config.Cmd).toEqual(['httpd', '-f', '-p', '80', '-h', '/www']);
    const page = await serve(image, `127.0.${await ownAddresses()}.10`);
    await eventually(async () => expect(await page()).toBe('from node\n'));
  });
});
