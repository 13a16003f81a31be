/** Plans as files: written for those who decide, and carried out only as long as they are still true. */
import { readFile, writeFile } from 'node:fs/promises';
import type { PlanRequest } from '../../schemas/api.ts';
import type { ApiClient } from '../../schemas/io/api-client.ts';
import { type PlanFile, parsePlanFile, planFileFormat, planFileVersion } from '../../schemas/plan-file.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { PlanView } from '../../schemas/views.ts';
import type { Wanted } from './outcome.ts';
import { pushCommit, requireBranch, requireWorkingCopy, type WorkingCopy } from './working-copy.ts';

/** Where a plan is of. */
export interface PlannedFor {
  readonly cluster: string;
  readonly fingerprint: string;
}

/** FILE_UNWRITABLE; REFUSED for a working copy with changes that are not committed: nobody could push what was planned. */
export async function writePlan(
  file: string,
  planned: PlannedFor & {
    readonly request: PlanRequest;
    readonly plan: PlanView;
    readonly folder?: string | undefined;
  },
): Promise<void> {
  const { cluster, fingerprint, request, plan, folder } = planned;
  if (plan.token === undefined) throw refuse('the reconciler is too old to make a plan that can be carried out');
  const revision = request.asSource ? await committed(folder ?? '.') : undefined;
  const { token } = plan;
  const content: PlanFile = {
    format: planFileFormat,
    version: planFileVersion,
    cluster,
    fingerprint,
    made: Date.now(),
    ...(revision !== undefined && { revision }),
    request,
    plan: { ...plan, token },
  };
  await writeFile(file, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o600 }).catch((error: unknown) => {
    const why = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new ProblemError(problem('FILE_UNWRITABLE', `${file} cannot be written (${why})`), { cause: error });
  });
}

async function committed(folder: string): Promise<string> {
  const { simpleGit } = await import('simple-git');
  const git = simpleGit({ baseDir: folder, trimmed: true });
  const changes = await git.raw(['status', '--porcelain', '--', '.']).catch(() => {
    throw refuse(`${folder} is no working copy: nobody could push what was planned`);
  });
  if (changes.trim() !== '') {
    throw refuse(
      `${folder} has changes that are not committed: nobody could push what was planned`,
      'commit them first',
    );
  }
  return (await git.revparse(['HEAD'])).trim();
}

/** NOT_FOUND, PLAN_INVALID; REFUSED for a plan with errors, and for one that deploys nothing. */
export async function readPlan(file: string): Promise<PlanFile> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new ProblemError(problem('NOT_FOUND', `${file} cannot be read (${error.code ?? error.message})`));
  });
  const parsed = parsePlanFile(text, file);
  if (!parsed.ok) throw new ProblemError(parsed.problem);
  const { request, plan } = parsed.value;
  const errors = plan.problems.filter(({ severity }) => severity !== 'warning');
  if (errors.length > 0) throw new ProblemError([refuse('the plan has errors').problem, ...errors]);
  if (!request.documents?.length)
    throw refuse('the plan is of what the sources want already: nothing is to be deployed');
  return parsed.value;
}

/** REFUSED unless the cluster is the one of the plan, and would answer the same plan now: with what is different. */
export async function requireSame(
  api: Pick<ApiClient, 'status' | 'plan'>,
  file: PlanFile,
  signal: AbortSignal,
): Promise<void> {
  const { cluster, fingerprint } = await api.status(signal);
  if (fingerprint !== file.fingerprint)
    throw refuse(`the plan is of the cluster ${file.cluster}, and this is ${cluster}`);
  const now = await api.plan(file.request, signal);
  if (now.token === file.plan.token) return;
  const isCommit = now.token?.split('.')[0] !== file.plan.token.split('.')[0];
  const moved = isCommit ? 'the sources have other commits than' : 'the state is another than';
  const age = `${moved} when the plan was made (${new Date(file.made).toISOString()})`;
  throw refuse(`${age}: ${difference(file.plan, now)}`, 'plan again, and look at it again');
}

/** What only one of the plans says. */
function difference(then: PlanView, now: PlanView): string {
  const linesOf = ({ changes, holds }: PlanView): string[] => [
    ...changes.map(({ action, subject, node }) => `${action} ${subject}${node === undefined ? '' : ` on ${node}`}`),
    ...holds.map(({ code, subject }) => `held ${subject} (${code})`),
  ];
  const [before, after] = [linesOf(then), linesOf(now)];
  const gone = before.filter((line) => !after.includes(line)).map((line) => `no more: ${line}`);
  const come = after.filter((line) => !before.includes(line)).map((line) => `now: ${line}`);
  const all = [...gone, ...come];
  const more = all.length > 5 ? [`${all.length - 5} more`] : [];
  return [...all.slice(0, 5), ...more].join('; ') || 'what would be changed has changed';
}

/**
 * Pushes the commit that was planned. REFUSED when the working copy has another one by now, or the remote is ahead of it. Answers the
 * services that the plan changes, as the cluster wants them from then on.
 */
export async function pushPlanned(
  api: Pick<ApiClient, 'status' | 'sync' | 'services'>,
  { revision = '', request, plan }: PlanFile,
  repository: string | undefined,
  signal: AbortSignal,
): Promise<readonly Wanted[]> {
  const { sources } = await api.status(signal);
  const copy = await requireWorkingCopy([repository ?? process.cwd()], sources, signal);
  const { source = copy.source.name } = request;
  if (copy.source.name !== source)
    throw refuse(`${copy.root} is a working copy of ${copy.source.name}, and the plan is of ${source}`);
  await requireBranch(copy);
  await requireHead(copy, revision);
  await pushCommit(copy, revision);
  const { syncTo } = await import('./commit.ts');
  await syncTo(api, { source: copy.source.name, commit: revision, changed: true, files: [], wanted: [] }, signal);
  const views = await api.services([], signal);
  const isMeant = (name: string) => plan.changes.some(({ subject }) => subject.startsWith(`${name}.instance.`));
  return views.filter(({ name }) => isMeant(name)).map(({ name, digest }) => ({ name, digest }));
}

async function requireHead({ git, root }: WorkingCopy, revision: string): Promise<void> {
  const head = (await git.revparse(['HEAD'])).trim();
  if (head === revision) return;
  throw refuse(`${root} is at ${head.slice(0, 7)}, and the plan was made of ${revision.slice(0, 7)}`, 'plan again');
}

function refuse(message: string, hint?: string): ProblemError {
  return new ProblemError(problem('REFUSED', message, hint ? { hint } : {}));
}
