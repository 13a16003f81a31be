import { spawnSync } from 'node:child_process';
import { cp, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterStatus, InstanceView, NodeView } from '../../schemas/views.ts';
import {
  type ComposeProject,
  createProject,
  hasCompose,
  openWorkshop,
  type Workshop,
} from '../support/compose-project.ts';
import { descriptor, fullName } from '../support/descriptors.ts';
import { buildTestImages, describeWithEngine } from '../support/engine.ts';
import { eventually } from '../support/eventually.ts';
import { ownAddresses, ownPort, unique } from '../support/machine.ts';

const isThere = hasCompose();
if (!isThere) process.stderr.write('docker-compose is not installed: its story is skipped\n');

const hasSudo = process.getuid?.() === 0 && spawnSync('sudo', ['--version']).status === 0;

const app = unique('site');
const web = fullName(app, 'web');
const token = `oak1.${'a'.repeat(12)}.${'b'.repeat(43)}.${'c'.repeat(32)}`;

await describeWithEngine('in containers', () => {
  describe.skipIf(!isThere)('by docker-compose', () => {
    let workshop: Workshop;
    let images: { one: string; two: string };
    let variables: NodeJS.ProcessEnv;
    let ip: string;
    let webPort: number;

    beforeAll(async () => {
      images = await buildTestImages();
      workshop = await openWorkshop();
      opened.push(workshop);
      ip = `127.0.${await ownAddresses()}.201`;
      webPort = await ownPort(182);
      variables = {
        SYSTEM_MANAGER_URL: '192.0.2.7',
        CLUSTER_NAME: 'My_Awesome_Cluster',
        CLUSTER_LOCATION: 'My_Awesome_Apartment',
        CLUSTER_TOKEN: token,
        CLUSTER_REPOSITORY: workshop.remote,
        OAKCTL_API_PORT: String(await ownPort(180)),
        OAKCTL_MQTT_PORT: String(await ownPort(181)),
        WORKER_IP: ip,
      };
    });
    const opened: { close(): Promise<void> }[] = [];
    afterAll(async () => {
      for (const one of opened.reverse()) await one.close();
    });

    /** Pushes, and waits until the page says what the image says. */
    async function publish(project: ComposeProject, image: string, page: string): Promise<InstanceView> {
      await workshop.repository.push({
        'site.yaml': descriptor(app, {
          web: { code: image, port: `${webPort}:80`, volumes: [{ name: 'data', mount_path: '/data' }] },
        }),
      });
      await project.oakctl('sync');
      const answer = async (): Promise<string> => (await fetch(`http://${ip}:${webPort}/`)).text();
      await eventually(async () => expect(await answer()).toContain(page), {
        timeout: 120_000,
        what: `the page ${page}`,
      });
      return theInstance(project);
    }

    async function theInstance(project: ComposeProject): Promise<InstanceView> {
      const { items } = JSON.parse(await project.oakctl('instances', 'ls', '-o', 'json')) as { items: InstanceView[] };
      expect(items.map(({ service }) => service)).toEqual([web]);
      return items[0] as InstanceView;
    }

    async function theNode(project: ComposeProject): Promise<NodeView> {
      const { items } = JSON.parse(await project.oakctl('nodes', 'ls', '-o', 'json')) as { items: NodeView[] };
      expect(items.map(({ name }) => name)).toEqual(['worker-1']);
      return items[0] as NodeView;
    }

    /** Waits until the agent of another image has taken over what runs; nothing restarted. */
    async function takenOver(project: ComposeProject, before: InstanceView, version?: string): Promise<void> {
      await eventually(
        async () => {
          const node = await theNode(project);
          expect(node.state).toBe('online');
          if (version !== undefined) expect(node.version).toBe(version);
          const { copy, restarts, status } = await theInstance(project);
          expect({ copy, restarts, status }).toEqual({
            copy: before.copy,
            restarts: before.restarts,
            status: 'running',
          });
        },
        { timeout: 120_000, what: 'the other agent' },
      );
    }

    const networksOf = async (project: ComposeProject): Promise<string[]> => {
      const ids = await project.docker('ps', '-q', '--filter', `label=io.oakctl.instance=${web}.instance.0`);
      const text = await project.docker('inspect', '--format', '{{json .NetworkSettings.Networks}}', ids);
      return Object.keys(JSON.parse(text) as object);
    };

    describe('with the network part as it comes, from another image, from a folder, and without', () => {
      let project: ComposeProject;
      const local = 'override-local-repository.yml';
      beforeAll(() => {
        project = createProject(workshop, unique('oakctl-compose'), variables);
        opened.push(project);
      });
      afterAll(() => opened.pop()?.close());

      it.skipIf(!hasSudo)('gets what is exported through sudo -E, and says so where it does not', () => {
        const env = { ...process.env, ...workshop.env, ...variables };
        const config = (...flags: string[]) => {
          const args = [...flags, 'docker-compose', '-f', 'compose.yaml', 'config'];
          const { status, stdout, stderr } = spawnSync('sudo', args, { cwd: workshop.folder, env, encoding: 'utf8' });
          return { status, text: `${stdout}${stderr}` };
        };
        expect(config('-E')).toMatchObject({
          status: 0,
          text: expect.stringContaining('My_Awesome_Apartment') as string,
        });
        const bare = config();
        expect(bare.status).not.toBe(0);
        expect(bare.text).toContain('sudo -E');
      });

      it('says what a name should be', async () => {
        await project.compose([local], 'build');
        const flags = ['run', '--rm', '--read-only', '--env', 'CLUSTER_NAME=My Awesome Cluster', workshop.image];
        const env = { ...process.env, ...workshop.env };
        const { status, stderr } = spawnSync('docker', [...flags, 'reconciler'], { env, encoding: 'utf8' });
        expect(status).toBe(1);
        expect(stderr).toContain('write My_Awesome_Cluster');
      });

      it('runs what is pushed, and answers', async () => {
        await project.up(local);
        await publish(project, images.one, 'version 1');
        const status = JSON.parse(await project.oakctl('status', '-o', 'json')) as ClusterStatus;
        expect(status).toMatchObject({ cluster: 'My_Awesome_Cluster', location: 'My_Awesome_Apartment' });
        expect(status.conditions.map(({ code, subject }) => `${code} ${subject}`)).toEqual([
          'FIELD_NOT_SERVED SYSTEM_MANAGER_URL',
        ]);
        expect((await networksOf(project))[0]).toMatch(/^oakctl-/);
      });

      it('is small: Node and git are of the base', async () => {
        const sizes = [workshop.image, workshop.env['OAKCTL_BASE'] ?? ''].map(async (image) =>
          Number(await project.docker('image', 'inspect', '--format', '{{.Size}}', image)),
        );
        const [whole = 0, base = 0] = await Promise.all(sizes);
        console.error(`the image is ${((whole - base) / 1e6).toFixed(1)} MB larger than its base`);
        expect(whole - base).toBeGreaterThan(0);
        expect(whole - base).toBeLessThan(40e6);
      });

      it('is healthy by its own word, and nobody is root who need not be', async () => {
        for (const service of ['reconciler', 'agent']) {
          const id = await project.container(service);
          await eventually(
            async () =>
              expect(await project.docker('inspect', '--format', '{{.State.Health.Status}}', id)).toBe('healthy'),
            { timeout: 120_000, interval: 500, what: `the health of ${service}` },
          );
        }
        expect(await project.docker('exec', await project.container('reconciler'), 'id', '-u')).toBe('10001');
      });

      it('is backed up where it runs, and restored without the settings that its environment has', async () => {
        const { fingerprint } = JSON.parse(await project.oakctl('status', '-o', 'json')) as ClusterStatus;
        const { file } = JSON.parse(await project.oakctl('backup', '-o', 'json')) as { file: string };
        const restored = await project.oakctl('restore', file, '--folder', '/tmp/elsewhere', '-o', 'json');
        expect(JSON.parse(restored)).toMatchObject({ fingerprint, nodes: 1, services: 1, settings: false });
      });

      it('carries on with an agent of another image: nothing restarts', async () => {
        const before = await theInstance(project);
        await project.docker('tag', workshop.image, workshop.otherImage);
        await project.up(local, 'override-custom-service-manager.yml');
        const agent = await project.container('agent');
        expect(await project.docker('inspect', '--format', '{{.Config.Image}}', agent)).toBe(workshop.otherImage);
        await takenOver(project, before);
      });

      it('carries on with an agent that is built from a folder: nothing restarts', async () => {
        const before = await theInstance(project);
        const copy = `${workshop.folder}-copy`;
        await cp(workshop.folder, copy, { recursive: true });
        const file = join(copy, 'dist/schemas/version.js');
        await writeFile(file, (await readFile(file, 'utf8')).replace(/'\d[^']*'/, "'9.9.9'"));
        await rename(copy, join(workshop.folder, 'service-manager'));
        await project.up(local, 'override-local-service-manager.yml');
        await takenOver(project, before, '9.9.9');
      });

      it('runs without a network of the cluster', async () => {
        await project.up(local, 'override-no-network.yml');
        await publish(project, images.two, 'version 2');
        expect(await networksOf(project)).toEqual(['bridge']);
      });
    });

    describe('with IPv6', () => {
      let project: ComposeProject;
      const overrides = ['override-local-repository.yml', 'override-ipv6-enabled.yml'];
      const [v4, v6] = prefixes(process.pid);
      const name = unique('oakctl-six');
      beforeAll(() => {
        project = createProject(workshop, name, { ...variables, IPV4_PREFIX: v4, IPV6_PREFIX: v6 });
        opened.push(project);
      });
      afterAll(() => opened.pop()?.close());

      it('has the addresses that the file says, listens on both, and runs what is pushed', async () => {
        await project.up(...overrides);
        await publish(project, images.one, 'version 1');
        const [network] = JSON.parse(await project.docker('network', 'inspect', `${name}_default`)) as [Network];
        expect(network.EnableIPv6).toBe(true);
        const addresses = Object.values(network.Containers).map(({ IPv4Address, IPv6Address }) => [
          IPv4Address,
          IPv6Address,
        ]);
        expect(addresses.sort()).toEqual([
          [`${v4}.10/24`, `${v6}::10/64`],
          [`${v4}.11/24`, `${v6}::11/64`],
        ]);
        const own = '/var/lib/oakctl/clusters/My_Awesome_Cluster';
        const trust = ['--token-file', `${own}/api-token`, '--ca-file', `${own}/identity/ca/ca.pem`];
        for (const host of [`[${v6}::10]`, `${v4}.10`, 'reconciler']) {
          const api = `https://${host}:${variables['OAKCTL_API_PORT']}`;
          expect(await project.oakctl('status', '--api', api, ...trust, '-o', 'name')).toBe('My_Awesome_Cluster');
        }
      });
    });
  });
});

interface Network {
  readonly EnableIPv6: boolean;
  readonly Containers: Readonly<Record<string, { readonly IPv4Address: string; readonly IPv6Address: string }>>;
}

/** Networks that no other process takes: of the private ranges, below those that an Engine picks by itself. */
function prefixes(pid: number): [v4: string, v6: string] {
  return [`10.${200 + (pid % 50)}.${(pid >> 6) % 256}`, `fd6f:616b:6374:${(pid & 0xffff).toString(16)}`];
}
