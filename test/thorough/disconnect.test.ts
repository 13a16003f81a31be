/** The broker goes away under an agent: what says so stops by the agent's own clock, and the same containers run again on contact. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestCluster, program, type TestCluster, takeDown } from '../support/cluster.ts';
import { descriptor, fullName } from '../support/descriptors.ts';
import { buildImage, engineAnswers } from '../support/engine.ts';
import { eventually, steadily } from '../support/eventually.ts';
import { unique } from '../support/machine.ts';

const farm = unique('farm');
const wanted = { [fullName(farm, 'free')]: 1, [fullName(farm, 'timed')]: 1, [fullName(farm, 'one')]: 1 };

describe.skipIf(!(await engineAnswers()))('an agent whose broker is gone', () => {
  let cluster: TestCluster;
  let agent: ChildProcess | undefined;

  /** `<service> <state> <container>`, sorted. */
  const states = async (): Promise<string[]> =>
    (await cluster.containers()).map(({ instance, state, id }) => `${instance.split('.')[2]} ${state} ${id}`).sort();
  const kill = async (name: string): Promise<void> => void process.kill(await cluster.pid(name), 'SIGKILL');

  beforeAll(async () => {
    const code = await buildImage('oakctl/test-web:1', { port: 80, text: 'one' });
    cluster = await createTestCluster({ workers: 1 });
    const text = descriptor(farm, {
      free: { code },
      timed: { code, stop_grace: '1s', on_disconnect: { stop_after: '12s', replace_after: 'never' } },
      one: { code, stop_grace: '1s', exclusive: true, on_disconnect: { stop_after: '10s' } },
    });
    await cluster.repository.push({ 'farm.yaml': text });
    await cluster.settled(wanted);
  });
  afterAll(async () => {
    agent?.kill('SIGKILL');
    await takeDown(cluster);
  });

  it('stops what is to stop, over a restart of the agent, and starts the same again', async () => {
    const before = await states();
    expect(before.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
      'free running',
      'one running',
      'timed running',
    ]);
    await kill('reconciler');
    await kill('worker-1');
    expect(await states()).toEqual(before);
    const folder = join(cluster.folder, 'workers', 'worker-1');
    agent = spawn(process.execPath, [program, 'agent', '--folder', folder], { stdio: 'ignore' });
    const stopped = async (): Promise<void> => {
      const now = before.map((line) => (line.startsWith('free') ? line : line.replace('running', 'exited')));
      expect(await states()).toEqual(now);
    };
    await eventually(stopped, { timeout: 120_000, what: 'the end of both' });
    await steadily(stopped, 3_000, 'nothing starts without contact');
    const ended = new Promise((resolve) => agent?.once('exit', resolve));
    agent.kill('SIGTERM');
    await ended;
    await cluster.oakctl('up');
    await cluster.settled(wanted);
    expect(await states()).toEqual(before);
  });
});
