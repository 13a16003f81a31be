import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endProcess, runningPid, startProcess, startTime } from '../../../cli/local/processes.ts';
import { eventually } from '../../support/eventually.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakctl-processes-'));
});
afterEach(async () => {
  await endProcess(file('one.pid'), 0);
  await rm(folder, { recursive: true, force: true });
});

const file = (name: string) => join(folder, name);
const start = (script: string) => startProcess(['-e', script], { pid: file('one.pid'), log: file('one.log') });

describe('a background process', () => {
  it('is found by its pid file, writes its log, and ends politely', async () => {
    const pid = await start(
      `process.on('SIGTERM', () => { console.log('bye'); process.exit(0); }); console.log('up'); setInterval(() => {}, 1e3)`,
    );
    expect(await runningPid(file('one.pid'))).toBe(pid);
    await eventually(async () => expect(await readFile(file('one.log'), 'utf8')).toContain('up'));
    expect(await endProcess(file('one.pid'), 5000)).toBe(true);
    expect(await readFile(file('one.log'), 'utf8')).toContain('bye');
    expect(await runningPid(file('one.pid'))).toBeUndefined();
    expect(await endProcess(file('one.pid'), 5000)).toBe(false);
  });

  it('that does not listen is killed after its grace', async () => {
    await start(`process.on('SIGTERM', () => {}); console.log('up'); setInterval(() => {}, 1e3)`);
    await eventually(async () => expect(await readFile(file('one.log'), 'utf8')).toContain('up'));
    expect(await endProcess(file('one.pid'), 100)).toBe(true);
    expect(await runningPid(file('one.pid'))).toBeUndefined();
  });

  it('whose pid was used again is not taken for ours, and not touched', async () => {
    const own = await startTime(process.pid);
    expect(own).toMatch(/^\d+$/);
    await writeFile(file('other.pid'), JSON.stringify({ pid: process.pid, start: String(Number(own) - 1) }));
    expect(await runningPid(file('other.pid'))).toBeUndefined();
    expect(await endProcess(file('other.pid'), 0)).toBe(false);
  });

  it('is not made up from a damaged file', async () => {
    for (const text of ['', '{', '{"pid":0}', '{"pid":-1}', '{"pid":1}', '{"pid":"x"}']) {
      await writeFile(file('bad.pid'), text);
      expect(await runningPid(file('bad.pid')), text).toBeUndefined();
    }
  });
});
