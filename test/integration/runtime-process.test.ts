/** The process runtime on this machine: the suite of every runtime, and what only processes have. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { chmod, chown, mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { createProcessRuntime } from '../../agent/runtimes/process/index.ts';
import type { CopyPlan, LogLine, Runtime } from '../../agent/runtimes/runtime.ts';
import { digestOf } from '../../schemas/digest.ts';
import { containerName } from '../../schemas/names.ts';
import type { Problem } from '../../schemas/problem.ts';
import type { RunSpec } from '../../schemas/spec.ts';
import { eventually } from '../support/eventually.ts';
import { describeRuntime } from '../support/runtime-conformance.ts';

const never = new AbortController().signal;
/** Somebody else. */
const nobody = 65_534;

/** Starts a process when there is no file left to open; then goes on. */
const withoutFiles = `
const { closeSync, mkdtempSync, mkdirSync, openSync, rmSync } = await import('node:fs');
const { launch } = await import(process.argv[1]);
const folder = mkdtempSync('/tmp/oakctl-files-');
for (const name of ['w', 'work']) mkdirSync(folder + '/' + name);
const held = [];
try { for (;;) held.push(openSync('/dev/null', 'r')); } catch {}
// Room for the logs of the process, and not for its pipes.
for (const one of held.splice(-4)) closeSync(one);
const said = await launch(folder, ['/bin/true'], {}, () => {}, new AbortController().signal).then(() => 'runs', (error) => error.code);
for (const one of held) closeSync(one);
setTimeout(() => { rmSync(folder, { recursive: true }); console.log(said, 'and goes on'); }, 50);
`;

describe.runIf(process.platform === 'linux')('the process runtime', () => {
  const root = mkdtempSync(join(tmpdir(), 'oakctl-process-'));
  const node = '0123456789abcdef';
  const open = (as = node, onConflict?: (conflict: Problem) => void): Runtime =>
    createProcessRuntime({
      folder: join(root, as),
      cluster: 'c'.repeat(64),
      node: as,
      ip: '127.0.0.11',
      ...(onConflict ? { onConflict } : {}),
    });
  const shell = (script: string): RunSpec => ({ virtualization: 'process', code: 'sh', cmd: ['-c', script] });
  const folderOf = (plan: CopyPlan) => join(root, node, containerName(plan.instance, plan.copy));
  const plans: CopyPlan[] = [];
  const begin = async (runtime: Runtime, run: RunSpec): Promise<CopyPlan> => {
    const plan: CopyPlan = {
      instance: `only.test.svc${plans.length}.test.instance.0`,
      copy: '7.1',
      digest: digestOf(run),
      run,
    };
    plans.push(plan);
    await runtime.create(plan, never);
    await runtime.start(plan, never);
    return plan;
  };
  const only = async (plan: CopyPlan) => (await open().list(never)).find(({ instance }) => instance === plan.instance);
  const logOf = async (plan: CopyPlan) => {
    const lines: LogLine[] = [];
    for await (const line of open().logs(plan, {}, never)) lines.push(line);
    return lines.map(({ text }) => text);
  };
  const isThere = (pid: number) => {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  };

  afterEach(async () => {
    for (const plan of plans) await open().remove(plan, never);
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  describeRuntime('process', () => ({
    open: () => open(),
    openOther: () => open('fedcba9876543210'),
    stays: shell('exec sleep 1000'),
    ends: (code) => shell(`echo out 1; echo out 2; echo err 1 >&2; exit ${code}`),
    stubborn: shell('trap "" TERM; echo ready; while true; do sleep 0.2; done'),
    stranger: async (key) => {
      const folder = join(root, node, containerName(key.instance, key.copy));
      const file = join(folder, 'mine.txt');
      await mkdir(folder, { recursive: true });
      await writeFile(file, 'mine');
      return {
        intact: async () => (await readFile(file, 'utf8')) === 'mine',
        remove: () => rm(folder, { recursive: true }),
      };
    },
  }));

  it('tells a process where it is, and nothing of the agent', async () => {
    process.env['OAKCTL_TEST_SECRET'] = 'of the agent';
    const run: RunSpec = {
      ...shell('env; pwd'),
      environment: ['A=b=c', 'PORT=1', 'OAK_IP=forged'],
      ports: [
        { host: 6080, container: 60, protocol: 'tcp' },
        { host: 6053, container: 53, protocol: 'udp' },
      ],
    };
    const plan = await begin(open(), run);
    await eventually(async () => expect(await only(plan)).toMatchObject({ state: 'exited', exitCode: 0 }));
    const log = await logOf(plan);
    const work = join(folderOf(plan), 'work');
    expect(log).toEqual(
      expect.arrayContaining([
        'A=b=c',
        'PORT=1',
        'OAK_IP=127.0.0.11',
        `OAK_INSTANCE=${plan.instance}`,
        'OAK_COPY=7.1',
        'OAK_PORT_60=6080',
        'OAK_PORT_53=6053',
        `HOME=${work}`,
        work,
      ]),
    );
    expect(log.join('\n')).not.toContain('OAKCTL_TEST_SECRET');
    delete process.env['OAKCTL_TEST_SECRET'];
  });

  it('takes with a process what it left behind', async () => {
    const plan = await begin(open(), shell('sleep 1000 & echo $!; exit 4'));
    await eventually(async () => expect(await only(plan)).toMatchObject({ state: 'exited', exitCode: 4 }));
    const left = Number((await logOf(plan))[0]);
    expect(left).toBeGreaterThan(0);
    await eventually(() => expect(isThere(left)).toBe(false));
  });

  it('kills the children of a stubborn process with it', async () => {
    const plan = await begin(open(), shell('trap "" TERM; sleep 1000 & echo $!; wait; sleep 1000'));
    await eventually(async () => expect(await logOf(plan)).toHaveLength(1));
    await open().stop(plan, 50, never);
    await eventually(async () => expect(isThere(Number((await logOf(plan))[0]))).toBe(false));
  });

  it('gives a process its signals as they are by default', async () => {
    const plan = await begin(open(), shell('grep -E "^Sig(Ign|Blk)" /proc/self/status'));
    await eventually(async () => expect(await only(plan)).toMatchObject({ state: 'exited' }));
    const masks = (await logOf(plan)).map((line) => Number.parseInt(line.split(/\s+/)[1] ?? '', 16));
    // SIGINT (2), SIGQUIT (3), SIGTERM (15) are neither ignored nor blocked.
    for (const mask of masks) expect(mask & ((1 << 1) | (1 << 2) | (1 << 14))).toBe(0);
    expect(masks).toHaveLength(2);
  });

  it('is not taken in by another process with the same pid, nor by one of an earlier boot', async () => {
    const plan = await begin(open(), shell('exec sleep 1000'));
    const file = join(folderOf(plan), 'process');
    const recorded = await readFile(file, 'utf8');
    const stat = recorded.slice(recorded.indexOf(' ') + 1);
    const fields = stat.split(' ');
    fields[21] = String(Number(fields[21]) - 1);
    const pid = Number.parseInt(stat, 10);
    for (const forged of [`${recorded.split(' ')[0]} ${fields.join(' ')}`, `an-earlier-boot ${stat}`]) {
      await writeFile(file, forged);
      expect(await only(plan)).toMatchObject({ state: 'exited' });
      await open().stop(plan, 0, never);
      expect(isThere(pid)).toBe(true);
    }
    await writeFile(file, recorded);
    expect(await only(plan)).toMatchObject({ state: 'running', handle: String(pid) });
  });

  it('knows that a process has ended whose shim was killed, without making up an exit code', async () => {
    const plan = await begin(open(), shell('exec sleep 1000'));
    const stat = (await readFile(join(folderOf(plan), 'process'), 'utf8')).split(' ');
    const [program, shim] = [Number(stat[1]), Number(stat[4])];
    process.kill(shim, 'SIGKILL');
    expect(await only(plan)).toMatchObject({ state: 'running' });
    process.kill(program, 'SIGKILL');
    await eventually(async () => expect((await only(plan))?.state).toBe('exited'));
    expect(await only(plan)).not.toHaveProperty('exitCode');
  });

  it('outlives the agent: SIGTERM and SIGHUP to the group of the agent do not reach it', async () => {
    const plan = await begin(open(), shell('exec sleep 1000'));
    const pid = Number((await only(plan))?.handle);
    const groups = execFileSync('ps', ['-o', 'pgid=,sid=', '-p', `${pid},${process.pid}`], { encoding: 'utf8' });
    const [one, two] = groups
      .trim()
      .split('\n')
      .map((line) => line.trim().split(/\s+/));
    expect(one?.[0]).not.toBe(two?.[0]);
    expect(one?.[1]).not.toBe(two?.[1]);
  });

  it('says what cannot be started', async () => {
    const run: RunSpec = { virtualization: 'process', code: '/nonexistent/program' };
    const failed = { problem: { code: 'START_FAILED', message: expect.stringContaining('/nonexistent/program') } };
    await expect(open().prepare(run, never)).rejects.toMatchObject(failed);
    await expect(begin(open(), run)).rejects.toMatchObject(failed);
  });

  it('carries out healthchecks, and remembers the answer over a restart of the agent', async () => {
    const healthcheck = { command: ['test', '-e', 'well'], interval: 100, timeout: 1000, retries: 2, start_period: 0 };
    const controller = new AbortController();
    const runtime = open();
    runtime.watch(() => {}, controller.signal);
    const plan = await begin(runtime, { ...shell('touch well; exec sleep 1000'), healthcheck });
    expect(await only(plan)).toMatchObject({ health: 'starting' });
    await eventually(async () => expect(await only(plan)).toMatchObject({ health: 'healthy' }));
    controller.abort();
    const restarted = new AbortController();
    const events: string[] = [];
    const after = open();
    after.watch(({ kind }) => events.push(kind), restarted.signal);
    expect(await only(plan)).toMatchObject({ health: 'healthy' });
    await rm(join(folderOf(plan), 'work', 'well'));
    await eventually(async () => expect(await only(plan)).toMatchObject({ health: 'unhealthy' }));
    expect(events).toContain('health');
    restarted.abort();
  });

  it('says why its logs cannot be read', async () => {
    const plan = await begin(open(), shell('echo out'));
    await eventually(async () => expect(await only(plan)).toMatchObject({ state: 'exited' }));
    // As a disk that is dying: it is there, and cannot be read.
    await rm(join(folderOf(plan), 'stdout.log'));
    await mkdir(join(folderOf(plan), 'stdout.log'));
    await expect(logOf(plan)).rejects.toMatchObject({
      problem: { code: 'RUNTIME_UNAVAILABLE', message: expect.stringContaining('EISDIR') },
    });
  });

  it('leaves nothing of a healthcheck that did not end in time, or whose copy is gone', async () => {
    const marker = `98${process.pid}`;
    const command = ['sh', '-c', `sleep ${marker} & sleep ${marker}`];
    const sleeping = () => spawnSync('pgrep', ['-fc', `^sleep ${marker}`], { encoding: 'utf8' }).stdout.trim();
    const controller = new AbortController();
    const runtime = open();
    runtime.watch(() => {}, controller.signal);
    const checked = (timeout: number): RunSpec => ({
      ...shell('exec sleep 1000'),
      healthcheck: { command, interval: 50, timeout, retries: 2, start_period: 0 },
    });
    const late = await begin(runtime, checked(100));
    await eventually(async () => expect(await only(late)).toMatchObject({ health: 'unhealthy' }));
    await runtime.remove(late, never);
    await eventually(() => expect(sleeping()).toBe('0'), { timeout: 3_000 });
    const cut = await begin(runtime, checked(60_000));
    await eventually(() => expect(sleeping()).toBe('2'));
    await runtime.remove(cut, never);
    await eventually(() => expect(sleeping()).toBe('0'), { timeout: 3_000 });
    controller.abort();
  });

  it.runIf(process.getuid?.() === 0)(
    'removes folders that nobody may write, and is there beside one that stays',
    async () => {
      const folder = join(root, 'guarded');
      const runtime = createProcessRuntime({ folder, cluster: 'c'.repeat(64), node, ip: '127.0.0.11' });
      const run = shell('true');
      const plan: CopyPlan = { instance: 'only.test.guarded.test.instance.0', copy: '7.1', digest: digestOf(run), run };
      const old = new Date(Date.now() - 3_600_000);
      const stays = join(folder, `.removed-${'d'.repeat(16)}`);
      await runtime.probe(never);
      await mkdir(join(stays, 'of-root'), { recursive: true });
      await writeFile(join(stays, 'of-root', 'file'), '');
      await utimes(stays, old, old);
      await chmod(root, 0o755);
      await chown(folder, nobody, nobody);
      process.setegid?.(nobody);
      process.seteuid?.(nobody);
      try {
        await runtime.create(plan, never);
        const kept = join(folder, containerName(plan.instance, plan.copy), 'work', 'kept');
        await mkdir(join(kept, 'deep'), { recursive: true });
        await writeFile(join(kept, 'deep', 'file'), 'x', { mode: 0o444 });
        for (const path of [join(kept, 'deep'), kept]) await chmod(path, 0o555);
        await runtime.remove(plan, never);
        expect(await readdir(folder)).toEqual([`.removed-${'d'.repeat(16)}`]);
        await runtime.probe(never);
      } finally {
        process.seteuid?.(0);
        process.setegid?.(0);
      }
    },
  );

  it('clears away what a crash left half made, and nothing else', async () => {
    const folder = join(root, 'sweep');
    const runtime = createProcessRuntime({ folder, cluster: 'c'.repeat(64), node, ip: '127.0.0.11' });
    await runtime.probe(never);
    const old = new Date(Date.now() - 3_600_000);
    for (const [name, time] of [
      [`.new-${'a'.repeat(16)}`, old],
      [`.removed-${'b'.repeat(16)}`, old],
      [`.new-${'c'.repeat(16)}`, new Date()],
      ['.mine', old],
    ] as const) {
      await mkdir(join(folder, name));
      await utimes(join(folder, name), time, time);
    }
    await runtime.probe(never);
    expect((await readdir(folder)).sort()).toEqual(['.mine', `.new-${'c'.repeat(16)}`]);
  });

  it('shows, once, and leaves alone a folder that claims to be a copy under another name', async () => {
    const plan = await begin(open(), shell('exec sleep 1000'));
    const copied = join(root, node, 'copied.by.hand');
    await mkdir(copied, { recursive: true });
    await writeFile(join(copied, 'copy.json'), await readFile(join(folderOf(plan), 'copy.json')));
    const conflicts: Problem[] = [];
    const runtime = open(node, (conflict) => conflicts.push(conflict));
    const ageless = async (from: Runtime) => (await from.list(never)).map(({ since: _, ...copy }) => copy);
    expect(await ageless(runtime)).toEqual(await ageless(open()));
    await runtime.list(never);
    expect(conflicts.map(({ code, subject }) => [code, subject])).toEqual([['NAME_CONFLICT', 'copied.by.hand']]);
    await rm(copied, { recursive: true });
  });

  it('refuses to start what the machine has no files left for, and goes on', () => {
    const shim = pathToFileURL(resolve('dist/agent/runtimes/process/shim.js')).href;
    const limited = ['-c', 'ulimit -n 80 && exec "$0" --input-type=module -e "$1" "$2"', process.execPath];
    const { stdout, stderr } = spawnSync('sh', [...limited, withoutFiles, shim], { encoding: 'utf8', timeout: 10_000 });
    expect(stdout.trim() || stderr).toBe('EMFILE and goes on');
  });
});
