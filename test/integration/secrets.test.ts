/** Secrets in containers and processes of this machine: in memory and nowhere else, over restarts and reboots, and gone in the end. */
import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDockerRuntime } from '../../agent/runtimes/docker/index.ts';
import { createProcessRuntime } from '../../agent/runtimes/process/index.ts';
import type { CopyPlan, Runtime } from '../../agent/runtimes/runtime.ts';
import { createSecrets, type SecretsDeps } from '../../agent/runtimes/secrets.ts';
import { digestOf } from '../../schemas/digest.ts';
import { type AgeIdentity, makeAgeIdentity } from '../../schemas/io/age.ts';
import { containerName } from '../../schemas/names.ts';
import type { RunSecret, RunSpec } from '../../schemas/spec.ts';
import { buildTestImages, describeWithEngine } from '../support/engine.ts';
import { eventually } from '../support/eventually.ts';
import { unique } from '../support/machine.ts';
import { sealedFile, sealedFor } from '../support/secrets.ts';

const never = new AbortController().signal;
const app = unique('secrets');
const node = '0123456789abcdef';
const cluster = randomBytes(32).toString('hex');
const canary = `canary-${randomBytes(12).toString('hex')}`;
let root = '';
let memory = '';
let age: AgeIdentity;
let text = '';
let copies = 0;

const db: RunSecret = { name: 'db', version: '3', key: 'password', path: '/run/secrets/db', mode: 0o440 };
const planOf = (run: RunSpec, more: Partial<CopyPlan> = {}): CopyPlan => {
  copies += 1;
  const instance = `${app}.test.web.test.instance.0`;
  return {
    instance,
    copy: `7.${copies}`,
    digest: digestOf(run),
    run,
    sealed: [sealedFor(text, 'db', age.recipient)],
    ...more,
  };
};
const secretsWith = (more: Partial<SecretsDeps> = {}) =>
  createSecrets({ node, age: age.secret, folders: [memory], ...more });
const filesIn = async (folder: string): Promise<string[]> =>
  (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'oakctl-secrets-'));
  memory = await mkdtemp('/dev/shm/oakctl-test-');
  age = await makeAgeIdentity();
  text = await sealedFile(
    'db',
    { user: 'root', password: canary },
    [age.recipient, (await makeAgeIdentity()).recipient],
    3,
  );
  expect(text).not.toContain(canary);
});
afterAll(async () => {
  for (const folder of [root, memory]) await rm(folder, { recursive: true, force: true });
});

describe('secrets of copies', () => {
  const run: RunSpec = { virtualization: 'container', code: 'x', secrets: [db] };

  it('are never written to a disk', async () => {
    const secrets = secretsWith({ folders: [join(root, 'a'), join(root, 'b')] });
    await expect(secrets.put(planOf(run))).rejects.toMatchObject({
      problem: { code: 'SECRET_NO_MEMORY', message: expect.stringContaining(`${join(root, 'a')} is on a disk`) },
    });
    expect(await filesIn(root)).toEqual([]);
    await mkdir(join(memory, 'open'), { mode: 0o777 });
    await chmod(join(memory, 'open'), 0o777);
    await expect(secretsWith({ folders: [join(memory, 'open')] }).put(planOf(run))).rejects.toThrow(
      /written by others/,
    );
    const second = secretsWith({ folders: [join(root, 'a'), memory] });
    const plan = planOf(run);
    expect((await second.put(plan))[0]?.source).toContain(memory);
    await second.remove(plan);
    expect(await filesIn(memory)).toEqual([]);
  });

  it.runIf(process.getuid?.() === 0)(
    'are there again for a copy that is made anew, also when the agent is not root',
    async () => {
      const secrets = secretsWith();
      const plan = planOf(run);
      const [bind] = await secrets.put(plan);
      const folder = dirname(bind?.source ?? '');
      for (const path of [memory, dirname(folder), folder, ...(await filesIn(folder))])
        await chown(path, 65_534, 65_534);
      process.seteuid?.(65_534);
      try {
        await secrets.prepare(plan);
        await secrets.put(plan);
        await secretsWith({ folders: [root] }).remove(plan);
      } finally {
        process.seteuid?.(0);
        await chown(memory, 0, 0);
      }
      expect(await readFile(bind?.source ?? '', 'utf8')).toBe(canary);
      await secrets.remove(plan);
    },
  );

  it('of another node, another version, another name or another key are refused', async () => {
    const mine = sealedFor(text, 'db', age.recipient);
    const other = await sealedFile('other', { password: 'x' }, [age.recipient], 3);
    const eve = await makeAgeIdentity();
    const cases: [Partial<SecretsDeps>, RunSecret, Partial<CopyPlan>, RegExp][] = [
      [{ age: eve.secret }, db, {}, /not encrypted for this identity/],
      [{ age: undefined }, db, {}, /no readable age identity/],
      [{}, { ...db, version: '2' }, {}, /in version 3, and 2 was asked for/],
      [{}, { ...db, key: 'none' }, {}, /no value none/],
      [{}, db, { sealed: [] }, /nothing of it came/],
      [{}, db, { sealed: [{ ...sealedFor(other, 'other', age.recipient), name: 'db' }] }, /no value password/],
      [
        {},
        db,
        {
          sealed: [
            { ...mine, values: mine.values.map((one) => ({ ...one, path: one.path.replace('user', 'password') })) },
          ],
        },
        /not encrypted for that place/,
      ],
      [{}, db, { sealed: [{ ...mine, values: mine.values.slice(1) }] }, /written together|in version/],
    ];
    for (const [deps, secret, plan, message] of cases) {
      const refused = secretsWith(deps).put(planOf({ ...run, secrets: [secret] }, plan));
      await expect(refused).rejects.toMatchObject({
        problem: { code: 'SECRET_UNREADABLE', message: expect.stringMatching(message) },
      });
    }
  });
});

describe.runIf(process.platform === 'linux')('processes', () => {
  const open = (): Runtime =>
    createProcessRuntime({ folder: join(root, 'processes'), cluster, node, ip: '127.0.0.11', secrets: secretsWith() });

  it('find them below their folder; the disk has only a link', async () => {
    const script = 'cat run/secrets/db > /dev/shm/"$OAK_COPY".seen; sleep 1000';
    const plan = planOf({ virtualization: 'process', code: 'sh', cmd: ['-c', script], secrets: [db], stop_grace: 0 });
    const seen = `/dev/shm/${plan.copy}.seen`;
    const runtime = open();
    await runtime.create(plan, never);
    await runtime.start(plan, never);
    await eventually(async () => expect(await readFile(seen, 'utf8')).toBe(canary));
    await rm(seen);
    for (const file of await filesIn(root)) expect(await readFile(file, 'utf8')).not.toContain(canary);
    await open().remove(plan, never);
    expect((await filesIn(memory)).filter((file) => file.includes(containerName(plan.instance, plan.copy)))).toEqual(
      [],
    );
  });
});

await describeWithEngine('containers', (socket) => {
  const docker = new Docker({ socketPath: socket });
  const open = (more: Partial<SecretsDeps> = {}): Runtime =>
    createDockerRuntime({ socket, cluster, node, ip: '127.0.0.11', secrets: secretsWith(more) });
  const run: RunSpec = {
    virtualization: 'container',
    code: 'oakctl/test:1',
    cmd: ['sh', '-c', 'md5sum < /run/secrets/db; echo x 2>/dev/null > /run/secrets/db || echo read-only; sleep 1000'],
    secrets: [db],
    stop_grace: 0,
  };
  const containerOf = (plan: CopyPlan) => docker.getContainer(containerName(plan.instance, plan.copy));
  const linesOf = async (runtime: Runtime, plan: CopyPlan): Promise<string[]> => {
    const lines: string[] = [];
    for await (const line of runtime.logs(plan, {}, never)) lines.push(line.text);
    return lines;
  };

  beforeAll(buildTestImages);
  afterAll(async () => {
    const filters = { label: [`io.oakctl.cluster=${cluster}`] };
    for (const { Id } of await docker.listContainers({ all: true, filters }))
      await docker.getContainer(Id).remove({ force: true });
    for (const { Id } of await docker.listNetworks({ filters })) await docker.getNetwork(Id).remove();
  });

  it('read them from memory, also after a reboot; the engine knows only where they are', async () => {
    const plan = planOf(run);
    await open().create(plan, never);
    for (const file of await filesIn(memory)) expect(await readFile(file, 'utf8')).toBe('');
    await open().start(plan, never);
    await eventually(async () => expect(await linesOf(open(), plan)).toHaveLength(2));
    const [sum, write] = await linesOf(open(), plan);
    expect(sum).toMatch(/^[0-9a-f]{32} /);
    expect(write).toBe('read-only');
    const inspected = await containerOf(plan).inspect();
    expect(JSON.stringify(inspected)).not.toContain(canary);
    const source = inspected.Mounts.find(({ Destination }) => Destination === '/run/secrets/db')?.Source ?? '';
    expect(source.startsWith(memory)).toBe(true);
    expect((await stat(source)).mode & 0o777).toBe(0o440);
    // The machine goes down: what was in memory is gone, and the agent that starts has only its ledger.
    await containerOf(plan).kill();
    await rm(join(memory, node), { recursive: true });
    await open().start(plan, never);
    await eventually(async () => expect(await linesOf(open(), plan)).toHaveLength(4));
    expect((await linesOf(open(), plan))[2]).toBe(sum);
    await open().remove(plan, never);
    expect(await filesIn(memory)).toEqual([]);
  });

  it('are not even made where a secret cannot be read', async () => {
    const plan = planOf(run);
    const eve = await makeAgeIdentity();
    await expect(open({ age: eve.secret }).create(plan, never)).rejects.toMatchObject({
      problem: { code: 'SECRET_UNREADABLE' },
    });
    await expect(containerOf(plan).inspect()).rejects.toMatchObject({ statusCode: 404 });
  });
});
