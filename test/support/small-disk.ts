/** A file system of a few megabytes that a test can fill: a loop mount, or a bounded tmpfs where there are no loop devices. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const path = ['/usr/local/sbin', '/usr/sbin', '/sbin', process.env['PATH'] ?? ''].join(':');
const command = (name: string, ...args: string[]) => run(name, args, { env: { ...process.env, PATH: path } });

export interface SmallDisk {
  readonly kind: 'ext4' | 'tmpfs';
  /** Where it is mounted. */
  readonly folder: string;
  /** Takes all that is left. What others free meanwhile is taken by the next call. */
  fill(): Promise<void>;
  /** Gives it back. */
  free(): Promise<void>;
  unmount(): Promise<void>;
}

/** undefined where this user, or this machine, may not mount. */
export async function mountSmallDisk(megabytes: number): Promise<SmallDisk | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const base = await mkdtemp(join(tmpdir(), 'oakctl-disk-'));
  const folder = join(base, 'mounted');
  await mkdir(folder);
  const kind = (await mountLoop(join(base, 'image'), folder, megabytes)) ?? (await mountTmpfs(folder, megabytes));
  if (kind) return describeDisk(kind, base, folder);
  await rm(base, { recursive: true });
  return undefined;
}

async function mountLoop(image: string, folder: string, megabytes: number): Promise<'ext4' | undefined> {
  try {
    const file = await open(image, 'w');
    await file.truncate(megabytes * 1024 * 1024);
    await file.close();
    await command('mkfs.ext4', '-q', '-F', '-m', '0', image);
    await command('mount', '-o', 'loop', image, folder);
    return 'ext4';
  } catch {
    return undefined;
  }
}

async function mountTmpfs(folder: string, megabytes: number): Promise<'tmpfs' | undefined> {
  const mounted = command('mount', '-t', 'tmpfs', '-o', `size=${megabytes}m,mode=700`, 'tmpfs', folder);
  return mounted.then(
    () => 'tmpfs',
    () => undefined,
  );
}

function describeDisk(kind: SmallDisk['kind'], base: string, folder: string): SmallDisk {
  const ballast = join(folder, 'ballast');
  return {
    kind,
    folder,
    async fill() {
      const file = await open(ballast, 'a');
      try {
        for (const size of [1 << 20, 1 << 12, 1]) await appendUntilFull(file, Buffer.alloc(size, 1));
      } finally {
        await file.close();
      }
    },
    free: () => rm(ballast, { force: true }),
    async unmount() {
      await command('umount', folder).catch(() => command('umount', '-l', folder));
      await rm(base, { recursive: true, force: true });
    },
  };
}

async function appendUntilFull(file: Awaited<ReturnType<typeof open>>, chunk: Buffer): Promise<void> {
  try {
    for (;;) {
      await file.write(chunk);
      if (chunk.length > 1) await file.sync();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}
