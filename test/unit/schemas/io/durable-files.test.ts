import * as realFs from 'node:fs/promises';
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDurableFiles, type DurableFs } from '../../../../schemas/io/durable-files.ts';
import { isProblemError } from '../../../../schemas/problem.ts';
import { createDice } from '../../../simulation/simulator/dice.ts';
import { createSimDisk } from '../../../simulation/simulator/disk.ts';
import { createVirtualClock } from '../../../support/virtual-clock.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakctl-files-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const codeOf = (error: unknown): string => (isProblemError(error) ? error.problem.code : String(error));
const caught = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

/** A file system that carries out `steps` calls and then is dead, as after kill -9; counts the calls. */
function mortalFs(steps: number, code = 'EIO'): { fs: DurableFs; calls: () => number } {
  let calls = 0;
  const guard =
    <A extends unknown[], R>(run: (...args: A) => Promise<R>) =>
    (...args: A): Promise<R> => {
      calls += 1;
      if (calls > steps) return Promise.reject(Object.assign(new Error('dead'), { code }));
      return run(...args);
    };
  const open = guard(async (...args: Parameters<typeof realFs.open>) => {
    const handle = await realFs.open(...args);
    return new Proxy(handle, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key);
        if (typeof value !== 'function') return value;
        const bound = (value as (...a: unknown[]) => Promise<unknown>).bind(target);
        // A process that dies closes its files.
        return key === 'close' ? bound : guard(bound);
      },
    });
  });
  const { mkdir, readFile: read, readdir: list, rename, unlink } = realFs;
  const fs = {
    open,
    mkdir: guard(mkdir),
    readFile: guard(read),
    readdir: guard(list),
    rename: guard(rename),
    unlink: guard(unlink),
  };
  return { fs: fs as unknown as DurableFs, calls: () => calls };
}

describe('durable files', () => {
  it('gives back what was written, lists it, and forgets what was removed', async () => {
    const files = createDurableFiles({ folder: join(folder, 'new', 'deep') });
    expect(await files.list()).toEqual([]);
    expect(await files.read('a.json')).toBeUndefined();
    await files.write('a.json', 'ä\u0000\n');
    await files.write('b-1.json', '');
    await files.write('a.json', 'second');
    expect([await files.read('a.json'), await files.read('b-1.json')]).toEqual(['second', '']);
    expect(await createDurableFiles({ folder: join(folder, 'new', 'deep') }).list()).toEqual(['a.json', 'b-1.json']);
    await files.remove('a.json');
    await files.remove('never-there');
    expect(await files.read('a.json')).toBeUndefined();
    expect(await files.list()).toEqual(['b-1.json']);
  });

  it.each(['', '..', '.hidden', 'a/b', 'A', 'a~', `${'x'.repeat(201)}`])('refuses the name %j', async (name) => {
    const files = createDurableFiles({ folder });
    expect(() => files.read(name)).toThrow(TypeError);
  });

  it('goes on when its folder is removed while it is in use', async () => {
    const files = createDurableFiles({ folder: join(folder, 'state') });
    await files.write('a', 'first');
    await rm(join(folder, 'state'), { recursive: true });
    expect(await files.read('a')).toBeUndefined();
    await files.write('a', 'second');
    await rm(join(folder, 'state'), { recursive: true });
    await files.write('a', 'third');
    expect(await files.read('a')).toBe('third');
  });

  it('carries out writes of one name in order', async () => {
    const files = createDurableFiles({ folder });
    await Promise.all(Array.from({ length: 50 }, (_, n) => files.write('a', String(n))));
    expect(await files.read('a')).toBe('49');
  });

  it.each<[string, (file: string) => Promise<void>]>([
    ['empty', (file) => truncate(file, 0)],
    ['truncated', async (file) => truncate(file, (await readFile(file)).length - 1)],
    ['zero-filled', async (file) => writeFile(file, Buffer.alloc((await readFile(file)).length))],
    ['null', (file) => writeFile(file, 'null')],
    [
      'changed in one bit',
      async (file) => {
        const bytes = await readFile(file);
        bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
        await writeFile(file, bytes);
      },
    ],
    ['longer than it was', (file) => writeFile(file, 'more', { flag: 'a' })],
    ['gone', (file) => rm(file)],
  ])(
    'falls back to the previous version when the file is %s, and keeps that over the next write',
    async (_, damage) => {
      const told: string[] = [];
      await createDurableFiles({ folder }).write('a', 'first');
      await createDurableFiles({ folder }).write('a', 'second');
      await damage(join(folder, 'a'));
      const files = createDurableFiles({ folder, damaged: (file, what) => told.push(`${file}: ${what}`) });
      expect(await files.read('a')).toBe('first');
      await files.write('a', 'third');
      await damage(join(folder, 'a'));
      expect(await createDurableFiles({ folder }).read('a')).toBe('first');
      if (_ !== 'gone') expect(told[0]).toContain(join(folder, 'a'));
    },
  );

  it('survives the damage of a version that was never followed by another, again and again', async () => {
    await createDurableFiles({ folder }).write('a', 'only');
    for (const damaged of ['a', 'a~', 'a', 'a~']) {
      await writeFile(join(folder, damaged), Buffer.alloc(80));
      expect(await createDurableFiles({ folder }).read('a')).toBe('only');
      if (damaged === 'a') expect((await readFile(join(folder, 'a'), 'utf8')).endsWith('only')).toBe(true);
      // The other one is mended by the next write.
      else await createDurableFiles({ folder }).write('a', 'only');
    }
    expect((await readdir(folder)).sort()).toEqual(['a', 'a~']);
  });

  it('reads the previous version also where nothing can be written', async () => {
    const files = createDurableFiles({ folder });
    await files.write('a', 'first');
    await writeFile(join(folder, 'a'), '');
    const full = createDurableFiles({
      folder,
      fs: { ...realFs, open: () => Promise.reject(Object.assign(new Error('full'), { code: 'ENOSPC' })) },
    });
    expect(await full.read('a')).toBe('first');
  });

  it('says FILE_DAMAGED when no version is whole: never that there is nothing', async () => {
    const files = createDurableFiles({ folder });
    await files.write('a', 'first');
    await writeFile(join(folder, 'a'), '');
    await writeFile(join(folder, 'a~'), 'null');
    expect(codeOf(await caught(files.read('a')))).toBe('FILE_DAMAGED');
    await files.write('b', 'first');
    await files.write('b', 'second');
    await truncate(join(folder, 'b'), 3);
    await truncate(join(folder, 'b~'), 3);
    expect(codeOf(await caught(createDurableFiles({ folder }).read('b')))).toBe('FILE_DAMAGED');
  });

  it('has no first version, or has it, whichever step the first write dies at', async () => {
    const outcomes = new Set<string | undefined>();
    for (let step = 0; step <= 20; step += 1) {
      const own = join(folder, `first-${step}`);
      const error = await caught(createDurableFiles({ folder: own, fs: mortalFs(step).fs }).write('a', 'new'));
      const content = await createDurableFiles({ folder: own }).read('a');
      outcomes.add(content);
      expect(error === undefined ? ['new'] : ['new', undefined]).toContain(content);
      await createDurableFiles({ folder: own }).write('a', 'next');
      expect(await createDurableFiles({ folder: own }).read('a')).toBe('next');
    }
    expect(outcomes).toEqual(new Set(['new', undefined]));
  });

  it('keeps the old or has the new content, whichever step a write dies at', async () => {
    const probe = mortalFs(Number.POSITIVE_INFINITY);
    await createDurableFiles({ folder }).write('a', 'old');
    await createDurableFiles({ folder, fs: probe.fs }).write('a', 'new');
    const steps = probe.calls();
    expect(steps).toBeGreaterThan(7);
    const outcomes = new Set<string | undefined>();
    for (let step = 0; step <= steps; step += 1) {
      await createDurableFiles({ folder }).write('a', 'old');
      const mortal = createDurableFiles({ folder, fs: mortalFs(step).fs });
      const error = await caught(mortal.write('a', 'new'));
      const survivor = createDurableFiles({ folder });
      const content = await survivor.read('a');
      outcomes.add(content);
      if (error === undefined) expect(content).toBe('new');
      else expect(codeOf(error)).toBe('FILE_UNWRITABLE');
      expect(['old', 'new']).toContain(content);
      await survivor.write('a', 'next');
      expect(await survivor.read('a')).toBe('next');
      expect((await readdir(folder)).sort()).toEqual(['a', 'a~']);
    }
    expect(outcomes).toEqual(new Set(['old', 'new']));
  });

  it('never half-removes: the file is there as it was, or gone', async () => {
    for (let step = 0; step <= 4; step += 1) {
      const files = createDurableFiles({ folder });
      await files.write('a', 'old');
      await files.write('a', 'newest');
      await caught(createDurableFiles({ folder, fs: mortalFs(step).fs }).remove('a'));
      expect(['newest', undefined]).toContain(await createDurableFiles({ folder }).read('a'));
    }
  });

  it('never goes behind what was read, whatever process died before, and though the power fails then', async () => {
    const clock = createVirtualClock();
    for (let seed = 0; seed < 200; seed += 1) {
      const disk = createSimDisk({ clock, dice: createDice(seed), latency: () => 0 });
      const process = (calls = Number.POSITIVE_INFINITY) => {
        let left = calls;
        const life = { isAlive: () => left > 0, step: () => --left > 0 };
        return createDurableFiles({ folder: '/state', fs: disk.fs(life) });
      };
      await process().write('ledger', 'first');
      // Dies at one of its calls, which then never ends.
      void process(1 + (seed % 20)).write('ledger', 'second');
      await clock.settle();
      const read = await process().read('ledger');
      disk.powerCut();
      expect(await process().read('ledger'), `seed ${seed}`).toBe(read);
    }
  });

  it('says that the disk is full, keeps the old content, and goes on when there is room again', async () => {
    const files = createDurableFiles({ folder });
    await files.write('a', 'old');
    const full = createDurableFiles({
      folder,
      fs: { ...realFs, open: () => Promise.reject(Object.assign(new Error('full'), { code: 'ENOSPC' })) },
    });
    const error = await caught(full.write('a', 'new'));
    expect(codeOf(error)).toBe('FILE_UNWRITABLE');
    expect(String(error)).toContain('ENOSPC');
    expect(await files.read('a')).toBe('old');
    await files.write('a', 'new');
    expect(await files.read('a')).toBe('new');
  });
});
