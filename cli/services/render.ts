/** What `oakctl render` is asked for: a folder as it lies there, or a commit of the repository that it is in. */
import { ProblemError, problem } from '../../schemas/problem.ts';

/** Where a commit of a working copy is read. */
export interface CommitPlace {
  /** The repository. */
  readonly repository: string;
  /** Full id. */
  readonly commit: string;
  /** Of the folder, in the repository. */
  readonly path: string;
}

/** NOT_FOUND for a folder in no repository, and for what names no commit. */
export async function findCommit(folder: string, ref: string, signal: AbortSignal): Promise<CommitPlace> {
  const { simpleGit } = await import('simple-git');
  const git = simpleGit({ baseDir: folder, abort: signal, trimmed: true });
  const root = await git.revparse(['--show-toplevel']).catch(() => {
    throw new ProblemError(problem('NOT_FOUND', `${folder} is in no git repository`, { hint: 'without `--ref`' }));
  });
  const commit = await git.revparse(['--verify', '--end-of-options', `${ref}^{commit}`]).catch(() => {
    throw new ProblemError(problem('NOT_FOUND', `${root} has no commit ${JSON.stringify(ref)}`));
  });
  const prefix = await git.revparse(['--show-prefix']);
  return { repository: root, commit: commit.trim().split('\n').at(-1) ?? '', path: prefix.replace(/\/$/, '') };
}
