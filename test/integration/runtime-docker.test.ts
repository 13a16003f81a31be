/** The docker runtime on a real engine: the suite of every runtime, and what only containers have. */
import { randomBytes } from 'node:crypto';
import Docker from 'dockerode';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDockerRuntime } from '../../agent/runtimes/docker/index.ts';
import type { CopyKey, CopyPlan } from '../../agent/runtimes/runtime.ts';
import { digestOf } from '../../schemas/digest.ts';
import { containerName } from '../../schemas/names.ts';
import type { Problem } from '../../schemas/problem.ts';
import type { RunSpec } from '../../schemas/spec.ts';
import { buildTestImages, describeWithEngine } from '../support/engine.ts';
import { eventually } from '../support/eventually.ts';
import { ownAddresses, unique } from '../support/machine.ts';
import { describeRuntime } from '../support/runtime-conformance.ts';
import { startRegistry, type TinyRegistry } from '../support/tiny-registry.ts';

const never = new AbortController().signal;

const loopback = `127.0.${await ownAddresses()}`;

await describeWithEngine('the docker runtime', (socket) => {
  const docker = new Docker({ socketPath: socket });
  const cluster = randomBytes(32).toString('hex');
  const [node, otherNode] = ['0123456789abcdef', 'fedcba9876543210'];
  const open = (as = node) => createDockerRuntime({ socket, cluster, node: as, ip: `${loopback}.11` });
  const container = (...cmd: string[]): RunSpec => ({ virtualization: 'container', code: 'oakctl/test:1', cmd });
  const plan = (service: string, run: RunSpec): CopyPlan => ({
    instance: `${unique('only')}.test.${service}.test.instance.0`,
    copy: '7.1',
    digest: digestOf(run),
    run,
  });

  beforeAll(buildTestImages);
  const sweep = async () => {
    const found = await docker.listContainers({ all: true, filters: { label: [`io.oakctl.cluster=${cluster}`] } });
    await Promise.all(found.map(({ Id }) => docker.getContainer(Id).remove({ force: true })));
  };
  beforeEach(sweep);
  afterAll(async () => {
    await sweep();
    const networks = await docker.listNetworks({ filters: { label: [`io.oakctl.cluster=${cluster}`] } });
    await Promise.all(networks.map(({ Id }) => docker.getNetwork(Id).remove()));
  });

  const stranger = async (name: string, labels: Record<string, string>) => {
    const made = await docker.createContainer({
      name,
      Image: 'oakctl/test:1',
      Cmd: ['sleep', '1000'],
      Labels: labels,
      HostConfig: { NetworkMode: 'none' },
    });
    await made.start();
    return {
      intact: async () => {
        const { State, Name } = await made.inspect();
        return State.Running && Name === `/${name}`;
      },
      remove: () => made.remove({ force: true }),
    };
  };

  describeRuntime('docker', () => ({
    open: () => open(),
    openOther: () => open(otherNode),
    stays: container('sh', '-c', 'trap "exit 143" TERM; while true; do sleep 0.05; done'),
    ends: (code) => container('sh', '-c', `echo out 1; echo out 2; echo err 1 >&2; exit ${code}`),
    stubborn: container('sh', '-c', 'trap "" TERM; echo ready; while true; do sleep 0.2; done'),
    stranger: (key) => stranger(containerName(key.instance, key.copy), {}),
  }));

  describe('ownership', () => {
    const labelsFor = (key: CopyKey, overrides: Record<string, string> = {}) => ({
      'io.oakctl.cluster': cluster,
      'io.oakctl.node': node,
      'io.oakctl.instance': key.instance,
      'io.oakctl.copy': key.copy,
      'io.oakctl.digest': `1:${'0'.repeat(64)}`,
      ...overrides,
    });
    const run = container('sleep', '1000');

    it.each([
      ['of another node', { 'io.oakctl.node': otherNode }],
      ['with an empty digest', { 'io.oakctl.digest': '' }],
      ['with the labels of another copy', { 'io.oakctl.copy': '9.9' }],
    ])('leaves alone what has the name and labels %s', async (_what, overrides) => {
      const taken = plan('taken', run);
      const other = await stranger(containerName(taken.instance, taken.copy), labelsFor(taken, overrides));
      try {
        const runtime = open();
        const conflict = { problem: { code: 'NAME_CONFLICT' } };
        await expect(runtime.create(taken, never)).rejects.toMatchObject(conflict);
        await expect(runtime.remove(taken, never)).rejects.toMatchObject(conflict);
        expect(await runtime.list(never)).toEqual([]);
        expect(await other.intact()).toBe(true);
      } finally {
        await other.remove();
      }
    });

    it('goes by another name beside the copy of another cluster that has the usual one', async () => {
      const copy = plan('twin', run);
      const foreign = createDockerRuntime({ socket, cluster: 'f'.repeat(64), node, ip: `${loopback}.12` });
      const remove = async () => {
        await foreign.remove(copy, never);
        await docker.getNetwork(`oakctl-${'f'.repeat(12)}`).remove();
      };
      try {
        for (const runtime of [foreign, open()]) {
          await runtime.create(copy, never);
          await runtime.start(copy, never);
        }
        const [theirs, ours] = await Promise.all([foreign.list(never), open().list(never)]);
        expect([theirs, ours]).toMatchObject([[{ state: 'running' }], [{ state: 'running' }]]);
        expect(theirs[0]?.handle).not.toBe(ours[0]?.handle);
        // An agent that starts anew finds its own, also when the usual name is free by then.
        await open().stop(copy, 0, never);
        expect(await open().list(never)).toMatchObject([{ state: 'exited' }]);
        expect(await foreign.list(never)).toMatchObject([{ state: 'running' }]);
        await foreign.remove(copy, never);
        await open().remove(copy, never);
        expect(await open().list(never)).toEqual([]);
      } finally {
        await remove();
      }
    });

    it('shows, once, and leaves alone what has our labels under another name', async () => {
      const conflicts: Problem[] = [];
      const copied = plan('copied', run);
      const other = await stranger(`oakctl-copied-${cluster.slice(0, 8)}`, labelsFor(copied));
      const onConflict = (conflict: Problem) => conflicts.push(conflict);
      const runtime = createDockerRuntime({ socket, cluster, node, ip: `${loopback}.11`, onConflict });
      expect(await runtime.list(never)).toEqual([]);
      expect(await runtime.list(never)).toEqual([]);
      expect(conflicts.map(({ code, subject }) => [code, subject])).toEqual([
        ['NAME_CONFLICT', `oakctl-copied-${cluster.slice(0, 8)}`],
      ]);
      await runtime.remove(copied, never);
      expect(await other.intact()).toBe(true);
    });

    it('refuses a network of its name that is not of its cluster', async () => {
      const foreign = randomBytes(32).toString('hex');
      const network = await docker.createNetwork({ Name: `oakctl-${foreign.slice(0, 12)}` });
      try {
        const runtime = createDockerRuntime({ socket, cluster: foreign, node, ip: `${loopback}.11` });
        await expect(runtime.create(plan('net', run), never)).rejects.toMatchObject({
          problem: { code: 'NAME_CONFLICT' },
        });
      } finally {
        await network.remove();
      }
    });
  });

  describe('containers', () => {
    it('publish their ports on the address of the node, several nodes the same port', async () => {
      const run: RunSpec = {
        virtualization: 'container',
        code: 'oakctl/test:1',
        ports: [{ host: 16_080, container: 80, protocol: 'tcp' }],
      };
      const places = [
        { node, ip: `${loopback}.11`, code: 'oakctl/test:1', says: 'version 1' },
        { node: otherNode, ip: `${loopback}.12`, code: 'oakctl/test:2', says: 'version 2' },
      ];
      for (const { node: as, ip, code } of places) {
        const runtime = createDockerRuntime({ socket, cluster, node: as, ip });
        const copy = plan(`web${as.slice(0, 1)}`, { ...run, code });
        await runtime.create(copy, never);
        await runtime.start(copy, never);
        expect((await runtime.list(never)).map(({ addresses }) => addresses)).toEqual([[`${ip}:16080`]]);
      }
      for (const { ip, says } of places)
        await eventually(async () => expect(await (await fetch(`http://${ip}:16080/`)).text()).toContain(says));
    });

    it('that cannot start say why, and can be started once the reason is gone', async () => {
      const ports: RunSpec['ports'] = [{ host: 16_081, container: 80, protocol: 'tcp' }];
      const [first, second] = ['p1', 'p2'].map((name) => plan(name, { ...container('sleep', '1000'), ports }));
      if (!first || !second) throw new Error('no plans');
      const runtime = open();
      for (const copy of [first, second]) await runtime.create(copy, never);
      await runtime.start(first, never);
      await expect(runtime.start(second, never)).rejects.toMatchObject({
        problem: { code: 'START_FAILED', disposition: 'retry', message: expect.stringMatching(/16081/) },
      });
      await runtime.stop(first, 0, never);
      await runtime.start(second, never);
    });

    it('get what the closed builder gives them, in the engine too', async () => {
      const run: RunSpec = {
        ...container('sleep', '1000'),
        environment: ['A=1'],
        memory: 32,
        vcpus: 0.5,
        limits: { memory: 64, vcpus: 64 },
        stop_grace: 3000,
      };
      const copy = plan('closed', run);
      const runtime = open();
      await runtime.create(copy, never);
      await runtime.start(copy, never);
      const { HostConfig, Config } = await docker.getContainer(containerName(copy.instance, copy.copy)).inspect();
      expect(HostConfig).toMatchObject({
        Privileged: false,
        MemoryReservation: 32 * 2 ** 20,
        Memory: 64 * 2 ** 20,
        CpuShares: 512,
        CpuQuota: 6_400_000,
        PidsLimit: 1024,
        CapDrop: ['ALL'],
        SecurityOpt: ['no-new-privileges'],
        RestartPolicy: { Name: 'no' },
        Binds: null,
        PidMode: '',
      });
      expect(HostConfig.Devices ?? []).toEqual([]);
      expect(Config).toMatchObject({ Hostname: 'closed-0', StopTimeout: 3, Env: expect.arrayContaining(['A=1']) });
    });

    it('are healthy by the engine: healthy, then unhealthy when the check fails', async () => {
      const check = { command: ['test', '-e', '/tmp/well'], interval: 200, timeout: 2000, retries: 1, start_period: 0 };
      const run = {
        ...container('sh', '-c', 'touch /tmp/well; sleep 2; rm /tmp/well; sleep 1000'),
        healthcheck: check,
      };
      const copy = plan('health', run);
      const runtime = open();
      const controller = new AbortController();
      const kinds = new Set<string>();
      runtime.watch(({ kind }) => kinds.add(kind), controller.signal);
      await runtime.create(copy, never);
      await runtime.start(copy, never);
      const health = async () => (await runtime.list(never))[0]?.health;
      expect(await health()).toMatch(/starting|healthy/);
      await eventually(async () => expect(await health()).toBe('healthy'));
      await eventually(async () => expect(await health()).toBe('unhealthy'));
      await eventually(() => expect(kinds).toContain('health'));
      controller.abort();
    });

    it('find their network again when it was removed', async () => {
      const copy = plan('net', container('sleep', '1000'));
      const runtime = open();
      await runtime.create(copy, never);
      const networks = await docker.listNetworks({ filters: { label: [`io.oakctl.cluster=${cluster}`] } });
      expect(networks.map(({ Name }) => Name)).toEqual([`oakctl-${cluster.slice(0, 12)}`]);
      await Promise.all(networks.map(({ Id }) => docker.getNetwork(Id).remove()));
      await runtime.start(copy, never);
      expect((await runtime.list(never)).map(({ state }) => state)).toEqual(['running']);
    });

    it('that ran before and stopped find it again, too, with their port', async () => {
      const ports: RunSpec['ports'] = [{ host: 16_082, container: 80, protocol: 'tcp' }];
      const copy = plan('net-again', { ...container('sleep', '1000'), ports });
      const runtime = open();
      await runtime.create(copy, never);
      await runtime.start(copy, never);
      await runtime.stop(copy, 0, never);
      const networks = await docker.listNetworks({ filters: { label: [`io.oakctl.cluster=${cluster}`] } });
      await Promise.all(networks.map(({ Id }) => docker.getNetwork(Id).remove()));
      await runtime.start(copy, never);
      expect((await runtime.list(never)).map(({ state }) => state)).toEqual(['running']);
      const { NetworkSettings } = await docker.getContainer(containerName(copy.instance, copy.copy)).inspect();
      expect(Object.keys(NetworkSettings.Networks)).toEqual([`oakctl-${cluster.slice(0, 12)}`]);
      expect(NetworkSettings.Ports).toMatchObject({ '80/tcp': [{ HostPort: '16082' }] });
    });
  });

  it('makes one network, however many agents need it at once', async () => {
    const fresh = randomBytes(32).toString('hex');
    const run = container('sleep', '1000');
    const nodes = Array.from({ length: 6 }, (_, at) => `${at}`.repeat(16));
    try {
      await Promise.all(
        nodes.map((as) =>
          createDockerRuntime({ socket, cluster: fresh, node: as, ip: `${loopback}.11` }).create(
            { ...plan('race', run), copy: `1.${nodes.indexOf(as)}` },
            never,
          ),
        ),
      );
      const made = await docker.listNetworks({ filters: { label: [`io.oakctl.cluster=${fresh}`] } });
      expect(made).toHaveLength(1);
    } finally {
      const filters = { label: [`io.oakctl.cluster=${fresh}`] };
      const left = await docker.listContainers({ all: true, filters });
      await Promise.all(left.map(({ Id }) => docker.getContainer(Id).remove({ force: true })));
      await Promise.all((await docker.listNetworks({ filters })).map(({ Id }) => docker.getNetwork(Id).remove()));
    }
  });

  it('settles a network that is there twice, whoever left it, and keeps the one in use', async () => {
    const twice = randomBytes(32).toString('hex');
    const Labels = { 'io.oakctl.cluster': twice };
    const filters = { label: [`io.oakctl.cluster=${twice}`] };
    const runtimeOf = (as: string) => createDockerRuntime({ socket, cluster: twice, node: as, ip: `${loopback}.11` });
    const networksNow = async () => (await docker.listNetworks({ filters })).map(({ Id }) => Id);
    try {
      const first = { ...plan('twice', container('sleep', '1000')), copy: '1.1' };
      await runtimeOf('a'.repeat(16)).create(first, never);
      await runtimeOf('a'.repeat(16)).start(first, never);
      const inUse = await networksNow();
      // Newer engines refuse the second one; then there is nothing to settle.
      const name = `oakctl-${twice.slice(0, 12)}`;
      await docker.createNetwork({ Name: name, CheckDuplicate: false, Labels }).catch(() => undefined);
      const second = { ...plan('twice', container('sleep', '1000')), copy: '1.2' };
      const runtime = runtimeOf('b'.repeat(16));
      await runtime.create(second, never);
      await runtime.start(second, never);
      expect((await runtime.list(never)).map(({ state }) => state)).toEqual(['running']);
      expect(await networksNow()).toEqual(inUse);
    } finally {
      const left = await docker.listContainers({ all: true, filters });
      await Promise.all(left.map(({ Id }) => docker.getContainer(Id).remove({ force: true })));
      await Promise.all((await networksNow()).map((id) => docker.getNetwork(id).remove()));
    }
  });

  describe('images', () => {
    let registry: TinyRegistry;
    beforeEach(async () => {
      registry = await startRegistry();
    });
    afterEach(() => registry.close());
    const image = (): RunSpec => ({ virtualization: 'container', code: registry.image });

    it('are pulled once, and then without a word to the registry', async () => {
      const runtime = open();
      await runtime.prepare(image(), never);
      const asked = registry.requests();
      expect(asked).toBeGreaterThan(0);
      try {
        registry.mood = 'breaks';
        await runtime.prepare(image(), never);
        expect(registry.requests()).toBe(asked);
      } finally {
        await docker.getImage(registry.image).remove();
      }
    });

    it.each([
      ['knows nothing', 'IMAGE_NOT_FOUND'],
      ['denies', 'IMAGE_DENIED'],
      ['breaks', 'IMAGE_PULL_FAILED'],
    ] as const)('of a registry that %s are %s, to be tried again', async (mood, code) => {
      registry.mood = mood;
      await expect(open().prepare(image(), never)).rejects.toMatchObject({
        problem: { code, disposition: 'retry', subject: registry.image },
      });
      await expect(open().create(plan('absent', image()), never)).rejects.toMatchObject({
        problem: { code: 'IMAGE_NOT_FOUND' },
      });
    });

    it('are no longer waited for once nobody wants them', async () => {
      registry.mood = 'stalls';
      const controller = new AbortController();
      const pulling = open().prepare(image(), controller.signal);
      await eventually(() => expect(registry.requests()).toBeGreaterThan(0));
      const reason = new Error('a newer ledger');
      controller.abort(reason);
      await expect(pulling).rejects.toBe(reason);
    });

    it('have names that cannot reach other paths of the engine', async () => {
      for (const code of ['../containers/x', 'a b', '', 'x/../../containers/y', '-x', 'a?b=c'])
        await expect(open().prepare({ ...image(), code }, never)).rejects.toMatchObject({
          problem: { code: 'IMAGE_NOT_FOUND' },
        });
      expect(registry.requests()).toBe(0);
    });
  });

  it('is unavailable, never empty, without an engine', async () => {
    const runtime = createDockerRuntime({ socket: '/nonexistent.sock', cluster, node, ip: `${loopback}.11` });
    const unavailable = { problem: { code: 'RUNTIME_UNAVAILABLE', disposition: 'retry' } };
    await expect(runtime.probe(never)).rejects.toMatchObject(unavailable);
    await expect(runtime.list(never)).rejects.toMatchObject(unavailable);
    await expect(runtime.remove(plan('x', container()), never)).rejects.toMatchObject(unavailable);
  });
});
