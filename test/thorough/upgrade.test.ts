import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Docker from 'dockerode';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { oakctlVersion } from '../../schemas/version.ts';
import { createTestCluster, program, type TestCluster, takeDown } from '../support/cluster.ts';
import { descriptor, fullName } from '../support/descriptors.ts';
import { buildImage, engineAnswers } from '../support/engine.ts';
import { eventually } from '../support/eventually.ts';
import { unique } from '../support/machine.ts';
import { makePrevious, type Previous, previousCommit, previousVersion } from '../support/previous.ts';
import { type SteadyClient, startClient } from '../support/steady-client.ts';

const commit = (await engineAnswers()) ? await previousCommit() : undefined;
const shop = unique('up');
const web = fullName(shop, 'web');
const api = fullName(shop, 'api');
const local = unique('direct');
const cache = fullName(local, 'cache');

/** One half of the cluster is the program as it was, the other one as it is; then all of it changes to and fro. */
describe.skipIf(commit === undefined)('the previous version and this one', () => {
  let previous: Previous;
  let before: string;
  let cluster: TestCluster;
  let codes: Readonly<Record<'one' | 'two', string>>;
  /** Containers of `web`, and since when they run. */
  let kept: readonly string[];
  let client: SteadyClient | undefined;

  const push = (code: string, replicas: number): Promise<string> => {
    const update = { settle: '500ms', notice: '200ms' };
    return cluster.repository.push({
      'shop.yaml': descriptor(shop, {
        web: { code: codes.one, replicas: 4, memory: 8 },
        api: { code, replicas, memory: 8, update },
      }),
    });
  };
  const settled = (replicas: number) => cluster.settled({ [web]: 4, [api]: replicas });
  const lives = async (): Promise<readonly string[]> => {
    const engine = new Docker();
    const found = (await cluster.containers()).filter(({ instance }) => instance.startsWith(web));
    const all = await Promise.all(found.map(({ id }) => engine.getContainer(id).inspect()));
    return all.map(({ Id, State }) => `${Id} ${State.StartedAt} ${State.Status}`).sort();
  };
  /** Ends these processes, and has the program start whatever is missing. */
  const change = async (by: string, ...names: string[]): Promise<void> => {
    for (const name of names) process.kill(await cluster.pid(name), 'SIGTERM');
    await eventually(async () => (await Promise.all(names.map(isGone))).every(Boolean), {
      what: `the end of ${names}`,
    });
    await cluster.by(by, 'up');
  };
  const isGone = async (name: string): Promise<boolean> => {
    const pid = await cluster.pid(name);
    try {
      process.kill(pid, 0);
      return false;
    } catch {
      return true;
    }
  };
  const workers = async (): Promise<string[]> => (await cluster.nodes()).map(({ name }) => name);
  const versions = async (): Promise<object> => {
    const nodes = await cluster.nodes();
    return { reconciler: (await cluster.status()).version, agents: [...new Set(nodes.map(({ version }) => version))] };
  };

  /** What people do with a cluster. `join`: the program whose agent joins. */
  const work = async (join: string): Promise<void> => {
    const known = await workers();
    await cluster.by(join, 'up', '--workers', String(known.length + 1));
    const [added = ''] = (await workers()).filter((name) => !known.includes(name));
    await push(codes.two, 3);
    await settled(3);
    await deployAndDelete();
    await cluster.oakctl('scale', api, '4', '--for', '10m');
    await cluster.oakctl('restart', `${api}.instance.0`);
    await cluster.oakctl('nodes', 'cordon', added);
    await cluster.oakctl('nodes', 'uncordon', added);
    await cluster.oakctl('nodes', 'drain', added);
    const left = (await cluster.instances()).filter(({ node, service }) => service === api && node === added);
    expect(left).toEqual([]);
    await cluster.oakctl('nodes', 'uncordon', added);
    await push(codes.one, 2);
    await settled(2);
  };
  const deployAndDelete = async (): Promise<void> => {
    const file = join(cluster.home, 'cache.yaml');
    await writeFile(file, descriptor(local, { cache: { code: codes.one, replicas: 1, memory: 8 } }));
    await cluster.oakctl('deploy', file);
    expect(await cluster.oakctl('exec', `${cache}.instance.0`, '--', 'echo', 'hello')).toContain('hello');
    expect(await cluster.run('logs', cache)).toMatchObject({ code: 0 });
    expect(await cluster.oakctl('why', cache)).toContain(cache);
    await cluster.oakctl('delete', cache);
  };

  beforeAll(async () => {
    const page = (tag: string) => buildImage(`oakctl/test-upgrade:${tag}`, { port: 80, text: tag });
    const [one, two] = await Promise.all([page('1'), page('2')]);
    codes = { one, two };
    previous = await makePrevious(commit ?? '');
    before = previous.program;
    cluster = await createTestCluster({ program: before, workers: 2 });
    await push(codes.one, 2);
    await settled(2);
    kept = await lives();
    expect(kept).toHaveLength(4);
    const targets = (await cluster.instances()).filter(({ service }) => service === web);
    client = startClient({ list: async () => targets, port: 80, maxAge: 60_000 });
  });
  afterEach(async () => {
    expect(client?.failures ?? []).toEqual([]);
    expect(await lives()).toEqual(kept);
  });
  afterAll(async () => {
    await client?.stop();
    await takeDown(cluster);
    await previous.remove();
  });

  it('a new reconciler works with agents of the version before, and says who they are', async () => {
    await change(program, 'reconciler');
    await eventually(async () =>
      expect(await versions()).toEqual({ reconciler: oakctlVersion, agents: [previousVersion] }),
    );
    await work(before);
  });

  it('a reconciler of the version before works with new agents', async () => {
    await change(program, ...(await workers()));
    await change(before, 'reconciler');
    await eventually(async () =>
      expect(await versions()).toEqual({ reconciler: previousVersion, agents: [oakctlVersion] }),
    );
    await work(program);
  });

  it('up and down five times, while things change: nothing is restarted', async () => {
    const all = ['reconciler', ...(await workers())];
    for (let round = 1; round <= 5; round += 1) {
      await push(codes.one, 2 + (round % 2));
      await change(program, ...all);
      await push(round % 2 ? codes.two : codes.one, 2);
      await change(before, ...all);
      expect(await lives()).toEqual(kept);
    }
    await change(program, ...all);
    await settled(2);
    expect([...(client?.answers.keys() ?? [])]).toEqual(['1']);
  });
});
