/** Which node a folder belongs to, for whoever takes it down. */
import { join } from 'node:path';
import { createDurableFiles } from '../schemas/io/durable-files.ts';
import { loadIdentity } from './identity.ts';
import { loadRegistration } from './registration.ts';

export interface KnownNode {
  readonly id: string;
  readonly name: string;
  readonly cluster: string;
  /** Marks what is its own in an engine. */
  readonly realm: string;
}

/** undefined: nobody has joined from there. FILE_DAMAGED. */
export async function knownNode(folder: string): Promise<KnownNode | undefined> {
  const files = createDurableFiles({ folder: join(folder, 'state') });
  const identity = await loadIdentity(files);
  const found = identity ? { ...identity, realm: identity.fingerprint } : await loadRegistration(files);
  return found && { id: found.id, name: found.name, cluster: found.cluster, realm: found.realm };
}
