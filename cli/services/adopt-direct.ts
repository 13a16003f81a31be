/**
 * `adopt` of what was deployed directly: the repository is made to say what runs, and a human hands it over. Where a file says the service
 * already, its number of instances is set; else a descriptor is written.
 */
import { readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import type { ApiClient } from '../../schemas/io/api-client.ts';
import { parseServiceName } from '../../schemas/names.ts';
import { isProblemError, ProblemError, problem } from '../../schemas/problem.ts';
import type { ServiceSpec } from '../../schemas/spec.ts';
import type { ServiceView } from '../../schemas/views.ts';
import { syncTo } from './commit.ts';
import {
  type Asker,
  type Change,
  type CommitNote,
  commitChange,
  filesOf,
  inRepository,
  type Repository,
  requireClean,
  requireOwn,
  rootsOf,
} from './commit-edit.ts';
import { type Replicas, readReplicas, replicasIn, setReplicas } from './edit-service.ts';
import { shortDescriptor } from './short-descriptor.ts';

export type DirectApi = Pick<ApiClient, 'status' | 'snapshot' | 'sync' | 'services'>;

/**
 * Commits what it is now. The hand-over from there is for a human to approve: OWNED_DIRECTLY says what it would change, and how. Also where
 * the file cannot be written for them. REFUSED.
 */
export async function adoptDirect(
  api: DirectApi,
  view: ServiceView,
  asker: Asker,
  signal: AbortSignal,
): Promise<CommitNote> {
  const spec = await specOf(api, view, signal);
  const status = await api.status(signal);
  const note = await inRepository(status, asker, signal, async (repository) => {
    const change = (await changeOfFile(repository, spec)) ?? (await newFile(repository, spec));
    return commitChange(repository, { ...change, subject: `Adopt ${spec.name}, deployed directly so far` }, asker);
  });
  try {
    await syncTo(api, { ...note, files: [note.file], wanted: [{ name: view.name, digest: view.digest }] }, signal);
    return note;
  } catch (error) {
    if (!isProblemError(error) || error.problem.code !== 'OWNED_DIRECTLY') throw error;
    const { message, hint } = error.problem;
    const said = `${note.file} says it since ${note.commit.slice(0, 7)}, and git has it once that is approved; ${message}`;
    throw new ProblemError(problem('OWNED_DIRECTLY', said, { ...(hint && { hint }) }), { cause: error });
  }
}

/** What it is now: as many instances as it has, none while it is stopped. */
async function specOf(api: DirectApi, view: ServiceView, signal: AbortSignal): Promise<ServiceSpec> {
  const { world } = (await api.snapshot(signal)) as { readonly world?: World };
  const desired = world?.desired[view.name];
  if (!desired || desired.spec.digest !== view.digest) throw unwritable(view.name);
  const isStopped = view.overrides.some(({ kind }) => kind === 'stop');
  const { replicas } = desired.spec;
  return { ...desired.spec, replicas: replicas === 'every' ? replicas : isStopped ? 0 : desired.slots.length };
}

/** The part of a snapshot that is read. */
interface World {
  readonly desired: Readonly<Record<string, { readonly spec: ServiceSpec; readonly slots: readonly number[] }>>;
}

function unwritable(subject: string): ProblemError {
  const hint =
    'put the file that it was deployed from into the repository: `oakctl deploy --commit <file>`, then `oakctl approve`';
  const message = 'it was deployed directly, and what it needs does not stand in its descriptor alone';
  return new ProblemError(problem('OWNED_DIRECTLY', message, { subject, hint }));
}

/** Undefined: no file says it. */
async function changeOfFile(repository: Repository, { name, replicas }: ServiceSpec): Promise<Change | undefined> {
  for await (const document of filesOf(repository)) {
    if (saidIn(document.text, name) === undefined) continue;
    const { file, text: before } = document;
    await requireClean(repository, file);
    const { line, replicas: now } = readReplicas(document, name);
    if (now === replicas) return { file, line, before, text: before };
    requireOwn(repository, file, line);
    return { file, before, ...setReplicas(document, name, replicas) };
  }
  return undefined;
}

/** Undefined also where nobody can read it: then it says nothing that is sure. */
function saidIn(text: string, service: string): Replicas | undefined {
  try {
    return replicasIn(text, service);
  } catch {
    return undefined;
  }
}

async function newFile(repository: Repository, spec: ServiceSpec): Promise<Change> {
  const text = shortDescriptor(spec, `${spec.name}, as it was deployed directly`);
  if (text === undefined) throw unwritable(spec.name);
  const file = posix.join(rootsOf(repository)[0] ?? '', fileName(spec.name));
  const before = await readFile(join(repository.copy.root, file), 'utf8').catch(() => undefined);
  if (before === undefined) return { file, line: 1, text };
  const hint = 'give that one another name, commit and push, then again';
  const message = 'the repository has a file of that name, about something else';
  throw new ProblemError(problem('REFUSED', message, { file, subject: spec.name, hint }));
}

/** `shop-web.yaml`; namespaces only where they are not `default`. */
function fileName(service: string): string {
  const parts = parseServiceName(service);
  const names = parts ? [parts.app, parts.appNamespace, parts.service, parts.serviceNamespace] : [service];
  return `${names.filter((name, at) => at % 2 === 0 || name !== 'default').join('-')}.yaml`;
}
