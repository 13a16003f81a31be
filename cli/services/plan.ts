/** What a plan is asked for. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { PlanRequest } from '../../schemas/api.ts';
import { isFolder, readDocuments, readFolder } from './documents.ts';

/**
 * Nothing named: what the sources want now. One folder that is a git working copy (or `asSource`): as if it were the head of the
 * cluster's source. All else: as if deployed directly.
 */
export async function planRequest(
  paths: readonly string[],
  asSource: boolean,
  stdin: AsyncIterable<Buffer | string>,
): Promise<PlanRequest> {
  const [first] = paths;
  if (first === undefined) return {};
  if (paths.length === 1 && first !== '-' && (await isFolder(first)) && (asSource || (await isWorkingCopy(first)))) {
    return { documents: await readFolder(first), asSource: true };
  }
  return { documents: await readDocuments(paths, stdin) };
}

async function isWorkingCopy(folder: string): Promise<boolean> {
  return stat(join(folder, '.git')).then(
    () => true,
    () => false,
  );
}
