import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import Docker from 'dockerode';
import { connectAsync } from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSecret } from '../../cli/services/sealed-secret.ts';
import { recipientOf } from '../../schemas/io/age.ts';
import { secretFolders } from '../../schemas/io/secret-folders.ts';
import { createTestCluster, program, type TestCluster, takeDown } from '../support/cluster.ts';
import { descriptor, fullName } from '../support/descriptors.ts';
import { buildTestImages, engineAnswers } from '../support/engine.ts';
import { eventually } from '../support/eventually.ts';
import { unique } from '../support/machine.ts';

const app = unique('vault');
const name = fullName(app, 'db');
const makeCanary = () => `canary-${randomBytes(16).toString('hex')}`;
/** What is set, what lies on a node, and what the value is changed to in an editor. */
const [canary, own, edited] = [makeCanary(), makeCanary(), makeCanary()];
const canaries = [canary, own, edited];
const sumOf = (value: string) => createHash('md5').update(value).digest('hex');

const tells = (text: Buffer | string, marks: readonly string[] = canaries) => marks.some((mark) => text.includes(mark));

/** All files below these folders in which one of them is found. */
async function findings(folders: readonly string[], marks = canaries): Promise<string[]> {
  const listed = await Promise.all(folders.map((folder) => readdir(folder, { recursive: true, withFileTypes: true })));
  const files = listed.flat().filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name));
  const found = await Promise.all(paths.map(async (file) => (tells(await read(file), marks) ? [file] : [])));
  expect(paths.length).toBeGreaterThan(20);
  return found.flat().sort();
}

/** What ended, or was renamed, meanwhile holds nothing. */
async function read(file: string): Promise<Buffer> {
  return readFile(file).catch(() => Buffer.alloc(0));
}

/** Command lines and environments of other processes that say one of them. */
async function tellingProcesses(): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry) && entry !== String(process.pid));
  const files = pids.flatMap((pid) => ['cmdline', 'environ'].map((file) => `/proc/${pid}/${file}`));
  const found = await Promise.all(files.map(async (file) => (tells(await read(file)) ? [file] : [])));
  expect(pids.length).toBeGreaterThan(3);
  return found.flat();
}

const isThere = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

describe.skipIf(!(await engineAnswers()))('a secret from an operator to a container', () => {
  let cluster: TestCluster;
  /** The operator's home, where shells and editors keep histories, and the place of temporary files. */
  let desk: string;
  let reader = '';
  let stranger = '';
  /** All that is on disk of cluster, repository and operator. */
  const disk = () => [cluster.home, cluster.repository.folder, desk];
  const workerFolder = (worker: string) => join(cluster.folder, 'workers', worker);
  const ownFile = () => join(workerFolder(reader), 'secrets', 'modem');

  beforeAll(async () => {
    await buildTestImages();
    desk = await mkdtemp(join(tmpdir(), 'oakctl-desk-'));
    for (const folder of ['home', 'tmp']) await mkdir(join(desk, folder));
    cluster = await createTestCluster({ workers: 2 });
    const nodes = await eventually(async () => {
      const known = await cluster.nodes();
      expect(known.every(({ recipient }) => recipient !== undefined)).toBe(true);
      return known;
    });
    [reader = '', stranger = ''] = nodes.map((node) => node.name);
    await writeFile(ownFile(), own, { mode: 0o600 });
  });
  afterAll(async () => {
    await takeDown(cluster);
    await rm(desk, { recursive: true, force: true });
  });

  const begin = (args: readonly string[], editor = 'false'): ChildProcess => {
    const home = { OAKCTL_HOME: cluster.home, OAKCTL_CONTEXT: cluster.name, HOME: join(desk, 'home') };
    const env = { ...process.env, ...home, TMPDIR: join(desk, 'tmp'), VISUAL: editor };
    const more = ['--repo', cluster.repository.folder, '--author', 'Ada <ada@example.org>', '--commit'];
    return spawn(process.execPath, [program, 'secret', ...args, ...more], { env, detached: true });
  };
  /** What a command said, which is no value, once it succeeded. */
  const finish = async (child: ChildProcess, input = ''): Promise<void> => {
    child.stdin?.end(input);
    const streams = [child.stdout, child.stderr].flatMap((stream) => stream ?? []).map((stream) => textOf(stream));
    const [code] = (await once(child, 'close')) as [number | null];
    const said = (await Promise.all(streams)).join('');
    expect(tells(said)).toBe(false);
    expect(code, said).toBe(0);
  };
  const sums = async (): Promise<string> => cluster.oakctl('logs', `${name}.instance.0`);

  it('is found in the memory of its node and nowhere else', async () => {
    await finish(begin(['set', 'db', '--nodes', reader, '--reason', 'first']), `${canary}\n`);
    const cmd = ['sh', '-c', 'md5sum < /run/secrets/db; md5sum < /run/secrets/modem; exec tail -f /dev/null'];
    const secrets = ['db', { name: 'modem', source: 'node' }];
    const service = { code: 'oakctl/test:1', cmd, secrets, stop_grace: 0 };
    await cluster.repository.push({ 'app.yaml': descriptor(app, { db: service }) });
    const [instance] = await cluster.settled({ [name]: 1 });
    expect(instance?.node).toBe(reader);
    const logs = await sums();
    expect(logs).toContain(sumOf(canary));
    expect(logs).toContain(sumOf(own));

    const docker = new Docker();
    const [container] = await cluster.containers();
    expect(tells(JSON.stringify(await docker.getContainer(container?.id ?? '').inspect()))).toBe(false);
    const views = ['status', 'services', 'instances', 'nodes', `services/${name}`, `nodes/${reader}`];
    for (const path of views) expect(tells(JSON.stringify(await cluster.get(path))), path).toBe(false);
    for (const args of [
      ['snapshot'],
      ['why', name],
      ['services', 'inspect', name, '-o', 'json'],
      ['plan', '-o', 'json'],
      ['secret', 'ls', '-o', 'json', '--repo', cluster.repository.folder],
    ]) {
      const { stdout, stderr } = await cluster.run(...args);
      expect(tells(stdout + stderr), args.join(' ')).toBe(false);
    }
    expect(await tellingProcesses()).toEqual([]);
    const telling = spawn('sleep', ['60'], { env: { ...process.env, PASSWORD: canary } });
    expect(await tellingProcesses()).toEqual([`/proc/${telling.pid}/environ`]);
    telling.kill();
    expect(await findings(disk())).toEqual([ownFile()]);
    const keys = await findings(disk(), ['AGE-SECRET-KEY-1']);
    expect(keys.filter((file) => !/\/(age-keys\.txt|workers\/[^/]+\/state\/age[^/]*)$/.test(file))).toEqual([]);
  });

  it('is refused to the node that it is not for', async () => {
    const text = await readFile(join(cluster.repository.folder, 'secrets', 'db.yaml'), 'utf8');
    const openAs = async (worker: string) => {
      const age = await readFile(join(workerFolder(worker), 'state', 'age'), 'utf8');
      const secret = /AGE-SECRET-KEY-1[0-9A-Z]{58}/.exec(age)?.[0] ?? '';
      const identity = { secret, recipient: await recipientOf(secret) };
      const who = { identities: [identity], recipient: identity.recipient, file: worker };
      return (await openSecret({ name: 'db', file: 'secrets/db.yaml', text }, who)).values;
    };
    expect(await openAs(reader)).toEqual([['db:', canary]]);
    await expect(openAs(stranger)).rejects.toThrow(/SECRET_UNREADABLE/);
  });

  it('is in memory alone while it is edited, however that ends, and then where it was', async () => {
    const opened = join(desk, 'opened');
    const waits = join(desk, 'waits');
    await writeFile(
      waits,
      `#!/bin/sh\ncp "$1" "$1.bak"; echo "$1" > ${opened}.new; mv ${opened}.new ${opened}; exec sleep 60\n`,
      {
        mode: 0o755,
      },
    );
    const left: string[] = [];
    for (const end of ['SIGKILL', 'SIGHUP', 'SIGTERM'] as const) {
      const child = begin(['edit', 'db'], waits);
      const file = await eventually(async () => (await readFile(opened, 'utf8')).trim());
      expect((await readFile(file, 'utf8')).trim()).toBe(canary);
      expect(await tellingProcesses()).toEqual([]);
      expect(await findings(disk())).toEqual([ownFile()]);
      const ended = once(child, 'close');
      process.kill(-(child.pid ?? 0), end);
      await ended;
      await rm(opened);
      expect(await isThere(file), end).toBe(end === 'SIGKILL');
      if (end === 'SIGKILL') left.push(file);
    }
    expect(await cluster.repository.git('status', '--porcelain')).toBe('');
    const memory = await mkdtemp('/dev/shm/oakctl-test-');
    try {
      await writeFile(join(memory, 'next'), edited);
      await finish(begin(['edit', 'db'], `cp ${join(memory, 'next')}`));
    } finally {
      await rm(memory, { recursive: true });
    }
    for (const file of left) expect(await isThere(file)).toBe(false);
    await eventually(async () => expect(await sums()).toContain(sumOf(edited)));
    expect(await tellingProcesses()).toEqual([]);
    expect(await findings(disk())).toEqual([ownFile()]);
  });

  it('is in no row of the broker, and leaves the memory when the cluster ends', async () => {
    // The agent makes room for somebody with its credential.
    process.kill(await cluster.pid(reader), 'SIGKILL');
    const identity = (await readFile(join(workerFolder(reader), 'state', 'identity'), 'utf8'))
      .split('\n')
      .slice(1)
      .join('\n');
    const { mqtt } = JSON.parse(identity) as {
      mqtt: { host: string; port: number; username: string; password: string };
    };
    const client = await connectAsync(`mqtt://${mqtt.host}:${mqtt.port}`, { ...mqtt, clientId: mqtt.username });
    const rows: string[] = [];
    client.on('message', (_topic, payload) => rows.push(payload.toString()));
    await client.subscribeAsync(`nodes/${mqtt.username}/assignment/0`, { qos: 1 });
    await eventually(() => expect(rows.join()).toContain('AGE ENCRYPTED FILE'));
    expect(rows.join()).toContain('modem');
    expect(tells(rows.join())).toBe(false);
    await client.endAsync();

    const places = secretFolders(process.env).map((folder) => join(folder, mqtt.username));
    const there = async () => (await Promise.all(places.map(isThere))).filter(Boolean);
    expect(await there()).toHaveLength(1);
    await cluster.oakctl('down', '--name', cluster.name);
    expect(await there()).toEqual([]);
  });
});
