/** The walk through Oakestra's manual by curl, with its own descriptor, on a real Engine: `docker ps` follows each step. */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestCluster, type TestCluster, takeDown } from '../support/cluster.ts';
import { buildImage, engineAnswers } from '../support/engine.ts';
import { eventually } from '../support/eventually.ts';
import { timely } from '../support/machine.ts';

const walk = fileURLToPath(new URL('../../examples/oakestra/walk.sh', import.meta.url));

/** Under the names of the manual, unless somebody has the real ones. */
const images = [
  ['nginx:latest', { port: 60, text: 'hello' }],
  ['curlimages/curl:7.82.0', { text: 'curl' }],
] as const;

describe.skipIf(!(await engineAnswers()))("Oakestra's manual", () => {
  let cluster: TestCluster;

  beforeAll(async () => {
    const docker = new Docker();
    for (const [name, what] of images) {
      const isThere = await docker
        .getImage(name)
        .inspect()
        .then(
          () => true,
          () => false,
        );
      if (!isThere) await buildImage(name, what);
    }
    cluster = await createTestCluster({ workers: 2 });
  });
  afterAll(() => takeDown(cluster));

  /** `nginx 0, nginx 1`, from the names of containers that run. */
  const running = async (): Promise<string> =>
    (await cluster.containers())
      .filter(({ state }) => state === 'running')
      .map(({ name }) => /^clientsrvr\.test\.(\w+)\.test\.instance\.(\d+)\./.exec(name))
      .map((found) => `${found?.[1]} ${found?.[2]}`)
      .sort()
      .join(', ');

  it('is followed by docker ps within 5 s, step by step', async () => {
    const { api } = JSON.parse(await readFile(join(cluster.folder, 'endpoints.json'), 'utf8')) as { api: string };
    const password = (await readFile(join(cluster.folder, 'admin-password'), 'utf8')).trim();
    const env = { ...process.env, API: api, PASSWORD: password, STEP: 'yes' };
    const program = spawn(walk, { env, stdio: ['pipe', 'ignore', 'pipe'] });
    const ended = new Promise<number | null>((resolve) => program.once('close', resolve));
    const told: string[] = [];
    const steps: string[] = [];
    try {
      for await (const line of createInterface({ input: program.stderr })) {
        told.push(line);
        const [, expected] = /^docker ps: (.*) \(Enter goes on\)$/.exec(line) ?? [];
        if (expected === undefined) continue;
        const wanted = expected === 'nothing' ? '' : expected;
        const follows = (): Promise<void> =>
          eventually(async () => expect(await running()).toBe(wanted), { timeout: 60_000, what: `docker ps: ${line}` });
        await timely({ what: `docker ps: ${expected}`, fixed: 2_000, work: 3_000 }, follows);
        steps.push(expected);
        program.stdin.write('\n');
      }
      expect(await ended, told.join('\n')).toBe(0);
    } finally {
      program.kill('SIGKILL');
    }
    expect(steps).toEqual(['nothing', 'nginx 0', 'nginx 0, nginx 1', 'nginx 0', 'nothing', 'nothing']);
    // What lets others in is in no log.
    expect(told.join('\n')).not.toContain(password);
    expect(told.join('\n')).not.toMatch(/eyJ/);
    expect(await cluster.services()).toEqual([]);
  });

  it('leaves nothing behind', async () => {
    const gone = async (): Promise<void> => expect(await cluster.containers()).toEqual([]);
    await eventually(gone, { timeout: 30_000, what: 'no container' });
  });
});
