/** `scale`, `stop` and `start` with `--commit`: the number of instances in the descriptor, wherever the repository has it. */
import type { DocumentText, VerbAnswer } from '../../schemas/api.ts';
import type { ApiClient } from '../../schemas/io/api-client.ts';
import { isProblemError, ProblemError, problem } from '../../schemas/problem.ts';
import { directSource } from '../../schemas/spec.ts';
import type { OverrideView, ServiceView } from '../../schemas/views.ts';
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

type Api = Pick<ApiClient, 'status' | 'service' | 'services' | 'sync' | 'overrides' | 'removeOverride'>;

export interface CommittedVerb extends VerbAnswer {
  readonly commit: CommitNote;
}

/** So many instances. REFUSED for `replicas: every`, and for what was deployed directly. */
export async function commitScale(
  api: Api,
  asked: { readonly service: string; readonly replicas: number },
  asker: Asker,
  signal: AbortSignal,
): Promise<CommittedVerb> {
  const view = await ownedByGit(api, asked.service, signal);
  if (view.replicas === 'every') {
    const message = 'it has one instance on every node that matches: it has no number';
    throw new ProblemError(problem('REFUSED', message, { ...placeOf(view), subject: view.name }));
  }
  const write = async (): Promise<Wish> => ({
    replicas: asked.replicas,
    says: `Scale ${view.name} to ${asked.replicas}`,
  });
  return commitReplicas(api, { view, ends: 'scale', write }, asker, signal);
}

/** No instance, until `start` writes the number that it had. */
export async function commitStop(api: Api, service: string, asker: Asker, signal: AbortSignal): Promise<CommittedVerb> {
  const view = await ownedByGit(api, service, signal);
  const write = async (_: Repository, { now }: Found): Promise<Wish> => {
    return { replicas: 0, says: `Stop ${view.name} (replicas: ${now})` };
  };
  return commitReplicas(api, { view, ends: 'stop', write }, asker, signal);
}

/** As many instances as the history of its file had last. NOT_FOUND when it had none. */
export async function commitStart(
  api: Api,
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

async function commitReplicas(api: Api, task: Task, asker: Asker, signal: AbortSignal): Promise<CommittedVerb> {
  const { name, source, digest } = task.view;
  const status = await api.status(signal);
  const commit = await inRepository(status, { ...asker, owner: source }, signal, (repository) =>
    writeReplicas(repository, task, asker),
  );
  await syncTo(api, { ...commit, files: [commit.file], wanted: [{ name, digest }] }, signal);
  const ended = await endOverrides(api, name, task.ends, asker.actor, signal);
  const after = await api.service(name, signal);
  const instances = after.instances.map((instance) => instance.name);
  return { service: name, digest: after.digest, changed: commit.changed || ended, instances, commit };
}

async function writeReplicas(repository: Repository, task: Task, asker: Asker): Promise<CommitNote> {
  const { name } = task.view;
  const document = await fileOf(repository, task.view);
  await requireClean(repository, document.file);
  const now = readReplicas(document, name);
  requireOwn(repository, document.file, now.line);
  const { replicas, says } = await task.write(repository, { document, now: now.replicas });
  const edited = setReplicas(document, name, replicas);
  const { file, text } = document;
  const change = { file, line: edited.line, before: text, text: edited.text, subject: says };
  return commitChange(repository, change, asker);
}

async function ownedByGit(api: Api, service: string, signal: AbortSignal): Promise<ServiceView> {
  const view = await api.service(service, signal);
  if (view.source !== directSource) return view;
  const hint = `without --commit it changes for good; \`oakctl deploy --commit <file>\` hands it over to git`;
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
  api: Api,
  service: string,
  kind: OverrideView['kind'],
  actor: string,
  signal: AbortSignal,
): Promise<boolean> {
  const left = (await api.overrides(signal)).filter((one) => one.subject === service && one.kind === kind);
  for (const { id } of left) {
    await api.removeOverride(id, actor, signal).catch((error: unknown) => {
      if (!isProblemError(error) || error.problem.code !== 'NOT_FOUND') throw error;
    });
  }
  return left.length > 0;
}
