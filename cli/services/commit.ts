/**
 * Deploying by commit: the descriptor goes into the user's own working copy of the cluster's repository, is committed with the
 * user's identity and pushed; then the cluster is asked to fetch, and the outcome is waited for as for a direct deployment.
 */
import { mkdir, realpath, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import type { DocumentText } from '../../schemas/api.ts';
import { parseDescriptor } from '../../schemas/descriptor.ts';
import { referencedPath } from '../../schemas/descriptor-files.ts';
import type { ApiClient } from '../../schemas/io/api-client.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { ServiceView, SourceView } from '../../schemas/views.ts';
import type { Wanted } from './outcome.ts';
import { commitFiles, findWorkingCopy, pushHead, requireBranch } from './working-copy.ts';

export interface Committed {
  readonly source: string;
  readonly commit: string;
  /** False when the repository already held exactly this. */
  readonly changed: boolean;
  /** Paths inside the repository. */
  readonly files: readonly string[];
  readonly wanted: readonly Wanted[];
}

export interface CommitOptions {
  /** The working copy; default: the one that holds the first file, else the one of this folder. */
  readonly repository?: string;
  readonly sources: readonly SourceView[];
}

/** Writes, commits, pushes. Nothing is committed when a descriptor is invalid. REFUSED when the push is. */
export async function commitDocuments(
  documents: readonly DocumentText[],
  options: CommitOptions,
  signal: AbortSignal,
): Promise<Committed> {
  const wanted = documents.flatMap(readWanted);
  const holders = documents.filter(({ file }) => file !== 'stdin').map(({ file }) => dirname(resolve(file)));
  const folders = options.repository === undefined ? [...holders.slice(0, 1), process.cwd()] : [options.repository];
  const copy = await findWorkingCopy(folders, options.sources, signal);
  await requireBranch(copy);
  const { root, source } = copy;
  const files = await writeDocuments(documents, root, source.path);
  const names = [...new Set(wanted.map(({ name }) => name))].join(', ');
  const changed = await commitFiles(copy, files, `Deploy ${names}`);
  return { source: source.name, commit: await pushHead(copy), changed, files, wanted };
}

/**
 * Asks the cluster to fetch, and answers what it wants of the committed services from then on: its policy may have changed what
 * their digests are. REFUSED when the source does not accept the commit (or one after it), or another source has the name.
 */
export async function syncTo(
  api: Pick<ApiClient, 'sync' | 'services'>,
  committed: Committed,
  signal: AbortSignal,
): Promise<readonly Wanted[]> {
  const { sources } = await api.sync(signal);
  const source = sources.find(({ name }) => name === committed.source);
  if (source && (source.accepted === committed.commit || source.state === 'synced')) {
    const views = await api.services([], signal);
    return committed.wanted.map((wanted) => wantedOf(wanted, views, committed.source));
  }
  const problems = source?.problems.filter(({ severity }) => severity !== 'warning') ?? [];
  const message = `the cluster does not accept commit ${committed.commit.slice(0, 7)} (${source?.state ?? 'source unknown'})`;
  throw new ProblemError([problem('REFUSED', message, { hint: '`oakctl status` says why' }), ...problems]);
}

function wantedOf(wanted: Wanted, views: readonly ServiceView[], source: string): Wanted {
  const view = views.find(({ name }) => name === wanted.name);
  if (!view) return wanted;
  if (view.source === source) return { name: view.name, digest: view.digest };
  const hold = view.holds.find(({ code }) => code === 'SOURCE_CONFLICT');
  const hint = hold?.hint ?? (hold?.id ? `\`oakctl approve ${hold.id}\` hands it over` : '`oakctl status` says more');
  const message = `${view.name} belongs to the source ${view.source}: ${hold?.message ?? 'the commit does not change it'}`;
  throw new ProblemError(problem('OWNED_DIRECTLY', message, { hint }));
}

function readWanted(document: DocumentText): readonly Wanted[] {
  const { file, text, files } = document;
  const { services, problems } = parseDescriptor(text, file, files ? { files } : {});
  const errors = problems.filter(({ severity }) => severity !== 'warning');
  if (errors.length > 0) throw new ProblemError(errors);
  return services.map(({ spec }) => ({ name: spec.name, digest: spec.digest }));
}

/**
 * A file that lies in the working copy stays where it is; others go, by their name, to the folder that the cluster reads. What they
 * take in goes with them.
 */
async function writeDocuments(documents: readonly DocumentText[], root: string, path: string): Promise<string[]> {
  const files: string[] = [];
  const put = async (target: string, text: string): Promise<void> => {
    await mkdir(dirname(join(root, target)), { recursive: true });
    await writeFile(join(root, target), text);
  };
  for (const document of documents) {
    const { file, text, files: taken = {} } = document;
    const inside = relative(await realpath(root), await realpath(file).catch(() => resolve('/', file)));
    const isInside = file !== 'stdin' && !inside.startsWith('..');
    const target = isInside ? inside : join(path, file === 'stdin' ? stdinName(document) : basename(file));
    if (!isInside) await put(target, text);
    files.push(target);
    for (const [from, content] of Object.entries(taken)) {
      const place = referencedPath(from, target);
      if (!isInside) await put(place, content);
      files.push(place);
    }
  }
  return files;
}

/** What came from standard input is called after its first application. */
function stdinName({ text, files = {} }: DocumentText): string {
  const app = parseDescriptor(text, 'stdin', { files }).services[0]?.spec.name.split('.')[0];
  return `${app ?? 'application'}.yaml`;
}
