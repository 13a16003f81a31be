/** What a plan is asked for. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { PlanRequest } from '../../schemas/api.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { SourceView } from '../../schemas/views.ts';
import { isFolder, readDocuments, readFolder } from './documents.ts';
import { findWorkingCopy } from './working-copy.ts';

/**
 * Nothing named: what the sources want now. One folder that is a git working copy (or `asSource`, or with a `source`): as if it were
 * the head of a source of the cluster. All else: as if deployed directly. BAD_REQUEST for a `source` without one folder.
 */
export async function planRequest(
  paths: readonly string[],
  flags: { readonly asSource?: boolean; readonly source?: string | undefined },
  stdin: AsyncIterable<Buffer | string>,
): Promise<PlanRequest> {
  const [first] = paths;
  const { source, asSource = false } = flags;
  const isOneFolder = paths.length === 1 && first !== undefined && first !== '-' && (await isFolder(first));
  if (isOneFolder && (asSource || source !== undefined || (await isWorkingCopy(first)))) {
    return { documents: await readFolder(first), asSource: true, ...(source !== undefined && { source }) };
  }
  if (source !== undefined) {
    const hint = `oakctl plan . --source ${source}`;
    throw new ProblemError(problem('BAD_REQUEST', '--source is for one folder that stands for it', { hint }));
  }
  return first === undefined ? {} : { documents: await readDocuments(paths, stdin) };
}

/** The request with the source whose remote the working copy has, where several may be meant and none is named. */
export async function withSource(
  request: PlanRequest,
  folder: string,
  sources: readonly SourceView[],
  signal: AbortSignal,
): Promise<PlanRequest> {
  if (!request.asSource || request.source !== undefined || sources.length < 2) return request;
  const copy = await findWorkingCopy([folder], sources, signal);
  return copy ? { ...request, source: copy.source.name } : request;
}

async function isWorkingCopy(folder: string): Promise<boolean> {
  return stat(join(folder, '.git')).then(
    () => true,
    () => false,
  );
}
