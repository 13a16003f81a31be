/**
 * registries.yaml on disk. It holds passwords, so it counts only if nobody but its owner can read it, and its owner is root or the
 * user of this process. It is read anew at each use: whoever edits it restarts nothing.
 */
import { constants } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { Document, parseDocument } from 'yaml';
import { registryFault, registryName } from '../image-name.ts';
import { type Problem, ProblemError, problem } from '../problem.ts';
import { type Login, noRegistries, parseRegistries, type Registries } from '../registries.ts';
import { replaceSynced } from './twin-file.ts';

/** Its name in a folder. */
export const registriesFile = 'registries.yaml';

/** Longest file that is read, in bytes. */
const longest = 1024 * 1024;
const byOthers = 0o077;

/** What the file says, and what is wrong with it. Without a file nothing is known, and nothing is wrong; a faulty one says nothing. */
export async function readRegistries(file: string): Promise<{
  readonly registries: Registries;
  readonly problems: readonly Problem[];
}> {
  const refused = (why: string, hint?: string) => ({
    registries: noRegistries,
    problems: [problem('REGISTRIES_INVALID', `${why}: nothing of it counts`, { file, ...(hint ? { hint } : {}) })],
  });
  try {
    // No link is followed, and what was judged is what is read.
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const info = await handle.stat();
      const { uid, mode, size } = info;
      if (!info.isFile()) return refused('it is no file');
      if (uid !== 0 && uid !== process.getuid?.()) return refused(`it belongs to user ${uid}`, `chown root ${file}`);
      if ((mode & byOthers) !== 0) {
        const shown = (mode & 0o777).toString(8).padStart(4, '0');
        return refused(`others than its owner may read or write it (mode ${shown})`, `chmod 600 ${file}`);
      }
      if (size > longest) return refused(`it is ${size} bytes long, at most ${longest} are read`);
      const { registries, problems } = parseRegistries(await handle.readFile('utf8'), file);
      return { registries: registries ?? noRegistries, problems };
    } finally {
      await handle.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return { registries: noRegistries, problems: [] };
    if (code === 'ELOOP') return refused('it is a link, and links are not followed');
    if (code === undefined) throw error;
    return refused(`it cannot be read (${code})`);
  }
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
