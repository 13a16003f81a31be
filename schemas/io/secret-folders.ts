/**
 * Where secrets may lie in memory: an agent puts those of copies there, and who ends its copies without it takes them away; an
 * operator has them there while they are edited.
 */
import { lstat, mkdir, realpath, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';

type Env = Readonly<Record<string, string | undefined>>;

/** The best first. In a container only the first: the engine outside sees no other. */
export function secretFolders(env: Env): readonly string[] {
  const first = '/run/oakctl-secrets';
  // Set in the image.
  if (env['OAKCTL_CONTAINER'] !== undefined) return [first];
  const own = env['XDG_RUNTIME_DIR'];
  return [first, ...(own?.startsWith('/') ? [join(own, 'oakctl-secrets')] : []), '/dev/shm/oakctl-secrets'];
}

/** Types of file system that live in memory: tmpfs and ramfs. */
const inMemory: ReadonlySet<number> = new Set([0x01021994, 0x858458f6]);

/** A folder of this name in the first of these that is in memory and ours alone; what is missing is made. Else why none is. */
export async function folderInMemory(
  folders: readonly string[],
  name: string,
): Promise<{ readonly folder: string } | { readonly why: string }> {
  const why: string[] = [];
  for (const folder of folders) {
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const { type } = await statfs(folder);
      const fault = inMemory.has(type) ? await strangeFault(folder) : 'is on a disk';
      if (fault === undefined) {
        await mkdir(join(folder, name), { recursive: true, mode: 0o700 });
        return { folder: await realpath(join(folder, name)) };
      }
      why.push(`${folder} ${fault}`);
    } catch (error) {
      why.push(`${folder}: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`);
    }
  }
  return { why: why.join('; ') };
}

/** Everybody may make a folder in /dev/shm, and who owns one may change what is below it. */
async function strangeFault(folder: string): Promise<string | undefined> {
  const found = await lstat(folder);
  if (found.isSymbolicLink()) return 'is a link';
  if (found.uid !== 0 && found.uid !== process.getuid?.()) return `belongs to user ${found.uid}`;
  return (found.mode & 0o022) === 0 ? undefined : 'may be written by others';
}

/** The machine of this node counts as switched off: its memory is empty. */
export async function forgetSecrets(node: string, env: Env): Promise<void> {
  if (!/^[a-z0-9]+$/.test(node)) return;
  for (const folder of secretFolders(env)) await rm(join(folder, node), { recursive: true, force: true });
}
