import { join } from 'node:path';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { createTestCluster, type TestCluster, takeDown } from '../support/cluster.ts';
import { descriptor, fullName } from '../support/descriptors.ts';
import { buildImage, engineAnswers } from '../support/engine.ts';
import { steadily } from '../support/eventually.ts';
import { unique } from '../support/machine.ts';

describe.skipIf(!(await engineAnswers()))('two clusters on one repository', () => {
  let east: TestCluster;
  let west: TestCluster;
  let code: string;

  beforeAll(async () => {
    code = await buildImage('oakctl/test-web:1', { port: 80, text: 'one' });
    east = await createTestCluster({ name: 'east', workers: 1 });
    west = await createTestCluster({ name: 'west', workers: 1 });
    const [own, shared] = [west, east].map(({ folder }) => join(folder, 'repository.git'));
    await west.configure((text) => text.replaceAll(own ?? '', shared ?? ''));
  });
  afterAll(async () => {
    await takeDown(west);
    await takeDown(east);
  });

  it('each carry out their own share and the common one, and nothing else', async () => {
    const app = (name: string) => descriptor(unique(name), { web: { code, memory: 20 } });
    const webOf = (name: string) => fullName(unique(name), 'web');
    await east.repository.push({
      'clusters/east/app.yaml': app('only-east'),
      'clusters/west/app.yaml': app('only-west'),
      'common/app.yaml': app('both'),
      'elsewhere.yaml': app('nobody'),
    });
    await west.oakctl('sync');
    const shares = [
      [east, { [webOf('only-east')]: 1, [webOf('both')]: 1 }],
      [west, { [webOf('only-west')]: 1, [webOf('both')]: 1 }],
    ] as const;
    for (const [cluster, share] of shares) await cluster.settled(share);

    await east.repository.push({ 'clusters/west/more.yaml': app('more') });
    await west.oakctl('sync');
    await west.settled({ ...shares[1][1], [webOf('more')]: 1 });
    await steadily(() => east.settled(shares[0][1], 10_000), 1500, 'the share of the other cluster');
  });
});
