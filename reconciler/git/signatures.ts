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

/** Those that are not signed, or by nobody of these; undefined where a part of the history is not there, or too long. */
export async function unsignedCommits(
  { name, mirror }: { readonly name: string; readonly mirror: Mirror },
  { signers, commit, since }: Asked,
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  await guarded(name, 'signers', signers);
  const commits = since === undefined ? [commit] : await between(mirror, since, commit, signal);
  const found: string[] = [];
  for (const one of commits ?? []) {
    if (found.length === mostTold) break;
    const args = ['-c', `gpg.ssh.allowedSignersFile=${signers}`, 'verify-commit', one];
    const { code } = await mirror.run(args, signal);
    // 0 only for a good signature by a key that the file names: an unknown key ends with 1.
    if (code !== 0) found.push(one);
  }
  return commits && found;
}

/** What is in the history of `commit` and not in that of `since`, with nothing missing in between. */
async function between(
  mirror: Mirror,
  since: string,
  commit: string,
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  const range = [`--max-count=${mostVerified + 1}`, commit, `^${since}`, '--'];
  const { code, stdout } = await mirror.run(['rev-list', ...range], signal);
  const listed = stdout.toString('latin1').split('\n').filter(Boolean);
  if (code !== 0 || listed.length > mostVerified) return undefined;
  const inRange = new Set(listed);
  // Where the mirror ends git sees no parents: what is behind would never be looked at.
  const parents = await mirror.parents(listed, signal);
  const beyond = new Set(listed.flatMap((one) => parents.get(one) ?? ['']).filter((one) => !inRange.has(one)));
  for (const one of beyond) if (one === '' || !(await mirror.has(one, signal))) return undefined;
  return listed;
}
