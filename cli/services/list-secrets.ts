/** `secret ls`: what secrets the repository has, who can read them, and who cannot yet. Nothing is decrypted. */
import { isProblemError, type Problem } from '../../schemas/problem.ts';
import { isOpen } from '../../schemas/secret-file.ts';
import { type Readers, readersOf } from '../../schemas/secret-readers.ts';
import { type CopyChoice, inRepository } from './commit-edit.ts';
import { readSecret } from './sealed-secret.ts';
import { isReader, type ReaderNode, readersAmong } from './secret-access.ts';
import { type ShelvedSecret, secretsNamed } from './secret-shelf.ts';
import type { SecretApi } from './write-secrets.ts';

export interface SecretRow {
  readonly name: string;
  /** From the root of the repository. */
  readonly file: string;
  /** Absent: the file cannot be read. */
  readonly version?: string;
  /** Of one that has several values. */
  readonly keys: readonly string[];
  /** Nodes that can read it, by name. */
  readonly nodes: readonly string[];
  /** Recipients that can read it, and are no nodes. */
  readonly others: readonly string[];
  /** Nodes that are to read it, and cannot. */
  readonly lack: readonly string[];
  /** For which nodes it is; absent: for all. */
  readonly readers?: Pick<Readers, 'nodes' | 'labels'>;
  readonly problem?: Problem;
}

/** These secrets, or all. NOT_FOUND, REFUSED. */
export async function listSecrets(
  api: Pick<SecretApi, 'status' | 'nodes'>,
  names: readonly string[],
  choice: CopyChoice,
  signal: AbortSignal,
): Promise<readonly SecretRow[]> {
  const [status, nodes] = await Promise.all([api.status(signal), api.nodes([], signal)]);
  return inRepository(status, { ...choice, purpose: 'look' }, signal, async (repository) =>
    (await secretsNamed(repository, names)).map((found) => rowOf(found, nodes)),
  );
}

function rowOf(found: ShelvedSecret, nodes: readonly ReaderNode[]): SecretRow {
  const { name, file } = found;
  try {
    const { version, leaves, keys } = readSecret(found);
    const present = Object.keys(keys);
    const readers = readersOf(leaves);
    const isNarrow = readers.nodes.length > 0 || readers.labels.length > 0;
    const paths = leaves.filter(([path]) => !isOpen(path)).map(([path]) => path.slice(name.length + 1, -1));
    return {
      name,
      file,
      version,
      keys: paths.filter((key) => key !== ''),
      ...readersAmong(present, nodes),
      lack: nodes
        .filter((node) => isReader(node, readers) && !present.includes(node.recipient ?? ''))
        .map((node) => node.name)
        .sort(),
      ...(isNarrow && { readers: { nodes: readers.nodes, labels: readers.labels } }),
    };
  } catch (error) {
    if (!isProblemError(error)) throw error;
    return { name, file, keys: [], nodes: [], others: [], lack: [], problem: error.problem };
  }
}
