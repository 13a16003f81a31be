/**
 * registries.yaml on disk. It holds passwords, so it counts only if nobody but its owner can read it, and its owner is root or the
 * user of this process. It is read anew at each use: whoever edits it restarts nothing.
 */
import { readFile } from 'node:fs/promises';
import { Document, parseDocument } from 'yaml';
import { registryFault, registryName } from '../image-name.ts';
import { type Problem, ProblemError, problem } from '../problem.ts';
import { type Login, noRegistries, parseRegistries, type Registries } from '../registries.ts';
import { readGuarded, secretFault } from './guarded-file.ts';
import { replaceSynced } from './twin-file.ts';

/** Its name in a folder. */
export const registriesFile = 'registries.yaml';

/** Longest file that is read, in bytes. */
const longest = 1024 * 1024;

/** What the file says, and what is wrong with it. Without a file nothing is known, and nothing is wrong; a faulty one says nothing. */
export async function readRegistries(file: string): Promise<{
  readonly registries: Registries;
  readonly problems: readonly Problem[];
}> {
  const found = await readGuarded(file, longest, (info) => secretFault(file, info));
  if (found === undefined) return { registries: noRegistries, problems: [] };
  if ('why' in found) {
    const { why, hint } = found;
    const refused = problem('REGISTRIES_INVALID', `${why}: nothing of it counts`, { file, ...(hint ? { hint } : {}) });
    return { registries: noRegistries, problems: [refused] };
  }
  const { registries, problems } = parseRegistries(found.text, file);
  return { registries: registries ?? noRegistries, problems };
}

/** Writes a login, or takes it away; all else in the file stays, comments too. True when something changed. */
export async function changeLogin(file: string, host: string, login: Login | undefined): Promise<boolean> {
  const fault = registryFault(host);
  if (fault)
    throw new ProblemError(problem('BAD_REQUEST', fault, { subject: host, hint: 'e.g. registry.example.org' }));
  const { problems } = await readRegistries(file);
  if (problems.length > 0) throw new ProblemError(problems);
  const before = await readIfThere(file);
  const document = before === undefined ? new Document({}) : parseDocument(before, { schema: 'core', version: '1.2' });
  const known = (document.toJS() as { registries?: Record<string, object> } | null)?.registries ?? {};
  const key = Object.keys(known).find((one) => registryName(one) === registryName(host)) ?? registryName(host);
  if (login) {
    document.setIn(['registries', key, 'username'], login.username);
    document.setIn(['registries', key, 'password'], login.password);
  } else {
    if (!Object.hasOwn(known[key] ?? {}, 'username')) return false;
    for (const field of ['username', 'password']) document.deleteIn(['registries', key, field]);
    if (Object.keys(known[key] ?? {}).length === 2) document.deleteIn(['registries', key]);
  }
  const after = document.toString({ lineWidth: 0 });
  if (after === before) return false;
  const { problems: wrong } = parseRegistries(after, file);
  if (wrong.length > 0) throw new ProblemError(wrong);
  await replaceSynced(file, after);
  return true;
}

function readIfThere(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}
