/** Jobs on a schedule with a real Engine and a real clock. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exitCodes } from '../../cli/exit-codes.ts';
import type { RunView } from '../../schemas/views.ts';
import { createTestCluster, type TestCluster, takeDown } from '../support/cluster.ts';
import { descriptor, fullName } from '../support/descriptors.ts';
import { buildImage, engineAnswers } from '../support/engine.ts';
import { eventually } from '../support/eventually.ts';
import { unique } from '../support/machine.ts';

const app = unique('jobs');
const minutely = fullName(app, 'minutely');
const broken = fullName(app, 'broken');

describe.skipIf(!(await engineAnswers()))('jobs on a schedule', () => {
  let cluster: TestCluster;

  beforeAll(async () => {
    const code = await buildImage('oakctl/test-web:1', { port: 80, text: 'one' });
    cluster = await createTestCluster({ workers: 2 });
    const job = { code, one_shot: true, memory: 20 };
    const text = descriptor(app, {
      minutely: { ...job, cmd: ['sh', '-c', 'echo it is time'], schedule: '* * * * *' },
      broken: { ...job, cmd: ['sh', '-c', 'exit 3'], schedule: { cron: '@yearly', time_zone: 'Europe/Berlin' } },
    });
    await cluster.repository.push({ 'jobs.yaml': text });
    await eventually(async () => expect(await cluster.services()).toHaveLength(2), { timeout: 120_000 });
  });
  afterAll(() => takeDown(cluster));

  const runsOf = async (service: string): Promise<readonly RunView[]> =>
    (await cluster.services()).find(({ name }) => name === service)?.schedule?.runs ?? [];
  const completed = (count: number) =>
    eventually(async () => expect((await runsOf(minutely)).length).toBeGreaterThanOrEqual(count), {
      timeout: 240_000,
      what: `${count} runs`,
    });

  it('run at their time, also after the reconciler was killed in between', async () => {
    await completed(1);
    // A run may begin at any look.
    await eventually(async () => expect(await cluster.oakctl('logs', minutely)).toContain('it is time'));
    const waits = 'SCHEDULED waits for its schedule until';
    await eventually(async () => expect(await cluster.oakctl('why', minutely)).toContain(waits));
    process.kill(await cluster.pid('reconciler'), 'SIGKILL');
    await cluster.oakctl('up');
    await completed(2);
    const runs = await runsOf(minutely);
    for (const run of runs) expect(run).toMatchObject({ outcome: 'completed', exit_code: 0 });
    expect(new Set(runs.map(({ due }) => due)).size).toBe(runs.length);
    expect(runs.every(({ due }) => due % 60_000 === 0)).toBe(true);
  });

  it('that fail say so, with their exit code', async () => {
    expect(await runsOf(broken)).toEqual([]);
    const { code, stdout } = await cluster.run('start', broken);
    expect(code, stdout).toBe(exitCodes.failed);
    expect(await runsOf(broken)).toMatchObject([{ cause: 'asked', outcome: 'failed', exit_code: 3 }]);
    expect(await cluster.oakctl('services', 'inspect', broken)).toMatch(/last run +failed, exit code 3/);
    expect(await cluster.oakctl('services', 'ls', broken)).toContain('last failed, exit code 3');
  });
});
