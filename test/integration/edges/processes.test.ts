/** What must hold between processes, and over their sudden end. The children run the program as built (`npm run build`). */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRecordsStore } from '../../../reconciler/store/records-store.ts';
import { createDurableFiles } from '../../../schemas/io/durable-files.ts';
import { lockFolder } from '../../../schemas/io/folder-lock.ts';
import { isProblemError, type Problem } from '../../../schemas/problem.ts';
import { eventually } from '../../support/eventually.ts';

const built = (path: string): string => JSON.stringify(new URL(`../../../dist/${path}`, import.meta.url).href);

type Child = ChildProcessByStdio<null, Readable, null>;
let folder: string;
const children: Child[] = [];

function runNode(code: string): { child: Child; lines: string[]; ended: Promise<void> } {
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const lines: string[] = [];
  let rest = '';
  child.stdout.on('data', (data: Buffer) => {
    const parts = (rest + data.toString()).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
  });
  return { child, lines, ended: new Promise((resolve) => child.once('close', () => resolve())) };
}
async function problemOf(work: Promise<unknown>): Promise<Problem | undefined> {
  const error = await work.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  return isProblemError(error) ? error.problem : undefined;
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakctl-processes-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

/** How often a writer is killed; `npm run chaos:store` does it 1,000 times. */
const crashes = Number(process.env['OAKCTL_CRASHES'] ?? 50);

/** What a child does: opens, tells `n` that it finds, and how it writes another one. */
const writers = {
  'a durable file': `
    import { createDurableFiles } from ${built('schemas/io/durable-files.js')};
    const files = createDurableFiles({ folder });
    const found = Number((await files.read('ledger.json')) ?? 0);
    const write = (n) => files.write('ledger.json', String(n).padStart(20_000, '0'));`,
  'the records of a reconciler': `
    import { createRecordsStore } from ${built('reconciler/store/records-store.js')};
    const store = createRecordsStore({ folder });
    const records = await store.load();
    const found = records.epoch;
    const approvals = Array.from({ length: 500 }, (_, i) => 'approval ' + i);
    const write = (n) => store.save({ ...records, approvals, epoch: n });`,
};
const readers: Readonly<Record<keyof typeof writers, () => Promise<number>>> = {
  'a durable file': async () => Number(await createDurableFiles({ folder }).read('ledger.json')),
  'the records of a reconciler': async () => (await createRecordsStore({ folder }).load()).epoch,
};

describe.each(Object.keys(writers) as (keyof typeof writers)[])('%s', (what) => {
  it(
    `holds what was acknowledged, or one write more, after kill -9 at any moment (${crashes / 2} times)`,
    async () => {
      const code = `
      import { writeSync } from 'node:fs';
      const folder = ${JSON.stringify(folder)};
      ${writers[what]}
      for (let n = found + 1; ; n += 1) {
        await write(n);
        writeSync(1, n + '\\n');
      }`;
      let last = 0;
      for (let round = 0; round < crashes / 2; round += 1) {
        const writer = runNode(code);
        await eventually(() => writer.lines.length > round % 7, { interval: 1, timeout: 60_000 });
        writer.child.kill('SIGKILL');
        await writer.ended;
        const acknowledged = Number(writer.lines.at(-1));
        const content = await readers[what]();
        expect(content).toBeGreaterThanOrEqual(acknowledged);
        expect(content).toBeLessThanOrEqual(acknowledged + 1);
        expect(acknowledged).toBeGreaterThan(last);
        last = content;
      }
    },
    60_000 + crashes * 2_000,
  );
});

describe('the lock of a folder', () => {
  const holder = (path: string) =>
    runNode(`
      import { lockFolder } from ${built('schemas/io/folder-lock.js')};
      try {
        await lockFolder(${JSON.stringify(path)});
        console.log('held');
        setInterval(() => {}, 1000);
      } catch (error) {
        console.log(error.problem.code);
      }`);

  it.each(['short', 'a-very-long-name/'.repeat(12)])(
    'belongs to one process, and ends with it however it ends (%s)',
    async (name) => {
      const path = join(folder, name);
      await mkdir(path, { recursive: true });
      const first = holder(path);
      await eventually(() => first.lines[0] === 'held');
      const second = holder(path);
      await eventually(() => second.lines[0] === 'FOLDER_LOCKED');
      const refused = await problemOf(lockFolder(path));
      expect(refused).toMatchObject({ code: 'FOLDER_LOCKED', subject: path });
      expect(refused?.message).toContain(`process ${first.child.pid} since 20`);
      first.child.kill('SIGKILL');
      await first.ended;
      const lock = await lockFolder(path);
      const third = holder(path);
      await eventually(() => third.lines[0] === 'FOLDER_LOCKED');
      await lock.release();
      const fourth = holder(path);
      await eventually(() => fourth.lines[0] === 'held');
    },
  );

  it('goes to one of many that ask at once', async () => {
    const all = Array.from({ length: 6 }, () => holder(folder));
    await eventually(() => all.every((one) => one.lines.length === 1));
    expect(all.map((one) => one.lines[0]).sort()).toEqual([...Array<string>(5).fill('FOLDER_LOCKED'), 'held']);
  });

  it('is the lock of the folder, not of its name, and not of its neighbours', async () => {
    await mkdir(join(folder, 'real'));
    await mkdir(join(folder, 'other'));
    await symlink('real', join(folder, 'alias'));
    const lock = await lockFolder(join(folder, 'real'));
    expect((await problemOf(lockFolder(join(folder, 'alias'))))?.code).toBe('FOLDER_LOCKED');
    const other = await lockFolder(join(folder, 'other'));
    await other.release();
    await lock.release();
    await (await lockFolder(join(folder, 'alias'))).release();
  });

  it('does not keep a process alive that has nothing else to do', async () => {
    const idle = runNode(`import { lockFolder } from ${built('schemas/io/folder-lock.js')};
      await lockFolder(${JSON.stringify(folder)}); console.log('held');`);
    await idle.ended;
    expect(idle.lines).toEqual(['held']);
  });
});
