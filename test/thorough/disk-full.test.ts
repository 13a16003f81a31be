/** A disk that is full, on either side, on a real small file system: nothing is lost, nothing stops, somebody is told, and it mends itself. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApiClient } from '../../schemas/io/api-client.ts';
import { createDurableFiles } from '../../schemas/io/durable-files.ts';
import { isProblemError } from '../../schemas/problem.ts';
import { descriptor, fullName } from '../support/descriptors.ts';
import { eventually, steadily } from '../support/eventually.ts';
import { cloneRepository, type GitRepo, git } from '../support/git-repo.ts';
import { createHandCluster, type HandCluster, type Program } from '../support/hand-cluster.ts';
import { mountSmallDisk, type SmallDisk } from '../support/small-disk.ts';

const disks = [await mountSmallDisk(16), await mountSmallDisk(16)] as const;
const [reconcilerDisk, agentDisk] = disks;
const signal = new AbortController().signal;
const sleeper = { virtualization: 'process' as const, code: 'sleep', cmd: ['86400'] };
const on = (node: string) => ({ constraints: [{ type: 'direct', node }] });

afterAll(async () => {
  for (const disk of disks) await disk?.unmount();
});

describe.skipIf(!reconcilerDisk || !agentDisk)('a full disk', () => {
  const big = reconcilerDisk as SmallDisk;
  const small = agentDisk as SmallDisk;
  let root: string;
  let cluster: HandCluster;
  let repository: GitRepo;
  let api: ApiClient;
  let reconciler: Program;
  let agent: Program;
  const ends: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'oakctl-full-'));
    ends.push(() => rm(root, { recursive: true, force: true }));
    await git(root, 'init', '--bare', '--quiet', 'remote.git');
    repository = await cloneRepository(join(root, 'remote.git'));
    ends.push(() => rm(repository.folder, { recursive: true, force: true }));
    const source = `sources: [{ name: fleet, url: ${root}/remote.git, poll: 2s }]\n`;
    cluster = await createHandCluster(join(big.folder, 'cluster'), source);
    ends.push(endAll);
    reconciler = await cluster.reconciler();
    api = await cluster.api();
    await cluster.prepareAgent(join(small.folder, 'w1'), 'w1');
    await cluster.prepareAgent(join(root, 'w2'), 'w2');
    agent = await cluster.agent(join(small.folder, 'w1'));
    await cluster.agent(join(root, 'w2'));
    await repository.push({ 'a.yaml': descriptor('shop', { a: { ...sleeper, ...on('w1') } }) });
    await deploy('tools', { b: { ...sleeper, ...on('w2') } });
    await settled('shop.test.a.test', 'tools.test.b.test');
  });
  afterAll(async () => {
    // Whatever the test was at: there must be room for the end.
    for (const disk of disks) await disk?.free();
    for (const end of ends.reverse()) await end();
  });

  const deploy = (app: string, services: Parameters<typeof descriptor>[1]) =>
    api.deploy({ documents: [{ file: `${app}.json`, text: descriptor(app, services) }] }, signal);
  const settled = (...names: string[]) =>
    eventually(
      async () => {
        const services = await api.services([], signal);
        const found = services.map((one) => `${one.name} ${one.outcome}`).sort();
        expect(found).toEqual(names.map((name) => `${name} settled`).sort());
      },
      { timeout: 60_000, what: 'the services' },
    );
  const pids = async (): Promise<Map<string, number>> => {
    const instances = await api.instances([], signal).catch(() => []);
    return new Map(instances.flatMap((one) => (one.handle ? [[one.name, Number(one.handle)] as const] : [])));
  };
  const conditions = async () => (await api.status(signal)).conditions.map(({ code }) => code);
  const codeOf = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'none',
      (error: unknown) => (isProblemError(error) ? error.problem.code : String(error)),
    );
  /** Processes outlive their agents. */
  const endAll = async (): Promise<void> => {
    const left = await pids();
    await cluster.close();
    for (const pid of left.values()) kill(pid);
  };
  const kill = (pid: number): void => {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  };

  it(`of the reconciler (${big.kind}) is a condition, refuses what is new, and changes nothing that runs`, async () => {
    const before = await pids();
    const records = () => createDurableFiles({ folder: join(cluster.folder, 'records') }).read('records.json');
    await big.fill();
    // Only now: what was settled a moment ago may still have been on its way to the disk.
    const kept = await records();
    expect(await codeOf(deploy('late', { c: sleeper }))).toBe('FILE_UNWRITABLE');
    expect(await conditions()).toContain('FILE_UNWRITABLE');
    await repository.push({
      'a.yaml': descriptor('shop', { a: { ...sleeper, ...on('w1') }, d: { ...sleeper, ...on('w2') } }),
    });
    const sources = async () => (await api.status(signal)).sources.flatMap(({ problems }) => problems);
    await eventually(async () => expect(await sources()).toMatchObject([{ code: 'FILE_UNWRITABLE' }]), {
      timeout: 30_000,
    });
    // The rest goes on: what ends is started again, and shown.
    const victim = before.get(`${fullName('tools', 'b')}.instance.0`) ?? 0;
    process.kill(victim, 'SIGKILL');
    await eventually(
      async () => {
        const now = await pids();
        expect(now.get(`${fullName('tools', 'b')}.instance.0`)).not.toBe(victim);
        expect(now.get(`${fullName('shop', 'a')}.instance.0`)).toBe(before.get(`${fullName('shop', 'a')}.instance.0`));
        expect(now.size).toBe(2);
      },
      { timeout: 30_000, what: 'the restart of what ended' },
    );
    // Enough lines to meet a log that cannot be written.
    for (let n = 0; n < 50; n += 1) await codeOf(deploy('late', { c: sleeper }));
    expect(reconciler.alive).toBe(true);
    expect(await records()).toBe(kept);

    await big.free();
    await eventually(async () => expect(await conditions()).toEqual([]), { timeout: 30_000, what: 'the recovery' });
    await settled('shop.test.a.test', 'shop.test.d.test', 'tools.test.b.test');
    expect(await codeOf(deploy('late', { c: { ...sleeper, ...on('w2') } }))).toBe('none');
    await settled('shop.test.a.test', 'shop.test.d.test', 'tools.test.b.test', 'late.test.c.test');
    expect(reconciler.alive).toBe(true);
  });

  it('of the reconciler when it starts is said, raises nothing, and is no harm later', async () => {
    const epoch = (await api.status(signal)).epoch;
    const before = await pids();
    await reconciler.stop();
    await big.fill();
    const failing = await cluster.startReconciler();
    expect(await failing.ended).toBeGreaterThan(0);
    await big.free();
    reconciler = await cluster.reconciler();
    api = await cluster.api();
    await settled('shop.test.a.test', 'shop.test.d.test', 'tools.test.b.test', 'late.test.c.test');
    expect((await api.status(signal)).epoch).toBe(epoch + 1);
    expect(await pids()).toEqual(before);
  });

  it(`of an agent (${small.kind}) is told, keeps the ledger and what runs, and is followed up once there is room`, async () => {
    const before = await pids();
    const own = createDurableFiles({ folder: join(small.folder, 'w1', 'state') });
    const problems = async () => (await api.node('w1', signal)).problems.map(({ code }) => code);
    await small.fill();
    const kept = await own.read('ledger-0');
    await deploy('more', { e: { ...sleeper, ...on('w1') } });
    await eventually(async () => expect(await problems()).toContain('FILE_UNWRITABLE'), { timeout: 30_000 });
    await deploy('else', { f: { ...sleeper, ...on('w1;w2') } });
    await eventually(async () => expect((await api.service('else.test.f.test', signal)).outcome).toBe('settled'), {
      timeout: 30_000,
      what: 'a place elsewhere',
    });
    expect((await api.instances(['else.test.f.test'], signal)).map(({ node }) => node)).toEqual(['w2']);
    expect(await own.read('ledger-0')).toBe(kept);
    // An agent that starts on a full disk finds what it left.
    await agent.stop('SIGKILL');
    agent = await cluster.agent(join(small.folder, 'w1'));
    await eventually(async () => expect((await api.node('w1', signal)).state).toBe('online'), { timeout: 30_000 });
    await steadily(async () => {
      const now = await pids();
      for (const [name, pid] of before) expect(now.get(name), name).toBe(pid);
    }, 1_500);
    expect(agent.alive).toBe(true);

    await small.free();
    await eventually(async () => expect(await problems()).toEqual([]), { timeout: 30_000, what: 'the recovery' });
    await eventually(async () => expect((await api.service('more.test.e.test', signal)).outcome).toBe('settled'), {
      timeout: 30_000,
    });
    for (const [name, pid] of before) expect((await pids()).get(name), name).toBe(pid);
  });
});
