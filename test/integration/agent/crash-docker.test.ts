/** What an agent relies on when it acts upon the event of an end: a start that comes right then starts the copy again. */
import { randomBytes } from 'node:crypto';
import Docker from 'dockerode';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDockerRuntime } from '../../../agent/runtimes/docker/index.ts';
import type { RuntimeEvent } from '../../../agent/runtimes/runtime.ts';
import { digestOf } from '../../../schemas/digest.ts';
import type { RunSpec } from '../../../schemas/spec.ts';
import { buildTestImages, describeWithEngine } from '../../support/engine.ts';
import { eventually } from '../../support/eventually.ts';
import { ownAddresses, unique } from '../../support/machine.ts';

const never = new AbortController().signal;
const ip = `127.0.${await ownAddresses()}.11`;

await describeWithEngine('a container that is killed', (socket) => {
  const docker = new Docker({ socketPath: socket });
  const cluster = randomBytes(32).toString('hex');
  const filters = { label: [`io.oakctl.cluster=${cluster}`] };
  const watching = new AbortController();

  beforeAll(() => buildTestImages());
  afterAll(async () => {
    watching.abort();
    const left = await docker.listContainers({ all: true, filters });
    await Promise.all(left.map(({ Id }) => docker.getContainer(Id).remove({ force: true })));
    for (const { Id } of await docker.listNetworks({ filters })) await docker.getNetwork(Id).remove();
  });

  it('runs again when it is started by the event of its end, which says how it ended', async () => {
    const runtime = createDockerRuntime({ socket, cluster, node: '0123456789abcdef', ip });
    const run: RunSpec = { virtualization: 'container', code: 'oakctl/test:1', cmd: ['sleep', '1000'] };
    const instance = `${unique('crash')}.test.web.test.instance.0`;
    const plan = { instance, copy: '7.1', digest: digestOf(run), run };
    const events: RuntimeEvent[] = [];
    let isReady = false;
    const restarts: Promise<void>[] = [];
    runtime.watch((event) => {
      events.push(event);
      if (isReady && event.kind === 'ended') restarts.push(runtime.start(plan, never));
    }, watching.signal);
    await runtime.prepare(run, never);
    await runtime.create(plan, never);
    // Watching begins in the background: a start that it sees says that it has.
    await eventually(async () => {
      await runtime.stop(plan, 0, never);
      await runtime.start(plan, never);
      await eventually(() => expect(events.at(-1)?.kind).toBe('started'), { timeout: 3_000 });
    });
    isReady = true;
    events.length = 0;
    const [found] = await docker.listContainers({ filters });
    const container = docker.getContainer(found?.Id ?? '');
    const inspect = async () => (await container.inspect()).State;
    for (let crash = 1; crash <= 3; crash += 1) {
      const before = await inspect();
      await container.kill();
      await eventually(() => expect(restarts).toHaveLength(crash));
      await Promise.all(restarts);
      const after = await inspect();
      expect(after.Running).toBe(true);
      expect(after.StartedAt).not.toBe(before.StartedAt);
    }
    expect(events.filter(({ kind }) => kind === 'ended').map(({ exitCode }) => exitCode)).toEqual([137, 137, 137]);
  });

  it('for want of memory is told as such, before its end', async () => {
    const runtime = createDockerRuntime({ socket, cluster, node: '0123456789abcdef', ip });
    const cmd = ['sh', '-c', 'sleep 1; exec tail /dev/zero'];
    const run: RunSpec = { virtualization: 'container', code: 'oakctl/test:1', cmd, limits: { memory: 16 } };
    const plan = { instance: `${unique('oom')}.test.web.test.instance.0`, copy: '7.1', digest: digestOf(run), run };
    const told: string[] = [];
    runtime.watch(({ instance, kind, exitCode }) => {
      if (instance === plan.instance) told.push(`${kind} ${exitCode ?? ''}`.trim());
    }, watching.signal);
    await runtime.prepare(run, never);
    await runtime.create(plan, never);
    await eventually(async () => {
      await runtime.start(plan, never);
      await eventually(() => expect(told).toContain('oom'), { timeout: 5_000 });
    });
    await eventually(() => expect(told).toContain('ended 137'));
    expect(told.indexOf('oom')).toBeLessThan(told.indexOf('ended 137'));
  });
});
