import { type ChildProcess, spawn } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { removeOtherPrograms } from '../../../cli/local/programs.ts';

let folder: string;
let running: ChildProcess | undefined;
const program = (name: string): string => join(folder, name, 'bin/node');

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakctl-programs-'));
  for (const name of ['0.1.0-a', '0.2.0-b', '0.3.0-c', 'mine']) {
    await mkdir(join(folder, name, 'bin'), { recursive: true });
    await copyFile('/bin/sleep', program(name));
    if (name !== 'mine') await writeFile(join(folder, name, 'complete'), '');
  }
});
afterEach(async () => {
  running?.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

describe('packages of other versions', () => {
  it('go, but what runs, what is not whole, and what is of somebody else', async () => {
    const started = spawn(program('0.1.0-a'), ['60'], { stdio: 'ignore' });
    running = started;
    await new Promise((resolve) => started.once('spawn', resolve));
    expect(await removeOtherPrograms(program('0.3.0-c'), folder)).toEqual(['0.2.0-b']);
    expect((await readdir(folder)).sort()).toEqual(['0.1.0-a', '0.3.0-c', 'mine']);
    expect(await removeOtherPrograms(program('0.3.0-c'), folder)).toEqual([]);

    const ended = new Promise((resolve) => started.once('close', resolve));
    started.kill('SIGKILL');
    await ended;
    expect(await removeOtherPrograms(program('0.3.0-c'), folder)).toEqual(['0.1.0-a']);
    expect((await readdir(folder)).sort()).toEqual(['0.3.0-c', 'mine']);
  });

  it('are none of the business of a program that is in no package', async () => {
    for (const path of [process.execPath, program('mine'), join(folder, 'node'), folder])
      expect(await removeOtherPrograms(path, folder)).toEqual([]);
    expect(await readdir(folder)).toHaveLength(4);
  });
});
