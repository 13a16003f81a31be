import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { InstanceView } from '../../schemas/views.ts';
import { createTestCluster, type TestCluster, takeDown } from '../support/cluster.ts';
import { curlApplication } from '../support/descriptors.ts';
import { buildImage, engineAnswers } from '../support/engine.ts';
import { eventually } from '../support/eventually.ts';
import { unique } from '../support/machine.ts';

const app = unique('clientsrvr');
const services = { [`${app}.test.curl.test`]: 1, [`${app}.test.nginx.test`]: 1 };

async function nginxAnswers(instances: readonly InstanceView[]): Promise<void> {
  const nginx = instances.find((instance) => instance.service === `${app}.test.nginx.test`);
  expect(nginx?.addresses).toEqual([expect.stringMatching(/^127\.0\.\d+\.\d+:6080$/)]);
  const page = await eventually(async () => (await fetch(`http://${nginx?.addresses[0]}/`)).text());
  expect(page).toContain('welcome');
}

describe.skipIf(!(await engineAnswers()))('the application of seed 001', () => {
  let text: string;
  beforeAll(async () => {
    const nginx = await buildImage('oakctl/test-nginx:1', { port: 60, text: 'welcome' });
    text = curlApplication({ curl: nginx, nginx }, app);
  });

  describe('by git push', () => {
    let cluster: TestCluster;
    beforeAll(async () => {
      cluster = await createTestCluster({});
    });
    afterAll(() => takeDown(cluster));

    it('runs, answers, and is left alone by a commit that does not concern it', async () => {
      await cluster.repository.push({ 'deploy_curl_application.yaml': text });
      await nginxAnswers(await cluster.settled(services));
      const before = await cluster.containers();
      const check = await cluster.run('reconciler', '--folder', cluster.folder, '--check');
      expect(check).toMatchObject({ code: 0, stderr: expect.stringMatching(/answers at http.*broker and store\.\n$/) });

      const commit = await cluster.repository.push({ 'notes.txt': 'nothing that concerns the cluster' });
      await cluster.oakctl('sync');
      expect((await cluster.status()).sources[0]).toMatchObject({ accepted: commit, state: 'synced', ignored: 2 });
      expect(await cluster.containers()).toEqual(before);
    });

    it('is refused as a direct deployment, with exit code 4 and a hint', async () => {
      const file = join(cluster.home, 'app.yaml');
      await writeFile(file, text);
      const ran = await cluster.run('deploy', file);
      expect(ran.code).toBe(4);
      expect(ran.stderr).toContain('OWNED_BY_GIT');
      expect(ran.stderr).toContain('--commit');
    });

    it('follows `deploy --commit`, which waits for the outcome', async () => {
      const file = join(cluster.repository.folder, 'deploy_curl_application.yaml');
      await cluster.repository.git('config', 'user.name', 'Test');
      await cluster.repository.git('config', 'user.email', 'test@example.org');
      await writeFile(file, text.replace('tail -f /dev/null', 'tail -F /dev/null'));
      await cluster.oakctl('deploy', file, '--commit');
      const curl = (await cluster.services()).find((service) => service.name === `${app}.test.curl.test`);
      expect(curl).toMatchObject({ outcome: 'settled', commit: await cluster.repository.git('rev-parse', 'HEAD') });
    });
  });

  describe('by oakctl deploy', () => {
    let cluster: TestCluster;
    beforeAll(async () => {
      cluster = await createTestCluster({});
    });
    afterAll(() => takeDown(cluster));

    it('runs and answers once the command returns, and is gone after delete', async () => {
      const file = join(cluster.home, 'app.yaml');
      await writeFile(file, text);
      await cluster.oakctl('deploy', file);
      await nginxAnswers(await cluster.settled(services));

      await cluster.oakctl('delete', `${app}.test`);
      await eventually(async () => (await cluster.containers()).length === 0, { what: 'the removal' });
    });
  });
});
