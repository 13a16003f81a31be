import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestCluster, type TestCluster, takeDown } from '../support/cluster.ts';
import { descriptor, fullName } from '../support/descriptors.ts';
import { buildImage, engineAnswers } from '../support/engine.ts';
import { eventually } from '../support/eventually.ts';
import { unique } from '../support/machine.ts';

const shop = unique('shop');
const web = fullName(shop, 'web');

describe.skipIf(!(await engineAnswers()))('containers that are not ours', () => {
  const docker = new Docker();
  const strangers: Docker.Container[] = [];
  let cluster: TestCluster;
  let code: string;

  beforeAll(async () => {
    code = await buildImage('oakctl/test-web:1', { port: 80, text: 'one' });
    cluster = await createTestCluster({ workers: 2 });
  });
  afterAll(async () => {
    await Promise.all(strangers.map((container) => container.remove({ force: true })));
    await takeDown(cluster);
  });

  const stranger = async (name: string, labels: Record<string, string>): Promise<Docker.Container> => {
    const container = await docker.createContainer({
      name,
      Image: code,
      Labels: labels,
      HostConfig: { NetworkMode: 'none' },
    });
    strangers.push(container);
    await container.start();
    return container;
  };
  const alive = async (): Promise<void> => {
    for (const container of strangers) {
      const { State, Name } = await container.inspect();
      expect(State.Running, Name).toBe(true);
    }
  };

  it('survive deployment, update, loss of the agent and removal; a taken name is shown', async () => {
    const [node] = await cluster.nodes();
    const { epoch } = await cluster.status();
    const foreign = {
      'io.oakctl.cluster': 'f'.repeat(64),
      'io.oakctl.node': node?.id ?? '',
      'io.oakctl.instance': `${web}.instance.0`,
      'io.oakctl.copy': `${epoch}.1`,
      'io.oakctl.digest': `1:${'0'.repeat(64)}`,
    };
    await stranger(`unlabelled-${cluster.fingerprint.slice(0, 8)}`, {});
    await stranger(`foreign-${cluster.fingerprint.slice(0, 8)}`, foreign);
    // The names that the first copy of slot 0 can get, taken by containers that only look like ours.
    for (let gen = 1; gen <= 4; gen += 1) await stranger(`${web}.instance.0.${epoch}.${gen}`, {});

    await cluster.repository.push({ 'shop.yaml': descriptor(shop, { web: { code, replicas: 2, memory: 20 } }) });
    await eventually(
      async () => {
        const shown = JSON.stringify([await cluster.services(), await cluster.status(), await cluster.nodes()]);
        expect(shown).toContain('NAME_CONFLICT');
      },
      { timeout: 60_000, what: 'the conflict in what the cluster shows' },
    );
    await alive();

    // Free the names; the service comes up beside the others.
    for (const container of strangers.splice(2)) await container.remove({ force: true });
    await cluster.settled({ [web]: 2 }, 180_000);
    await alive();

    process.kill(await cluster.pid('worker-1'), 'SIGKILL');
    await cluster.oakctl('up', 'worker-1');
    await cluster.repository.push({ 'shop.yaml': descriptor(shop, { web: { code, replicas: 3, memory: 20 } }) });
    await cluster.settled({ [web]: 3 });
    await alive();

    await cluster.oakctl('down', '--name', cluster.name);
    expect(await cluster.containers()).toEqual([]);
    await alive();
  });
});
