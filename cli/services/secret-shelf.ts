/** Where the secrets of a cluster lie in a working copy of its repository. */
import type { Stats } from 'node:fs';
import { lstat, readdir, readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { type Problem, ProblemError, problem } from '../../schemas/problem.ts';
import { maxSecretBytes, secretFolder, secretPaths } from '../../schemas/secret-file.ts';
import { secretNamePattern } from '../../schemas/secret-names.ts';
import { isOwn, type Repository, rootsOf } from './commit-edit.ts';
import type { SecretText } from './sealed-secret.ts';

/** A secret that is there. */
export interface ShelvedSecret extends SecretText {
  /** Other clusters read it, too: who is not known here may be a node of theirs. */
  readonly isShared: boolean;
}

/** All of them, by name; of two of one name the one that the cluster reads. */
async function listShelf(repository: Repository): Promise<readonly ShelvedSecret[]> {
  const names = new Set<string>();
  for (const path of pathsOf(repository, 'any')) {
    const entries = await readdir(join(repository.copy.root, posix.dirname(path))).catch(() => []);
    for (const entry of entries) {
      const name = /^(.+)\.yaml$/.exec(entry)?.[1] ?? '';
      if (isName(name)) names.add(name);
    }
  }
  const found: ShelvedSecret[] = [];
  for (const name of [...names].sort()) {
    const secret = await findSecret(repository, name);
    if (secret) found.push(secret);
  }
  return found;
}

/** These, or all. NOT_FOUND for one that is not there. */
export async function secretsNamed(
  repository: Repository,
  names: readonly string[],
): Promise<readonly ShelvedSecret[]> {
  if (names.length === 0) return listShelf(repository);
  const found: ShelvedSecret[] = [];
  for (const name of [...new Set(names)].sort()) found.push(await requireSecret(repository, name));
  return found;
}

/** NOT_FOUND when it is not there. */
export async function requireSecret(repository: Repository, name: string): Promise<ShelvedSecret> {
  const found = await findSecret(repository, name);
  if (found) return found;
  const message = `the repository has no secret ${name} (${placeOfNew(repository, name)})`;
  throw new ProblemError(problem('NOT_FOUND', message, { hint: `\`oakctl secret set ${name}\`, or \`git pull\`` }));
}

/** NAME_INVALID for what is no name of a secret. A link, and what is longer than a secret can be, is not read: it has a fault. */
export async function findSecret(repository: Repository, name: string): Promise<ShelvedSecret | undefined> {
  requireName(name);
  const { root } = repository.copy;
  for (const file of pathsOf(repository, name)) {
    const info = await lstat(join(root, file)).catch(() => undefined);
    if (!info) continue;
    const isShared = !isOwn(repository, file);
    const fault = faultOf(info, file, name);
    if (fault) return { name, file, text: '', isShared, fault };
    return { name, file, text: await readFile(join(root, file), 'utf8'), isShared };
  }
  return undefined;
}

function faultOf(info: Stats, file: string, name: string): Problem | undefined {
  if (!info.isFile()) return problem('REFUSED', 'it is no plain file', { file, subject: name });
  if (info.size <= maxSecretBytes) return undefined;
  const message = `it has ${info.size} bytes, at most ${maxSecretBytes} are read`;
  return problem('REFUSED', message, { file, subject: name });
}

/** Where one goes that is not there yet. */
export function placeOfNew(repository: Repository, name: string): string {
  return posix.join(rootsOf(repository)[0] ?? '', secretFolder, `${name}.yaml`);
}

/** In the order in which the cluster looks for it. */
function pathsOf({ copy: { source }, cluster }: Repository, name: string): readonly string[] {
  return secretPaths(name, cluster).map((path) => posix.join(source.path, path));
}

function isName(name: string): boolean {
  // A key of that end would stand in the open.
  return secretNamePattern.test(name) && !name.endsWith('_unencrypted');
}

function requireName(name: string): void {
  if (isName(name)) return;
  const hint = 'small letters, digits, - and _, at most 63, starting and ending with a letter or digit';
  throw new ProblemError(problem('NAME_INVALID', `\`${name}\` is no name for a secret`, { hint }));
}
