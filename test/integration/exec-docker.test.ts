/** Sessions inside containers of a real engine. */
import { randomBytes } from 'node:crypto';
import Docker from 'dockerode';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDockerRuntime } from '../../agent/runtimes/docker/index.ts';
import type { CopyPlan, ExecSession } from '../../agent/runtimes/runtime.ts';
import { digestOf } from '../../schemas/digest.ts';
import type { RunSpec } from '../../schemas/spec.ts';
import { buildTestImages, describeWithEngine } from '../support/engine.ts';
import { eventually } from '../support/eventually.ts';
import { unique } from '../support/machine.ts';

const never = new AbortController().signal;

await describeWithEngine('a session inside a container', (socket) => {
  const docker = new Docker({ socketPath: socket });
  const cluster = randomBytes(32).toString('hex');
  const runtime = createDockerRuntime({ socket, cluster, node: '0123456789abcdef', ip: '127.0.0.11' });
  const run: RunSpec = { virtualization: 'container', code: 'oakctl/test:1', cmd: ['sleep', '1000'] };
  const plan: CopyPlan = {
    instance: `${unique('only')}.test.exec.test.instance.0`,
    copy: '7.1',
    digest: digestOf(run),
    run,
  };

  beforeAll(async () => {
    await buildTestImages();
    await runtime.create(plan, never);
    await runtime.start(plan, never);
  });
  afterAll(async () => {
    const filters = { label: [`io.oakctl.cluster=${cluster}`] };
    const found = await docker.listContainers({ all: true, filters });
    await Promise.all(found.map(({ Id }) => docker.getContainer(Id).remove({ force: true })));
    const networks = await docker.listNetworks({ filters });
    await Promise.all(networks.map(({ Id }) => docker.getNetwork(Id).remove()));
  });

  const enter = (command: string[], more: { tty?: boolean; stdin?: boolean; size?: object } = {}, signal = never) =>
    runtime.exec(plan, { command, tty: false, stdin: false, ...more } as never, signal);

  async function readAll(session: ExecSession) {
    const texts = { stdout: '', stderr: '' };
    for await (const { stream, data } of session.output) texts[stream] += new TextDecoder().decode(data);
    return texts;
  }

  it('tells both outputs apart, and the exit code', async () => {
    const session = await enter(['sh', '-c', 'echo out; echo err >&2; exit 7']);
    expect(await readAll(session)).toEqual({ stdout: 'out\n', stderr: 'err\n' });
    expect(await session.exit()).toBe(7);
  });

  it('takes input to its end', async () => {
    const session = await enter(['wc', '-c'], { stdin: true });
    const reading = readAll(session);
    for (let i = 0; i < 20; i += 1) await session.write(Buffer.alloc(64 * 1024, 'x'));
    session.end();
    expect((await reading).stdout.trim()).toBe(String(20 * 64 * 1024));
    expect(await session.exit()).toBe(0);
  });

  it('leaves nothing behind for each piece that had to wait', async () => {
    const warnings: string[] = [];
    const note = ({ name }: Error): void => void warnings.push(name);
    process.on('warning', note);
    const session = await enter(['sh', '-c', 'sleep 0.2; wc -c'], { stdin: true });
    const reading = readAll(session);
    for (let i = 0; i < 40; i += 1) await session.write(Buffer.alloc(256 * 1024, 'x'));
    session.end();
    await reading;
    process.off('warning', note);
    expect(warnings).toEqual([]);
  });

  it('gives a terminal of the size that it is told', async () => {
    const session = await enter(['sh'], { tty: true, stdin: true, size: { columns: 90, rows: 20 } });
    const reading = readAll(session);
    await session.write(Buffer.from('stty size; tty\r'));
    await session.resize({ columns: 101, rows: 31 });
    await session.write(Buffer.from('stty size; exit 3\r'));
    const { stdout } = await reading;
    expect(stdout).toMatch(/31 101/);
    expect(stdout).toContain('/dev/pts/');
    expect(await session.exit()).toBe(3);
  });

  it('of a command that does not exist says so by its exit code', async () => {
    const session = await enter(['/no/such/thing']);
    await readAll(session);
    expect([126, 127]).toContain(await session.exit());
  });

  it('ends its input when it is cut', async () => {
    const cut = new AbortController();
    const marker = `mark-${randomBytes(4).toString('hex')}`;
    const session = await enter(['sh', '-c', `cat > /dev/null; touch /tmp/${marker}`], { stdin: true }, cut.signal);
    const reading = readAll(session);
    cut.abort();
    await reading;
    await eventually(async () => {
      const look = await enter(['test', '-e', `/tmp/${marker}`]);
      await readAll(look);
      expect(await look.exit()).toBe(0);
    });
  });

  it('of a container that somebody removed says so', async () => {
    const gone = { ...plan, copy: '7.2' };
    await runtime.create(gone, never);
    await runtime.start(gone, never);
    const session = await runtime.exec(gone, { command: ['sleep', '1000'], tty: false, stdin: false }, never);
    const reading = readAll(session);
    const [found] = (await runtime.list(never)).filter(({ copy }) => copy === gone.copy);
    await docker.getContainer(found?.handle ?? '').remove({ force: true });
    await reading;
    await expect(session.exit()).rejects.toMatchObject({ problem: { code: 'UNAVAILABLE' } });
    await expect(runtime.exec(gone, { command: ['true'], tty: false, stdin: false }, never)).rejects.toMatchObject({
      problem: { code: 'NOT_FOUND' },
    });
  });

  it('is REFUSED in a container that does not run, NOT_FOUND without one', async () => {
    await runtime.stop(plan, 0, never);
    await expect(enter(['true'])).rejects.toThrow('REFUSED');
    await expect(
      runtime.exec({ ...plan, copy: '9.9' }, { command: ['true'], tty: false, stdin: false }, never),
    ).rejects.toThrow('NOT_FOUND');
  });
});
