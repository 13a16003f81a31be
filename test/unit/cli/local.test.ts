import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseAgentConfig } from '../../../agent/config.ts';
import { freePort, workerAddress } from '../../../cli/local/addresses.ts';
import { freeBlock } from '../../../cli/local/blocks.ts';
import { chooseCluster } from '../../../cli/local/choose.ts';
import { localPaths } from '../../../cli/local/folders.ts';
import { requireMarker, requireWorker, workersMeant, writeMarker } from '../../../cli/local/marker.ts';
import { parseRecord } from '../../../cli/local/process-copies.ts';
import { ensureSettings, readListening } from '../../../cli/local/settings.ts';
import { lastWords } from '../../../cli/local/start.ts';
import { agentYaml, nodesYaml, runtimesOf } from '../../../cli/local/texts.ts';
import { parseNodesFile } from '../../../schemas/nodes-file.ts';
import { parseClusterSettings } from '../../../schemas/settings.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'oakctl-local-'));
});
afterEach(() => rm(home, { recursive: true, force: true }));

const marker = { version: 1, runtime: 'process', block: 0, workers: [{ name: 'worker-1', ip: '127.0.0.11' }] } as const;

/** Holds a port of the loopback address while `run` runs. */
async function taking(run: (port: number) => Promise<void>): Promise<void> {
  const server = createServer();
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
  });
  try {
    await run(port);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

it('`up` is about all workers, one of them, or with `reconciler` none; a name that is none of these is refused', () => {
  expect(workersMeant(marker, undefined)).toEqual(marker.workers);
  expect(workersMeant(marker, 'worker-1')).toEqual(marker.workers);
  expect(workersMeant(marker, 'reconciler')).toEqual([]);
  expect(() => workersMeant(marker, 'worker-9')).toThrow('there is no worker worker-9');
});

describe('files that `up` writes are read by those that they are for', () => {
  it('nodes.yaml', () => {
    const { listings, problems } = parseNodesFile(nodesYaml(marker.workers), 'nodes.yaml');
    expect(problems).toEqual([]);
    expect(listings).toMatchObject([{ name: 'worker-1', ip: '127.0.0.11' }]);
  });

  it('cluster.yaml, with the next free port where one is taken, kept at the next time', async () => {
    const paths = localPaths(home, 'test');
    await taking(async (port) => {
      const { ports, moved } = await ensureSettings(paths, { api: port }, false);
      expect(ports.api).toBeGreaterThan(port);
      expect(ports.mqtt).not.toBe(ports.api);
      expect(moved[0]).toContain(`api port ${port} is in use`);
      const { settings } = parseClusterSettings(await readFile(paths.settings, 'utf8'), 'cluster.yaml');
      expect(settings).toMatchObject({
        cluster: 'test',
        node_class: 'lan',
        cpu_overcommit: 16,
        api: { port: ports.api },
      });
      expect(await readListening(paths)).toMatchObject(ports);
    });
  });

  it('cluster.yaml keeps what the user wrote into it', async () => {
    const paths = localPaths(home, 'test');
    await ensureSettings(paths, {}, false);
    await writeFile(paths.settings, `${await readFile(paths.settings, 'utf8')}# mine\nnodes: { undeclared: cordon }\n`);
    const before = await readListening(paths);
    await ensureSettings(paths, { api: (before?.api ?? 0) + 1000 }, false);
    const text = await readFile(paths.settings, 'utf8');
    expect(text).toContain('# mine');
    expect(text).toContain('undeclared: cordon');
    expect((await readListening(paths))?.api).toBeGreaterThanOrEqual((before?.api ?? 0) + 1000);
  });

  it('cluster.yaml listens where `bind` says, with TLS or, said aloud, without; comments stay', async () => {
    const paths = localPaths(home, 'test');
    const read = async () => parseClusterSettings(await readFile(paths.settings, 'utf8'), 'cluster.yaml').settings;
    await ensureSettings(paths, {}, false);
    await writeFile(paths.settings, `${await readFile(paths.settings, 'utf8')}# mine\n`);
    const bind = { host: '127.0.0.9', insecure: false };
    await ensureSettings(paths, { bind }, false);
    expect(await read()).toMatchObject({
      api: { host: '127.0.0.9' },
      mqtt: { host: '127.0.0.9' },
      tls: { kind: 'auto' },
    });
    expect(await readFile(paths.settings, 'utf8')).toContain('# mine');
    await ensureSettings(paths, { bind }, true);
    await expect(ensureSettings(paths, { bind: { ...bind, host: '127.0.0.8' } }, true)).rejects.toThrow(/REFUSED/);
    const open = localPaths(home, 'open');
    await ensureSettings(open, { bind: { ...bind, insecure: true } }, false);
    const { settings } = parseClusterSettings(await readFile(open.settings, 'utf8'), 'cluster.yaml');
    expect([settings?.insecure, settings?.tls]).toEqual([true, undefined]);
  });

  it('cluster.yaml with a broker that runs by itself keeps it, whatever port is asked for', async () => {
    const paths = localPaths(home, 'test');
    await ensureSettings(paths, {}, false);
    const text = await readFile(paths.settings, 'utf8');
    const mqtt = 'mqtt: { url: mqtt://127.0.0.1:1883, password_file: /secret }';
    await writeFile(paths.settings, text.replace(/^mqtt: .*$/m, mqtt));
    const { moved } = await ensureSettings(paths, { mqtt: 12_345 }, true);
    expect(moved).toEqual([]);
    expect(await readFile(paths.settings, 'utf8')).toContain(mqtt);
  });

  it('cluster.yaml: the port of the broker stays once workers know it', async () => {
    const paths = localPaths(home, 'test');
    await taking(async (port) => {
      await ensureSettings(paths, { mqtt: port + 1 }, false);
      const text = await readFile(paths.settings, 'utf8');
      await writeFile(paths.settings, text.replace(/mqtt: .*/, `mqtt: { host: 127.0.0.1, port: ${port} }`));
      await expect(ensureSettings(paths, {}, true)).rejects.toThrow('PORT_TAKEN');
    });
  });

  it.each([
    [{ runtime: 'process' as const }, { process: { allow: true } }],
    [{ runtime: 'docker' as const, socket: '/run/x.sock' }, { docker: { socket: '/run/x.sock' } }],
  ])('agent.yaml with %j', (given, runtimes) => {
    const text = agentYaml({
      name: 'worker-1',
      api: 'http://127.0.0.1:10100',
      ip: '127.0.0.11',
      capacity: { cpu: 2, memory: 512 },
      runtimes: runtimesOf(given),
      secrets: '/srv/secrets',
    });
    const { config, problems } = parseAgentConfig(text, 'agent.yaml', 'host');
    expect(problems).toEqual([]);
    expect(config).toMatchObject({ name: 'worker-1', ip: '127.0.0.11', runtimes, secrets: '/srv/secrets' });
  });
});

describe('a marker', () => {
  it('is asked for before anything is touched', async () => {
    const paths = localPaths(home, 'test');
    await expect(requireMarker(paths)).rejects.toThrow('NOT_FOUND');
    await ensureSettings(paths, {}, false);
    await expect(requireMarker(paths)).rejects.toThrow('REFUSED');
    await writeMarker(paths, marker);
    expect(await requireMarker(paths)).toEqual(marker);
  });

  it('knows its workers', () => {
    expect(requireWorker(marker, 'worker-1').ip).toBe('127.0.0.11');
    expect(() => requireWorker(marker, 'worker-9')).toThrow('worker-1');
  });
});

it('clusters of one home have different blocks of addresses', async () => {
  expect(await freeBlock(home)).toBe(0);
  await writeMarker(localPaths(home, 'one'), marker);
  expect(await freeBlock(home)).toBe(1);
  expect([workerAddress(0, 1), workerAddress(1, 3)]).toEqual(['127.0.0.11', '127.0.1.13']);
});

it('free ports leave out those that are promised already', async () => {
  const first = await freePort(20_000);
  expect(await freePort(first, [first])).toBeGreaterThan(first);
});

it('the cluster of a local verb: said, current, the only one, else myCluster', async () => {
  expect(await chooseCluster({}, {}, home)).toBe('myCluster');
  await writeMarker(localPaths(home, 'one'), marker);
  expect(await chooseCluster({}, {}, home)).toBe('one');
  expect(await chooseCluster({}, { OAKCTL_CONTEXT: 'two' }, home)).toBe('two');
  expect(await chooseCluster({ name: 'three' }, { OAKCTL_CONTEXT: 'two' }, home)).toBe('three');
});

describe('what a shim recorded', () => {
  const stat = '4711 (no (real) name) S 4700 4711 4690 0 -1 1 2 3 4 5 6 7 8 9 20 0 1 0 987654 1 2\n';

  it('is a process with its session and start time', () => {
    expect(parseRecord(`boot-1 ${stat}`, 'boot-1')).toEqual({ pid: 4711, session: 4690, start: '987654' });
  });

  it.each([
    ['of another boot', `boot-0 ${stat}`, 'boot-1'],
    ['half written', `boot-1 ${stat.trimEnd()}`, 'boot-1'],
    ['where nothing is known of the boot', ` ${stat}`, ''],
  ])('is nothing when it is %s', (_, text, boot) => {
    expect(parseRecord(text, boot)).toBeUndefined();
  });
});

it('the last words of a process are its last message', () => {
  expect(lastWords('{"msg":"a"}\n{"msg":"failed","err":{"message":"why"}}')).toBe('failed: why');
  const warning = { event: 'warning', problem: { message: 'pi1 was removed', hint: 'join anew' } };
  expect(lastWords(`{"msg":"a"}\n${JSON.stringify(warning)}`)).toBe('pi1 was removed: join anew');
  expect(lastWords('plain text')).toBe('plain text');
  expect(lastWords('')).toBe('');
});
