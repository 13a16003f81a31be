import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { engineAnswers } from '../support/engine.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'oakctl-story-'));
});
afterEach(() => rm(home, { recursive: true, force: true }));

/** `npm start -- --once`, as a newcomer types it. */
function play(env: NodeJS.ProcessEnv): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    const child = spawn('npm', ['start', '--silent', '--', '--once'], {
      cwd: root,
      env: { ...process.env, OAKCTL_HOME: home, NO_COLOR: '1', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.on('close', (code) => resolve({ code, output }));
  });
}

it.skipIf(!(await engineAnswers()))('plays the story with Docker', async () => {
  const { code, output } = await play({});
  expect(output, output).toMatch(/docker/i);
  expect(code, output).toBe(0);
});

it('plays the story without an Engine, with processes', async () => {
  const { code, output } = await play({ DOCKER_HOST: 'unix:///nonexistent.sock' });
  expect(output, output).toMatch(/process/i);
  expect(code, output).toBe(0);
});
