import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lockFolder, lockHolder } from '../../../../schemas/io/folder-lock.ts';

describe('who holds a folder', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'oakctl-lock-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('is said by the holder itself, and by nobody once it let go', async () => {
    expect(await lockHolder(join(folder, 'none'))).toBe('nobody');
    const lock = await lockFolder(join(folder, 'state'));
    expect(await lockHolder(join(folder, 'state'))).toMatchObject({ pid: process.pid });
    await lock.release();
    expect(await lockHolder(join(folder, 'state'))).toBe('nobody');
  });

  it('is said through long paths, too', async () => {
    const far = join(folder, 'x'.repeat(120));
    const lock = await lockFolder(far);
    expect(await lockHolder(far)).toMatchObject({ pid: process.pid });
    await lock.release();
  });
});
