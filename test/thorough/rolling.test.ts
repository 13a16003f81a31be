import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ServiceView } from '../../schemas/views.ts';
import { createTestCluster, type Ran, type TestCluster, takeDown } from '../support/cluster.ts';
import { descriptor, fullName } from '../support/descriptors.ts';
import { buildImage, engineAnswers } from '../support/engine.ts';
import { eventually } from '../support/eventually.ts';
import { slowness, unique } from '../support/machine.ts';
import { type SteadyClient, startClient } from '../support/steady-client.ts';

const shop = unique('roll');
const web = fullName(shop, 'web');
const replicas = 10;
const rolledBack = 6;

describe.skipIf(!(await engineAnswers()))('a rolling update of ten instances', () => {
  let cluster: TestCluster;
  let client: SteadyClient | undefined;
  let codes: Readonly<Record<'one' | 'two' | 'three' | 'broken', string>>;
  /** How long a copy is off the list before it stops: a second, or more where everything takes longer. */
  let notice: number;

  const deploy = async (code: string, ...flags: string[]): Promise<Ran> => {
    const update = { settle: '500ms', notice: `${notice}ms`, max_unavailable: 2 };
    const file = join(cluster.home, 'web.yaml');
    await writeFile(file, descriptor(shop, { web: { code, replicas, memory: 8, restart: 'never', update } }));
    return cluster.run('deploy', file, ...flags);
  };
  const view = (): Promise<ServiceView> => cluster.get(`services/${web}`);
  const updated = async (digest: string): Promise<number> =>
    (await view()).instances.filter((one) => one.healthy && one.digest === digest).length;

  /** Asks for the image, and waits until nothing else runs. */
  const roll = async (code: string): Promise<void> => {
    expect(await deploy(code, '--detach')).toMatchObject({ code: 0 });
    await ended(code);
  };
  const ended = (code: string): Promise<unknown> => {
    const done = async (): Promise<void> => {
      const { outcome, image, digest, instances } = await view();
      expect({ outcome, image }).toEqual({ outcome: 'settled', image: code });
      expect(instances.filter((one) => one.healthy && one.digest === digest && !one.others)).toHaveLength(replicas);
    };
    return eventually(done, { timeout: 240_000, what: `ten instances of ${code}` });
  };
  const answersOf = (text: string) =>
    eventually(() => (client?.answers.get(text) ?? 0) > 0, { what: `answers of version ${text}` });

  beforeAll(async () => {
    const page = (tag: string, text: string) => buildImage(`oakctl/test-roll:${tag}`, { port: 80, text });
    const [one, two, three, broken] = await Promise.all([
      page('1', 'one'),
      page('2', 'two'),
      page('3', 'three'),
      buildImage('oakctl/test:broken', { text: 'broken', command: ['sh', '-c', 'echo broken >&2; exit 1'] }),
    ]);
    codes = { one, two, three, broken };
    notice = Math.ceil(1_000 * (await slowness()));
    cluster = await createTestCluster({});
    await roll(codes.one);
    client = startClient({ list: () => cluster.instances(), port: 80, maxAge: notice * 0.4 });
  });
  afterEach(() => expect(client?.failures ?? []).toEqual([]));
  afterAll(async () => {
    await client?.stop();
    await takeDown(cluster);
  });

  it('fails no request of a client that uses the list of healthy copies', async () => {
    await answersOf('one');
    await roll(codes.two);
    await answersOf('two');
  });

  it('to an image that does not run leaves the old copies serving, exits with 6, and the next version goes through', async () => {
    const { digest } = await view();
    expect(await deploy(codes.broken)).toMatchObject({ code: rolledBack });
    expect(await updated(digest)).toBe(replicas);
    await roll(codes.three);
    await answersOf('three');
  });

  it('ends the same way when the reconciler is killed in the middle', async () => {
    expect(await deploy(codes.one, '--detach')).toMatchObject({ code: 0 });
    const { digest } = await view();
    await eventually(async () => (await updated(digest)) >= 3, { timeout: 120_000, what: 'three of ten updated' });
    process.kill(await cluster.pid('reconciler'), 'SIGKILL');
    await cluster.oakctl('up');
    await ended(codes.one);
  });
});
