/** `oakctl render`: a repository in, what one cluster reads of it out. No reconciler, no connection: the same reading as theirs. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DocumentText } from '../schemas/api.ts';
import type { ParsedService } from '../schemas/descriptor.ts';
import { sha256 } from '../schemas/digest.ts';
import { type Problem, ProblemError, problem } from '../schemas/problem.ts';
import { clustersIn, selectPaths } from '../schemas/selection.ts';
import { composeSnapshot, type ReadFile, readFile, type Where } from './core/snapshot.ts';
import { createGitRepository } from './git/repository.ts';
import { createGitSource } from './git/source.ts';
import { createReadings } from './readings.ts';

/** Which cluster; absent: the only one that has a folder. */
export interface RenderOptions {
  readonly cluster?: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface RenderedFiles {
  /** Absent: the repository is not divided. */
  readonly cluster?: string;
  /** Those that have a folder of their own, sorted. */
  readonly clusters: readonly string[];
  /** With the origin of each value, sorted by name. */
  readonly services: readonly ParsedService[];
  readonly problems: readonly Problem[];
}

const source = 'render';

/** What a cluster reads of the files of a folder, which have paths below it. USAGE when it is not said which cluster. */
export function renderDocuments(documents: readonly DocumentText[], options: RenderOptions): RenderedFiles {
  const entries = documents.map(({ file, text, files }) => {
    return { path: file, text, blob: sha256(text), mode: '100644', ...(files && { files }) };
  });
  const clusters = clustersBelow(entries, '');
  const where = whereOf(clusters, '', options);
  const now = selectPaths(entries, where).map((file) => {
    return { path: file.path, blob: file.blob, reading: readFile(file, where) };
  });
  return rendered('working copy', now, clusters, where);
}

/**
 * What a cluster reads of a commit: `repository` is a folder or a URL, `path` the folder in it. Its files are never checked out. As
 * {@link renderDocuments}; SOURCE_*.
 */
export async function renderCommit(
  from: { readonly repository: string; readonly commit: string; readonly path: string },
  options: RenderOptions,
  signal: AbortSignal,
): Promise<RenderedFiles> {
  const folder = await mkdtemp(join(tmpdir(), 'oakctl-render-'));
  try {
    const repository = createGitRepository({ name: source, url: from.repository, folder });
    const git = createGitSource({ name: source, branch: from.commit, repository });
    const commit = await git.head(signal);
    await git.fetch(commit, signal);
    const tree = await git.tree(commit, from.path, signal);
    const clusters = clustersBelow(tree, from.path);
    const where = whereOf(clusters, from.path, options);
    const files = selectPaths(tree, where).map(({ path, blob, mode }) => ({ key: path, path, blob, mode }));
    const now = await createReadings().read({ name: source, git }, where, files, tree, signal);
    return rendered(commit, now, clusters, where);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function clustersBelow(entries: readonly { readonly path: string }[], path: string): readonly string[] {
  const below = path === '' ? 0 : path.length + 1;
  return clustersIn(entries.map((entry) => entry.path.slice(below)));
}

/** With an empty name for a repository that is not divided. */
function whereOf(known: readonly string[], path: string, { cluster, labels }: RenderOptions): Where {
  const [only = '', another] = known;
  if (cluster === undefined && another !== undefined) {
    const hint = `--cluster ${known.slice(0, 5).join(', or --cluster ')}`;
    throw new ProblemError(problem('USAGE', 'the repository is for several clusters', { hint }));
  }
  return { cluster: cluster ?? only, path, labels, origins: true };
}

function rendered(
  commit: string,
  now: readonly ReadFile[],
  clusters: readonly string[],
  { cluster }: Where,
): RenderedFiles {
  const { services, problems } = composeSnapshot({ source, commit, previous: undefined, now, before: [] });
  const sorted = [...services.values()].sort((a, b) => (a.spec.name < b.spec.name ? -1 : 1));
  return { services: sorted, problems, clusters, ...(cluster !== '' && { cluster }) };
}
