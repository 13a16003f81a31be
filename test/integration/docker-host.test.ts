import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDockerRuntime } from '../../agent/runtimes/docker/index.ts';
import type { CopyPlan, Runtime } from '../../agent/runtimes/runtime.ts';
import { digestOf } from '../../schemas/digest.ts';
import type { Grant } from '../../schemas/grants.ts';
import type { RunSpec } from '../../schemas/spec.ts';
import { buildTestImages, describeWithEngine } from '../support/engine.ts';
import { eventually } from '../support/eventually.ts';
import { unique } from '../support/machine.ts';

const never = new AbortController().signal;
const app = unique('host');
const notGranted = { problem: { code: 'HOST_NOT_GRANTED' } };

await describeWithEngine('containers and their host', (socket) => {
  const docker = new Docker({ socketPath: socket });
  const cluster = randomBytes(32).toString('hex');
  let root = '';
  let copies = 0;
  const open = (...grants: Omit<Grant, 'app'>[]): Runtime =>
    createDockerRuntime({
      socket,
      cluster,
      node: '0123456789abcdef',
      ip: '127.0.0.11',
      grants: grants.map((grant) => ({ app: `${app}.test`, ...grant })),
      own: [join(root, 'agent')],
    });
  const plan = (run: Partial<RunSpec>, script = 'sleep 1000'): CopyPlan => {
    copies += 1;
    const cmd = ['sh', '-c', script];
    const whole: RunSpec = { virtualization: 'container', code: 'oakctl/test:1', cmd, stop_grace: 0, ...run };
    return { instance: `${app}.test.web.test.instance.0`, copy: `7.${copies}`, digest: digestOf(whole), run: whole };
  };
  const containerOf = (copy: CopyPlan) => docker.getContainer(`${copy.instance}.${copy.copy}`);
  /** What the script says until it ends. */
  const say = async (runtime: Runtime, copy: CopyPlan): Promise<string> => {
    await runtime.create(copy, never);
    await runtime.start(copy, never);
    await containerOf(copy).wait();
    const lines: string[] = [];
    for await (const line of runtime.logs(copy, {}, never)) lines.push(line.text);
    return lines.join('\n');
  };

  beforeAll(async () => {
    await buildTestImages();
    root = await realpath(await mkdtemp(join(tmpdir(), 'oakctl-host-')));
    for (const folder of ['data/below', 'agent', 'secret']) await mkdir(join(root, folder), { recursive: true });
    await writeFile(join(root, 'data/below/page'), 'from the host\n');
    await writeFile(join(root, 'secret/key'), 'secret\n');
    await symlink('../secret', join(root, 'data/escape'));
    await symlink('below', join(root, 'data/alias'));
    await symlink('/etc', join(root, 'data/etc'));
  });
  afterAll(async () => {
    const label = [`io.oakctl.cluster=${cluster}`];
    const found = await docker.listContainers({ all: true, filters: { label } });
    await Promise.all(found.map(({ Id }) => docker.getContainer(Id).remove({ force: true })));
    const networks = await docker.listNetworks({ filters: { label } });
    await Promise.all(networks.map(({ Id }) => docker.getNetwork(Id).remove()));
    await rm(root, { recursive: true, force: true });
  });

  describe('files', () => {
    const long = `/srv/${'deep/'.repeat(30)}end`;
    const files = [
      { path: '/etc/app.conf', content: 'ä = 1\n', mode: 0o640 },
      { path: '/opt/new/folder/empty', content: '', mode: 0o444 },
      { path: long, content: 'far', mode: 0o755 },
      { path: '/tmp/here', content: 'x', mode: 0o600 },
    ];

    it('are there before the program starts, with content, mode and owner', async () => {
      const said = await say(
        open(),
        plan(
          { files },
          `cat /etc/app.conf ${long}; echo; stat -c '%a %u %s %n' ${files.map(({ path }) => path).join(' ')} /tmp /opt/new`,
        ),
      );
      expect(said.split('\n')).toEqual([
        'ä = 1',
        'far',
        '640 0 7 /etc/app.conf',
        '444 0 0 /opt/new/folder/empty',
        `755 0 3 ${long}`,
        '600 0 1 /tmp/here',
        expect.stringMatching(/^1?777 0 \d+ \/tmp$/),
        expect.stringMatching(/^755 0 \d+ \/opt\/new$/),
      ]);
    });

    it('stay as the container changed them when it is started again', async () => {
      const runtime = open();
      const copy = plan(
        { files: [{ path: '/note', content: 'first', mode: 0o644 }] },
        'cat /note; echo second > /note',
      );
      expect(await say(runtime, copy)).toBe('first');
      await open().start(copy, never);
      await containerOf(copy).wait();
      const lines: string[] = [];
      for await (const line of runtime.logs(copy, {}, never)) lines.push(line.text);
      expect(lines.join('')).toBe('firstsecond');
    });

    it('are put by the next agent when one died between creating and filling', async () => {
      const copy = plan({ files: [{ path: '/note', content: 'late', mode: 0o644 }] }, 'cat /note');
      const { files: _none, ...bare } = copy.run;
      await open().create({ ...copy, run: bare }, never);
      const next = open();
      expect((await next.list(never)).find((one) => one.copy === copy.copy)).toMatchObject({ state: 'created' });
      expect(await say(next, copy)).toBe('late');
    });

    it('in the place of a folder are a failure, and leave nothing behind', async () => {
      const copy = plan({ files: [{ path: '/bin', content: 'x', mode: 0o644 }] });
      await expect(open().create(copy, never)).rejects.toMatchObject({ problem: { code: 'START_FAILED' } });
      await expect(containerOf(copy).inspect()).rejects.toMatchObject({ statusCode: 404 });
    });
  });

  it('without a grant nothing of the host is given, and nothing is created', async () => {
    const asks: Partial<RunSpec>[] = [
      { host: { devices: ['/dev/zero'] } },
      { host: { mounts: [{ source: join(root, 'data'), target: '/data' }] } },
      { host: { network: 'host' } },
      { host: { caps: ['NET_ADMIN'] } },
      { privileged: true },
    ];
    for (const ask of asks) {
      const copy = plan(ask);
      await expect(open().create(copy, never)).rejects.toMatchObject(notGranted);
      await expect(
        open({ service: 'other.test', network: 'host', caps: ['SYS_TIME'] }).create(copy, never),
      ).rejects.toMatchObject(notGranted);
      await expect(containerOf(copy).inspect()).rejects.toMatchObject({ statusCode: 404 });
    }
  });

  it('a granted device is there, others are not', async () => {
    const copy = plan(
      { host: { devices: ['/dev/fuse'] } },
      'ls /dev/fuse /dev/kmsg; cat /proc/self/status | grep CapEff',
    );
    const granted = open({ devices: ['/dev/zero', '/dev/full'] });
    await expect(granted.create(copy, never)).rejects.toMatchObject(notGranted);
    const full = plan(
      { host: { devices: ['/dev/full'] } },
      'test -c /dev/full && echo there; test -e /dev/kmsg || echo not',
    );
    expect(await say(granted, full)).toBe('there\nnot');
    const { HostConfig } = await containerOf(full).inspect();
    expect(HostConfig.Devices).toEqual([
      { PathOnHost: '/dev/full', PathInContainer: '/dev/full', CgroupPermissions: 'rw' },
    ]);
    expect(HostConfig).toMatchObject({ Privileged: false, CapDrop: ['ALL'], SecurityOpt: ['no-new-privileges'] });
  });

  it('privileged is the device of user-space file systems and the right to mount, and no more', async () => {
    const script =
      'test -c /dev/fuse && echo there; grep CapEff /proc/self/status | cut -f 2; test -e /dev/kmsg || echo not';
    const copy = plan({ privileged: true }, script);
    expect(await say(open({ privileged: true }), copy)).toMatch(/^there\n0*2[0-9a-f]{5}\nnot$/);
    expect((await containerOf(copy).inspect()).HostConfig).toMatchObject({ Privileged: false, PidMode: '' });
  });

  it('what is not a device is none, whatever the policy says', async () => {
    const copy = plan({ host: { devices: ['/dev/shm'] } });
    await expect(open({ devices: ['/dev/shm'] }).create(copy, never)).rejects.toMatchObject(notGranted);
    const missing = plan({ host: { devices: ['/dev/oakctl-none'] } });
    await expect(open({ devices: ['/dev/oakctl-none'] }).create(missing, never)).rejects.toMatchObject({
      problem: { code: 'START_FAILED', message: expect.stringContaining('is not there') },
    });
  });

  it('a granted capability is there, and only that', async () => {
    const bits = async (runtime: Runtime, run: Partial<RunSpec>) => {
      const said = await say(runtime, plan(run, 'grep CapEff /proc/self/status'));
      return BigInt(`0x${said.split('\t')[1]}`);
    };
    const usual = await bits(open(), {});
    const more = await bits(open({ caps: ['SYS_TIME', 'NET_ADMIN'] }), { host: { caps: ['NET_ADMIN'] } });
    expect(more & ~usual).toBe(1n << 12n);
  });

  describe('mounts', () => {
    const mount = (source: string, read_only = true): Partial<RunSpec> => ({
      host: { mounts: [{ source: join(root, source), target: '/data', read_only }] },
    });
    const granted = (read_only = true) => open({ mounts: [{ path: join(root, 'data'), read_only }] });

    it('are given where they are granted, also below and through a link that stays inside', async () => {
      for (const source of ['data/below', 'data/alias']) {
        expect(
          await say(granted(), plan(mount(source), 'cat /data/page; touch /data/x 2>/dev/null || echo read only')),
        ).toBe('from the host\nread only');
      }
      expect(await say(granted(false), plan(mount('data', false), 'touch /data/new && ls /data/new'))).toBe(
        '/data/new',
      );
    });

    it('are not given to write where only reading is granted', async () => {
      await expect(granted().create(plan(mount('data', false)), never)).rejects.toMatchObject(notGranted);
    });

    it.each([
      ['a link that leaves what is granted', 'data/escape', 'data'],
      ['a link to a folder of the host', 'data/etc', 'data'],
      ['a folder beside what is granted', 'secret', 'data'],
      ["the agent's own folder", 'agent', 'agent'],
      ["what the agent's own folder lies in", '', ''],
    ])('%s is not given', async (_what, source, path) => {
      const runtime = open({ mounts: [{ path: join(root, path) }] });
      await expect(runtime.create(plan(mount(source)), never)).rejects.toMatchObject(notGranted);
    });

    it('of folders that belong to the host are never given', async () => {
      for (const source of ['/', '/etc', '/etc/ssl', '/proc', '/root', '/run', '/var', '/var/lib/docker/volumes']) {
        const copy = plan({ host: { mounts: [{ source, target: '/x', read_only: true }] } });
        await expect(open({ mounts: [{ path: source }] }).create(copy, never)).rejects.toMatchObject(notGranted);
      }
    });

    it('are never sockets', async () => {
      const path = join(root, 'data/socket');
      const server = createServer().listen(path);
      try {
        await eventually(() => server.listening);
        await expect(granted().create(plan(mount('data/socket')), never)).rejects.toMatchObject(notGranted);
      } finally {
        server.close();
      }
    });

    it('are looked at again before every start', async () => {
      await mkdir(join(root, 'data/swap'), { recursive: true });
      const runtime = granted();
      const copy = plan(mount('data/swap'), 'ls /data');
      await say(runtime, copy);
      await rename(join(root, 'data/swap'), join(root, 'data/away'));
      await symlink('../secret', join(root, 'data/swap'));
      await expect(runtime.start(copy, never)).rejects.toMatchObject(notGranted);
    });
  });

  it("on the host's network a container has the host's interfaces, and publishes nothing", async () => {
    const run: Partial<RunSpec> = {
      host: { network: 'host' },
      ports: [{ host: 18_080, container: 18_080, protocol: 'tcp' }],
    };
    const runtime = open({ network: 'host' });
    const copy = plan(run, 'ls /sys/class/net');
    const inside = (await say(runtime, copy)).split('\n');
    const outside = await say(open(), plan({}, 'ls /sys/class/net'));
    expect(inside).not.toEqual(outside.split('\n'));
    const { HostConfig } = await containerOf(copy).inspect();
    expect(HostConfig).toMatchObject({ NetworkMode: 'host', PortBindings: {}, PidMode: '', UTSMode: '' });
  });

  it('a GPU that the engine cannot give is a failure that says so', async () => {
    const copy = plan({ vgpus: 1 });
    const runtime = open();
    await runtime.create(copy, never);
    const { HostConfig } = await containerOf(copy).inspect();
    expect(HostConfig.DeviceRequests).toMatchObject([{ Driver: 'nvidia', Count: 1, Capabilities: [['gpu']] }]);
    await expect(runtime.start(copy, never)).rejects.toMatchObject({
      problem: { code: 'START_FAILED', message: expect.stringMatching(/device driver/) },
    });
  });
});
