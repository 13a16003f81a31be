/**
 * Deploying by commit: the descriptor goes into the user's own working copy of the cluster's repository, or into a temporary clone
 * of it, is committed with the user's identity and pushed; then the cluster is asked to fetch, and the outcome is waited for as
 * for a direct deployment.
 */
import { dirname, resolve } from 'node:path';
import type { DocumentText } from '../../schemas/api.ts';
import { parseDescriptor } from '../../schemas/descriptor.ts';
import type { ApiClient } from '../../schemas/io/api-client.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { ClusterStatus, ServiceView } from '../../schemas/views.ts';
import { type CopyChoice, inRepository, type Repository } from './commit-edit.ts';
import type { Wanted } from './outcome.ts';
import { commitFiles, pushHead } from './working-copy.ts';
import { writeDocuments } from './write-documents.ts';

export interface Committed {
  readonly source: string;
  readonly commit: string;
  /** False when the repository already held exactly this. */
  readonly changed: boolean;
  /** Paths inside the repository. */
  readonly files: readonly string[];
  readonly wanted: readonly Wanted[];
  /** It went by a temporary clone. */
  readonly isCloned?: true;
}

export interface CommitOptions extends CopyChoice {
  readonly status: Pick<ClusterStatus, 'cluster' | 'sources'>;
  /** What runs already belongs to a source. */
  readonly services?: readonly Pick<ServiceView, 'name' | 'source'>[];
}

/** Writes, commits, pushes. Nothing is committed when a descriptor is invalid. REFUSED when the push is. */
export async function commitDocuments(
  documents: readonly DocumentText[],
  options: CommitOptions,
  signal: AbortSignal,
): Promise<Committed> {
  const wanted = documents.flatMap(readWanted);
  const holders = documents.filter(({ file }) => file !== 'stdin').map(({ file }) => dirname(resolve(file)));
  const folders = [...holders.slice(0, 1), process.cwd()];
  const names = [...new Set(wanted.map(({ name }) => name))].join(', ');
  const write = async (repository: Repository): Promise<Committed> => {
    const { copy } = repository;
    const files = await writeDocuments(documents, repository);
    const changed = await commitFiles(copy, files, `Deploy ${names}`);
    const commit = await pushHead(copy);
    const isCloned = copy.isTemporary && { isCloned: copy.isTemporary };
    return { source: copy.source.name, commit, changed, files, wanted, ...isCloned };
  };
  return inRepository(options.status, { ...options, owner: ownerOf(wanted, options), folders }, signal, write);
}

/** The git source that has the services already, where it is one. */
function ownerOf(wanted: readonly Wanted[], { status, services = [] }: CommitOptions): string | undefined {
  const isWanted = (name: string): boolean => wanted.some((one) => one.name === name);
  const isGit = (source: string): boolean => status.sources.some(({ name }) => name === source);
  const owners = new Set(
    services.filter(({ name, source }) => isWanted(name) && isGit(source)).map(({ source }) => source),
  );
  return owners.size === 1 ? [...owners][0] : undefined;
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
