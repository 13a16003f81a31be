import { readdir, readFile, rename, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SourceView } from '../../schemas/views.ts';
import { createTestCluster, type TestCluster, takeDown } from '../support/cluster.ts';
import { descriptor, fullName } from '../support/descriptors.ts';
import { buildImage, engineAnswers } from '../support/engine.ts';
import { eventually, steadily } from '../support/eventually.ts';
import { unique } from '../support/machine.ts';

const [alpha, beta, canary] = [unique('alpha'), unique('beta'), unique('canary')];

describe.skipIf(!(await engineAnswers()))('a source that cannot be read', () => {
  let cluster: TestCluster;
  let code: string;
  /** Container ids of the two applications that no test here may touch. */
  let untouched: readonly string[];
  let good: Record<string, string>;

  beforeAll(async () => {
    code = await buildImage('oakctl/test-web:1', { port: 80, text: 'one' });
    cluster = await createTestCluster({ workers: 2 });
    good = {
      'fleet/alpha.yaml': descriptor(alpha, { web: { code, memory: 20 } }),
      'fleet/beta.yaml': descriptor(beta, { web: { code, memory: 20 }, db: { code, memory: 20 } }),
      'fleet/canary.yaml': descriptor(canary, { web: { code, memory: 20 } }),
    };
    // Written by `oakctl up`, and lists both workers.
    good['fleet/nodes.yaml'] = await readFile(join(cluster.repository.folder, 'nodes.yaml'), 'utf8');
    await cluster.repository.replace(good);
    await cluster.configure((text) => text.replace('branch: main', 'branch: main\n    path: fleet'));
    await cluster.settled(services(1));
    untouched = await idsOf(alpha, beta);
  });
  afterAll(() => takeDown(cluster));

  const services = (count: number) => ({
    [fullName(alpha, 'web')]: 1,
    [fullName(beta, 'web')]: 1,
    [fullName(beta, 'db')]: 1,
    [fullName(canary, 'web')]: count,
  });
  const idsOf = async (...apps: string[]): Promise<string[]> =>
    (await cluster.containers())
      .filter(({ instance, state }) => state === 'running' && apps.includes(instance.split('.')[0] ?? ''))
      .map(({ id }) => id);
  const source = async (): Promise<SourceView> => (await cluster.status()).sources[0] as SourceView;
  const problemCodes = async () => (await source()).problems.map((problem) => problem.code);
  const nothingRemoved = () => steadily(async () => expect(await idsOf(alpha, beta)).toEqual(untouched), 1500);
  let canaries = 1;
  /** A change of another application in the same commit: it must go on. */
  const otherChange = () => {
    canaries = (canaries % 3) + 1;
    return { 'fleet/canary.yaml': descriptor(canary, { web: { code, replicas: canaries, memory: 20 } }) };
  };
  const canaryFollowed = async (): Promise<void> => {
    await eventually(async () => expect((await idsOf(canary)).length).toBe(canaries), {
      timeout: 60_000,
      what: `${canaries} instances of the other application`,
    });
  };

  const broken: Record<string, Record<string, string | undefined>> = {
    'an unparsable file': { 'fleet/beta.yaml': 'applications: [\n  {"application_name": ' },
    'a good descriptor moved into a broken file': {
      'fleet/beta.yaml': undefined,
      'fleet/moved.yaml': `%%%\n${descriptor(beta, { web: { code: 'x' } })}`,
    },
    'a misspelt sla_version': {
      'fleet/beta.yaml': descriptor(beta, { web: { code: 'x' } }).replace('sla_version', 'sla_versoin'),
    },
    'a descriptor that became something else': { 'fleet/beta.yaml': 'just: notes\n' },
  };

  for (const [what, changes] of Object.entries(broken)) {
    it(`${what}: nothing is removed, the condition names the file, other applications go on`, async () => {
      await cluster.repository.push({ ...changes, ...otherChange() });
      await cluster.run('sync');
      await eventually(async () => expect((await source()).state).toBe('invalid'));
      const { problems } = await source();
      expect(problems.length).toBeGreaterThan(0);
      expect(problems.map(({ file }) => file)).toContain(Object.keys(changes).at(-1));
      await canaryFollowed();
      await nothingRemoved();
      await mend();
    });
  }

  it('an emptied nodes.yaml cordons nobody', async () => {
    expect((await cluster.nodes()).map(({ listed }) => listed)).toEqual([true, true]);
    await cluster.repository.push({ 'fleet/nodes.yaml': '', ...otherChange() });
    await cluster.run('sync');
    await canaryFollowed();
    await nothingRemoved();
    expect((await cluster.nodes()).map(({ cordoned }) => cordoned)).toEqual([undefined, undefined]);
    expect((await cluster.status()).holds.map(({ code: hold }) => hold)).toContain('REMOVAL_GUARD');
    await mend();
  });

  it('a tree without descriptors is held until a human approves', async () => {
    await cluster.repository.replace({ 'fleet/README.md': 'nothing here\n' });
    await cluster.run('sync');
    const hold = await eventually(async () => {
      const found = (await cluster.status()).holds.find(({ code: reason }) => reason === 'REMOVAL_GUARD');
      expect(found?.id).toBeDefined();
      return found;
    });
    expect(hold?.hint).toContain(`oakctl approve ${hold?.id}`);
    await nothingRemoved();
    await mend();
  });

  it('a renamed path removes nothing', async () => {
    await cluster.repository.git('mv', 'fleet', 'renamed');
    await cluster.repository.push({});
    await cluster.run('sync');
    await eventually(async () => expect(await problemCodes()).toContain('SOURCE_REF_MISSING'));
    await nothingRemoved();
    await mend();
  });

  it('a branch that is gone removes nothing', async () => {
    await cluster.repository.git('push', '--quiet', 'origin', 'HEAD:refs/heads/kept');
    await cluster.repository.git('-C', join(cluster.folder, 'repository.git'), 'update-ref', '-d', 'refs/heads/main');
    await cluster.run('sync');
    await eventually(async () => expect(await problemCodes()).toContain('SOURCE_REF_MISSING'));
    await nothingRemoved();
    await mend();
  });

  it('an unreachable remote is one condition, and heals by itself', async () => {
    const remote = join(cluster.folder, 'repository.git');
    await rename(remote, `${remote}.away`);
    await cluster.run('sync');
    await eventually(async () => expect((await source()).state).toBe('unreachable'));
    await nothingRemoved();
    await rename(`${remote}.away`, remote);
    await mend();
  });

  it('a truncated mirror is made anew', async () => {
    const truncated = await truncateObjects(join(cluster.folder, 'state'));
    expect(truncated).toBeGreaterThan(0);
    await cluster.repository.push(otherChange());
    await cluster.run('sync');
    await canaryFollowed();
    await nothingRemoved();
    await mend();
  });

  /** Puts the good tree back (with the present number of canaries) and waits until it is in force. */
  async function mend(): Promise<void> {
    const commit = await cluster.repository.replace({
      ...good,
      'fleet/canary.yaml': descriptor(canary, { web: { code, replicas: canaries, memory: 20 } }),
    });
    await cluster.run('sync');
    await eventually(async () => expect(await source()).toMatchObject({ state: 'synced', accepted: commit }), {
      timeout: 60_000,
      what: 'the good tree',
    });
    await cluster.settled(services(canaries));
    expect(await idsOf(alpha, beta)).toEqual(untouched);
  }
});

/** Cuts every git object below `folder` to half; returns how many. */
async function truncateObjects(folder: string): Promise<number> {
  const files = (await readdir(folder, { recursive: true })).filter((file) =>
    /objects\/([0-9a-f]{2}\/|pack\/.*\.pack$)/.test(file),
  );
  for (const file of files) await truncate(join(folder, file), Math.floor((await stat(join(folder, file))).size / 2));
  return files.length;
}
