import { createHash, randomBytes } from 'node:crypto';
import { access, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import Docker from 'dockerode';
import { connectAsync } from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { secretFolders } from '../../schemas/io/secret-folders.ts';
import { createTestCluster, type TestCluster, takeDown } from '../support/cluster.ts';
import { descriptor, fullName } from '../support/descriptors.ts';
import { buildTestImages, engineAnswers } from '../support/engine.ts';
import { eventually } from '../support/eventually.ts';
import { unique } from '../support/machine.ts';
import { sealedFile } from '../support/secrets.ts';

const app = unique('vault');
const canary = `canary-${randomBytes(16).toString('hex')}`;
const sum = createHash('md5').update(canary).digest('hex');

/** All files below a folder in which the canary is found. */
async function findings(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const found = await Promise.all(files.map(async (file) => ((await read(file)).includes(canary) ? [file] : [])));
  expect(files.length).toBeGreaterThan(20);
  return found.flat();
}

/** What ended, or was renamed, meanwhile holds nothing. */
async function read(file: string): Promise<Buffer> {
  return readFile(file).catch(() => Buffer.alloc(0));
}

describe.skipIf(!(await engineAnswers()))('a secret from git to a container', () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    await buildTestImages();
    cluster = await createTestCluster({});
  });
  afterAll(() => takeDown(cluster));

  it('is found in the memory of its node and nowhere else', async () => {
    const nodes = await eventually(async () => {
      const known = await cluster.nodes();
      expect(known.every(({ recipient }) => recipient !== undefined)).toBe(true);
      return known;
    });
    const [reader] = nodes;
    const text = await sealedFile('db', canary, [reader?.recipient ?? '']);
    const cmd = ['sh', '-c', 'md5sum < /run/secrets/db; exec tail -f /dev/null'];
    const service = { code: 'oakctl/test:1', cmd, secrets: ['db'], stop_grace: 0 };
    await cluster.repository.push({ 'app.yaml': descriptor(app, { db: service }), 'secrets/db.yaml': text });
    const name = fullName(app, 'db');
    const [instance] = await cluster.settled({ [name]: 1 });
    expect(instance?.node).toBe(reader?.name);
    const logs = await cluster.oakctl('logs', instance?.name ?? '');
    expect(logs).toContain(sum);

    const docker = new Docker();
    const [container] = await cluster.containers();
    expect(JSON.stringify(await docker.getContainer(container?.id ?? '').inspect())).not.toContain(canary);
    const views = ['status', 'services', 'instances', 'nodes', `services/${name}`, `nodes/${reader?.name}`];
    for (const path of views) expect(JSON.stringify(await cluster.get(path)), path).not.toContain(canary);
    for (const args of [
      ['snapshot'],
      ['why', name],
      ['services', 'inspect', name, '-o', 'json'],
      ['plan', '-o', 'json'],
    ]) {
      const { stdout, stderr } = await cluster.run(...args);
      expect(stdout + stderr, args.join(' ')).not.toContain(canary);
    }
    const processes = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry) && entry !== String(process.pid));
    for (const pid of processes) {
      for (const file of ['cmdline', 'environ'])
        expect((await read(`/proc/${pid}/${file}`)).includes(canary), pid).toBe(false);
    }
    expect(await findings(cluster.home)).toEqual([]);

    // The agent makes room for somebody with its credential.
    const worker = join(cluster.folder, 'workers', reader?.name ?? '');
    process.kill(await cluster.pid(reader?.name ?? ''), 'SIGKILL');
    const identity = (await readFile(join(worker, 'state', 'identity'), 'utf8')).split('\n').slice(1).join('\n');
    const { mqtt } = JSON.parse(identity) as {
      mqtt: { host: string; port: number; username: string; password: string };
    };
    const client = await connectAsync(`mqtt://${mqtt.host}:${mqtt.port}`, { ...mqtt, clientId: mqtt.username });
    const rows: string[] = [];
    client.on('message', (_topic, payload) => rows.push(payload.toString()));
    await client.subscribeAsync(`nodes/${mqtt.username}/assignment/0`, { qos: 1 });
    await eventually(() => expect(rows.join()).toContain('AGE ENCRYPTED FILE'));
    expect(rows.join()).not.toContain(canary);
    await client.endAsync();

    const places = secretFolders(process.env).map((folder) => join(folder, mqtt.username));
    const there = () =>
      Promise.all(
        places.map((place) =>
          access(place).then(
            () => [place],
            () => [],
          ),
        ),
      ).then((all) => all.flat());
    expect(await there()).toHaveLength(1);
    await cluster.oakctl('down', '--name', cluster.name);
    expect(await there()).toEqual([]);
  });
});
