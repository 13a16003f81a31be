/** Whether commits are signed, by ssh keys of a file: verified by git with nothing but that file. */
import { guarded } from './access.ts';
import type { Mirror } from './mirror.ts';

export interface Asked {
  /** A file of allowed signers. */
  readonly signers: string;
  readonly commit: string;
  /** With it all commits that lead from there to `commit`, else that one alone. */
  readonly since: string | undefined;
}

/** More commits at once are not verified: each costs a process. */
const mostVerified = 256;
/** Enough to say what is wrong. */
const mostTold = 3;

/**
 * Those that are not signed, or by nobody of these; undefined where a part of the history is not there, or too long. `deepened` looks
 * again with more of the history, as long as there is more.
 */
export async function unsignedCommits(
  { name, mirror }: { readonly name: string; readonly mirror: Mirror },
  { signers, commit, since }: Asked,
  deepened: (look: () => Promise<Between>) => Promise<Between>,
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  await guarded(name, 'signers', signers);
  const commits = since === undefined ? [commit] : await deepened(() => between(mirror, since, commit, signal));
  if (typeof commits === 'string') return undefined;
  const found: string[] = [];
  for (const one of commits) {
    if (found.length === mostTold) break;
    const args = ['-c', `gpg.ssh.allowedSignersFile=${signers}`, 'verify-commit', one];
    const { code } = await mirror.run(args, signal);
    // 0 only for a good signature by a key that the file names: an unknown key ends with 1.
    if (code !== 0) found.push(one);
  }
  return found;
}

/** `missing`: the mirror does not have all that leads from one to the other. */
export type Between = readonly string[] | 'missing' | 'endless';

/** What is in the history of `commit` and not in that of `since`, with nothing left out. */
async function between(mirror: Mirror, since: string, commit: string, signal: AbortSignal): Promise<Between> {
  const list = async (most: number, from: readonly string[]): Promise<readonly string[] | 'missing'> => {
    const { code, stdout } = await mirror.run(['rev-list', `--max-count=${most}`, ...from, `^${since}`, '--'], signal);
    return code === 0 ? stdout.toString('latin1').split('\n').filter(Boolean) : 'missing';
  };
  const listed = await list(mostVerified + 1, [commit]);
  if (listed === 'missing') return listed;
  if (listed.length > mostVerified) return 'endless';
  const parents = await mirror.parents(listed, signal);
  if (listed.some((one) => !parents.has(one))) return 'missing';
  // Where the mirror ends git sees no parents: what lies behind would never be looked at, were it there or not.
  const beyond = new Set(listed.flatMap((one) => parents.get(one) ?? []));
  for (const one of [...listed, since]) beyond.delete(one);
  if (beyond.size === 0) return listed;
  const strangers = await list(1, [...beyond]);
  return strangers.length === 0 ? listed : 'missing';
}
