/** Where secrets of copies may lie in memory: an agent puts them there, and who ends its copies without it takes them away. */
import { rm } from 'node:fs/promises';
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

/** The machine of this node counts as switched off: its memory is empty. */
export async function forgetSecrets(node: string, env: Env): Promise<void> {
  if (!/^[a-z0-9]+$/.test(node)) return;
  for (const folder of secretFolders(env)) await rm(join(folder, node), { recursive: true, force: true });
}
