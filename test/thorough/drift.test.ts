/** What people do by hand to real containers: listed by `oakctl drift`, and healed. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Container, createTestCluster, type TestCluster, takeDown } from '../support/cluster.ts';
import { engineAnswers } from '../support/engine.ts';
import { eventually } from '../support/eventually.ts';
import { unique } from '../support/machine.ts';

const docker = async (...args: string[]) => promisify(execFile)('docker', args);

describe.skipIf(!(await engineAnswers()))('drift', () => {
  const app = unique('drift');
  const service = `${app}.default.web.default`;
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await createTestCluster({ workers: 1 });
    const text = JSON.stringify({
      sla_version: 'v2.0',
      applications: [
        {
          application_name: app,
          microservices: [{ microservice_name: 'web', code: 'oakctl/demo:1', memory: 16, limits: { memory: 64 } }],
        },
      ],
    });
    await cluster.repository.push({ 'web.yaml': text });
    await cluster.settled({ [service]: 1 });
  });
  afterAll(() => takeDown(cluster));

  const container = async (): Promise<Container> => {
    const [found] = await cluster.containers();
    if (!found) throw new Error('there is none');
    return found;
  };
  /** `<kind>: <what> <healed>` of what is listed. */
  const listed = async (...flags: string[]): Promise<string[]> => {
    const { items } = JSON.parse(await cluster.oakctl('drift', ...flags, '-o', 'json'));
    return items.map(({ kind, what = '', healed }: Record<string, string>) => `${kind} ${what} ${healed}`);
  };
  const healed = (text: string) => eventually(async () => expect(await listed('--all')).toEqual([text]));

  it('a container is stopped, killed and removed: it runs again, and nothing counts as a crash', async () => {
    expect(await listed('--all')).toEqual([]);
    const before = await container();
    await docker('stop', '--time', '1', before.id);
    await healed('stopped  true');
    await eventually(async () => expect(await container()).toEqual(before));
    await docker('rm', '--force', before.id);
    await healed('removed  true');
    const { id, ...same } = await eventually(async () => {
      const now = await container();
      expect(now).toMatchObject({ state: 'running', copy: before.copy });
      return now;
    });
    expect({ ...same, id: before.id }).toEqual(before);
    expect(id).not.toBe(before.id);
    expect(await cluster.instances()).toMatchObject([{ restarts: 0 }]);
    expect(await listed()).toEqual([]);
  });

  it('its limits are changed, or it is paused: it is made anew as it was', async () => {
    const before = await container();
    await docker('update', '--memory', '32m', '--restart', 'always', before.id);
    await healed('changed memory limit 32 MB instead of 64 MB, restart policy always instead of no true');
    const next = await container();
    expect(next.id).not.toBe(before.id);
    const { stdout } = await docker('inspect', '--format', '{{.HostConfig.Memory}}', next.id);
    expect(stdout.trim()).toBe(String(64 * 2 ** 20));
    await docker('pause', next.id);
    await healed('changed paused true');
    await eventually(async () => expect((await container()).state).toBe('running'));
  });

  it('is told as an event; a signal that asks for no end is none', async () => {
    const events = await cluster.oakctl('events', '-o', 'json');
    expect(events).toContain('stopped by hand on ');
    const before = await container();
    await docker('kill', '--signal', 'HUP', before.id).catch(() => undefined);
    await cluster.settled({ [service]: 1 });
    expect(await listed()).toEqual([]);
  });
});
