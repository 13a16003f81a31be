/**
 * `scale`, `stop` and `start` with `--commit`: the number of instances in the descriptor, wherever the repository has it. `adopt` changes
 * it by the same steps.
 */
import type { DocumentText, VerbAnswer } from '../../schemas/api.ts';
import type { ApiClient } from '../../schemas/io/api-client.ts';
import { isProblemError, ProblemError, problem } from '../../schemas/problem.ts';
import { directSource } from '../../schemas/spec.ts';
import type { OverrideView, ServiceView } from '../../schemas/views.ts';
import { renumbered } from './adoption.ts';
import { syncTo } from './commit.ts';
import {
  type Asker,
  type CommitNote,
  commitChange,
  filesOf,
  inRepository,
  type Repository,
  requireClean,
  requireOwn,
} from './commit-edit.ts';
import { type Replicas, readReplicas, replicasIn, setReplicas } from './edit-service.ts';

/** What a change of a descriptor by commit asks the cluster. */
export type CommitApi = Pick<ApiClient, 'status' | 'service' | 'services' | 'sync' | 'overrides' | 'removeOverride'>;

export interface CommittedVerb extends VerbAnswer {
  readonly commit: CommitNote;
}

export interface CommittedScale extends CommittedVerb {
  /** Instances that others take the place of. */
  readonly renumbered: readonly string[];
}

/** So many instances. REFUSED for `replicas: every`, and for what was deployed directly. */
export async function commitScale(
  api: CommitApi,
  asked: { readonly service: string; readonly replicas: number },
  asker: Asker,
  signal: AbortSignal,
): Promise<CommittedScale> {
  const view = await ownedByGit(api, asked.service, signal);
  if (view.replicas === 'every') {
    const message = 'it has one instance on every node that matches: it has no number';
    throw new ProblemError(problem('REFUSED', message, { ...placeOf(view), subject: view.name }));
  }
  const write = async (): Promise<Wish> => ({
    replicas: asked.replicas,
    says: `Scale ${view.name} to ${asked.replicas}`,
  });
  const committed = await commitReplicas(api, { view, ends: 'scale', write }, asker, signal);
  return { ...committed, renumbered: committed.changed ? renumbered(view, asked.replicas) : [] };
}

/** No instance, until `start` writes the number that it had. */
export async function commitStop(
  api: CommitApi,
  service: string,
  asker: Asker,
  signal: AbortSignal,
): Promise<CommittedVerb> {
  const view = await ownedByGit(api, service, signal);
  const write = async (_: Repository, { now }: Found): Promise<Wish> => {
    return { replicas: 0, says: `Stop ${view.name} (replicas: ${now})` };
  };
  return commitReplicas(api, { view, ends: 'stop', write }, asker, signal);
}

/** As many instances as the history of its file had last. NOT_FOUND when it had none. */
export async function commitStart(
  api: CommitApi,
  service: string,
  asker: Asker,
  signal: AbortSignal,
): Promise<CommittedVerb> {
  const view = await ownedByGit(api, service, signal);
  const write = async (repository: Repository, { document, now }: Found): Promise<Wish> => {
    const replicas = now === 0 ? await replicasBefore(repository, document.file, view.name) : now;
    return { replicas, says: `Start ${view.name} (replicas: ${replicas})` };
  };
  return commitReplicas(api, { view, ends: 'stop', write }, asker, signal);
}

interface Found {
  readonly document: DocumentText;
  readonly now: Replicas;
}

interface Wish {
  readonly replicas: Replicas;
  readonly says: string;
}

interface Task {
  readonly view: ServiceView;
  /** Overrides of this kind say the same by other means: none outlives the commit. */
  readonly ends: OverrideView['kind'];
  readonly write: (repository: Repository, found: Found) => Promise<Wish>;
}

async function commitReplicas(
  api: CommitApi,
  { view, ends, write }: Task,
  asker: Asker,
  signal: AbortSignal,
): Promise<CommittedVerb> {
  const edit = async (repository: Repository, document: DocumentText): Promise<Rewritten> => {
    const now = readReplicas(document, view.name).replicas;
    const { replicas, says } = await write(repository, { document, now });
    return { ...setReplicas(document, view.name, replicas), says };
  };
  const isEnded = ({ subject, kind }: OverrideView): boolean => subject === view.name && kind === ends;
  return commitService(api, { view, ends: isEnded, edit }, asker, signal);
}

/** A descriptor as it is to be. */
export interface Rewritten {
  readonly text: string;
  /** Of what is changed, or says so already. */
  readonly line: number;
  /** First line of the message. */
  readonly says: string;
}

/** One change of the descriptor of a service. */
interface ServiceChange {
  readonly view: ServiceView;
  /** Overrides that say the same by other means: none outlives the commit. */
  readonly ends: (override: OverrideView) => boolean;
  /** Refuses a file before anything else is looked at. */
  readonly check?: (repository: Repository, document: DocumentText) => Promise<void>;
  readonly edit: (repository: Repository, document: DocumentText) => Promise<Rewritten>;
}

/**
 * Changes the file that says a service, commits, pushes, and answers once the cluster has accepted that; overrides that the commit did not
 * end by itself are ended then. REFUSED, NOT_FOUND.
 */
export async function commitService(
  api: CommitApi,
  change: ServiceChange,
  asker: Asker,
  signal: AbortSignal,
): Promise<CommittedVerb> {
  const { name, source, digest } = change.view;
  const status = await api.status(signal);
  const commit = await inRepository(status, { ...asker, owner: source }, signal, (repository) =>
    rewrite(repository, change, asker),
  );
  await syncTo(api, { ...commit, files: [commit.file], wanted: [{ name, digest }] }, signal);
  const ended = await endOverrides(api, change.ends, asker.actor, signal);
  const after = await api.service(name, signal);
  const instances = after.instances.map((instance) => instance.name);
  return { service: name, digest: after.digest, changed: commit.changed || ended, instances, commit };
}

async function rewrite(
  repository: Repository,
  { view, check, edit }: ServiceChange,
  asker: Asker,
): Promise<CommitNote> {
  const document = await fileOf(repository, view);
  const { file, text: before } = document;
  await check?.(repository, document);
  await requireClean(repository, file);
  requireOwn(repository, file, readReplicas(document, view.name).line);
  const { text, line, says } = await edit(repository, document);
  return commitChange(repository, { file, line, before, text, subject: says }, asker);
}

async function ownedByGit(api: CommitApi, service: string, signal: AbortSignal): Promise<ServiceView> {
  const view = await api.service(service, signal);
  if (view.source !== directSource) return view;
  const hint = `without --commit it changes for good; \`oakctl adopt ${view.name}\` hands it over to git`;
  throw new ProblemError(
    problem('OWNED_DIRECTLY', 'it was deployed directly: the repository does not say it', { subject: view.name, hint }),
  );
}

function placeOf({ file, line }: ServiceView): { readonly file?: string; readonly line?: number } {
  return { ...(file !== undefined && { file }), ...(line !== undefined && { line }) };
}

/** The file that says the service in the working copy, which may be ahead of what the cluster has accepted. */
async function fileOf(repository: Repository, { name, file }: ServiceView): Promise<DocumentText> {
  for await (const document of filesOf(repository, file)) {
    const replicas = replicasOf(document.text, name);
    // A file that is known to have it is taken also when it cannot be read: what is wrong with it is the answer.
    if (replicas !== undefined && replicas !== 'unreadable') return document;
    if (document.file === file && replicas === 'unreadable') return document;
  }
  const message = `no file of the working copy ${repository.copy.root} says it`;
  throw new ProblemError(
    problem('NOT_FOUND', message, { subject: name, hint: '`git pull`: the cluster may be ahead of it' }),
  );
}

/** Commits of the file that are looked at. */
const longestHistory = '200';

async function replicasBefore({ copy: { git } }: Repository, file: string, service: string): Promise<Replicas> {
  const commits = await git.raw(['log', '--format=%H', '-n', longestHistory, '--', file]);
  for (const commit of commits.split('\n').filter((line) => line !== '')) {
    const text = await git.raw(['show', `${commit}:${file}`]).catch(() => '');
    const replicas = replicasOf(text, service);
    if (replicas !== undefined && replicas !== 'unreadable' && replicas !== 0) return replicas;
  }
  const hint = `\`oakctl scale ${service} <n> --commit\``;
  throw new ProblemError(
    problem('NOT_FOUND', 'its history does not say how many instances it had', { file, subject: service, hint }),
  );
}

/** Undefined: the text does not say the service. */
function replicasOf(text: string, service: string): Replicas | 'unreadable' | undefined {
  try {
    return replicasIn(text, service);
  } catch {
    return 'unreadable';
  }
}

/** One that the commit itself ended is gone by now. */
async function endOverrides(
  api: CommitApi,
  isEnded: (override: OverrideView) => boolean,
  actor: string,
  signal: AbortSignal,
): Promise<boolean> {
  const left = (await api.overrides(signal)).filter(isEnded);
  for (const { id } of left) {
    await api.removeOverride(id, actor, signal).catch((error: unknown) => {
      if (!isProblemError(error) || error.problem.code !== 'NOT_FOUND') throw error;
    });
  }
  return left.length > 0;
}
