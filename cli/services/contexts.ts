/** The clusters that this user talks to: rows of the contexts file, and clusters that have their files on this machine. */
import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Role } from '../../schemas/accounts.ts';
import { nodeNamePattern } from '../../schemas/names.ts';
import { type ProblemCode, ProblemError, problem } from '../../schemas/problem.ts';
import { nearest } from '../../schemas/spelling.ts';
import { type Context, changeContexts, contextName, localClusters, readContexts, readEndpoint } from '../contexts.ts';
import { clusterFolder, type Env } from '../home.ts';
import { forgetSession, sessionOf } from '../sessions.ts';

export interface ContextRow {
  readonly name: string;
  /** Commands talk to it when nothing else is said. */
  readonly current: boolean;
  /** `context`: a row of the contexts file. `cluster`: its files are on this machine. */
  readonly kind: 'context' | 'cluster';
  /** Absent while a cluster of this machine is not up. */
  readonly api?: string;
  readonly tokenFile?: string;
  readonly caFile?: string;
  /** Who is logged in there, and as what. Absent: the token file, if there is one. */
  readonly user?: string;
  readonly role?: Role;
}

/** All, sorted by name. A row of the file hides a cluster of the same name. */
export async function contextRows(home: string, env: Env): Promise<readonly ContextRow[]> {
  const { contexts } = await readContexts(home);
  const current = await contextName({}, env, home).catch(() => undefined);
  const rows = Object.entries(contexts).map(async ([name, { api, tokenFile, caFile }]): Promise<ContextRow> => {
    const files = { ...(tokenFile !== undefined && { tokenFile }), ...(caFile !== undefined && { caFile }) };
    return { name, current: name === current, kind: 'context', api, ...files, ...(await who(home, { name, api })) };
  });
  const here = (await localClusters(home)).filter((name) => !Object.hasOwn(contexts, name));
  const clusters = here.map(async (name): Promise<ContextRow> => {
    const folder = clusterFolder(home, name);
    const endpoint = await readEndpoint(folder);
    const user = await who(home, { name, api: '', folder });
    return { name, current: name === current, kind: 'cluster', ...(endpoint && { api: endpoint.api }), ...user };
  });
  return (await Promise.all([...rows, ...clusters])).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Makes a context the current one. NOT_FOUND with the name that was probably meant. */
export async function useContext(home: string, name: string): Promise<void> {
  const known = await knownNames(home);
  if (!known.includes(name)) throw unknown(name, known);
  await changeContexts(home, (file) => ({ ...file, current: name }));
}

/**
 * Adds a row to the contexts file; files are kept by their absolute path. NAME_INVALID, USAGE for what is no URL, NAME_TAKEN
 * unless `replace`, NOT_FOUND for a file that cannot be read.
 */
export async function addContext(home: string, name: string, context: Context, replace: boolean): Promise<Context> {
  if (!nodeNamePattern.test(name)) {
    throw failure('NAME_INVALID', `\`${name}\` is not a name for a context`, 'letters, digits, - and _, at most 63');
  }
  if (!/^https?:\/\/[^/]/.test(context.api) || !URL.canParse(context.api)) {
    throw failure('USAGE', `\`${context.api}\` is not the address of an API`, 'write it as http://host:port');
  }
  const taken = replace ? await localClusters(home) : await knownNames(home);
  if (taken.includes(name)) {
    throw failure(
      'NAME_TAKEN',
      `there is a context or cluster ${name} already`,
      'choose another name, or `--replace` a context',
    );
  }
  const files = { ...(await readable('tokenFile', context)), ...(await readable('caFile', context)) };
  const row = { ...context, ...files };
  await changeContexts(home, (file) => ({ ...file, contexts: { ...file.contexts, [name]: row } }));
  return row;
}

/** Removes a row of the contexts file; the current one then is none. REFUSED for a cluster of this machine. */
export async function removeContext(home: string, name: string): Promise<void> {
  const { contexts } = await readContexts(home);
  if (!Object.hasOwn(contexts, name)) {
    if (!(await localClusters(home)).includes(name)) throw unknown(name, Object.keys(contexts));
    const hint = `\`oakctl down --name ${name} --purge\` removes the cluster`;
    throw failure('REFUSED', `${name} is a cluster of this machine, not a row of the contexts file`, hint);
  }
  await changeContexts(home, ({ current, contexts: { [name]: _, ...rest } }) => ({
    contexts: rest,
    ...(current !== undefined && current !== name && { current }),
  }));
  await forgetSession(home, { name });
}

/** As the login says; nothing is asked. */
async function who(home: string, place: Parameters<typeof sessionOf>[1]): Promise<Pick<ContextRow, 'user' | 'role'>> {
  const session = await sessionOf(home, place).catch(() => undefined);
  return session ? { user: session.user, role: session.role } : {};
}

async function knownNames(home: string): Promise<readonly string[]> {
  const { contexts } = await readContexts(home);
  return [...new Set([...Object.keys(contexts), ...(await localClusters(home))])].sort();
}

async function readable(key: 'tokenFile' | 'caFile', context: Context): Promise<Partial<Context>> {
  const path = context[key];
  if (path === undefined) return {};
  const absolute = resolve(path);
  await access(absolute).catch((error: NodeJS.ErrnoException) => {
    throw failure('NOT_FOUND', `the file ${absolute} cannot be read (${error.code ?? error.message})`);
  });
  return { [key]: absolute };
}

function unknown(name: string, known: readonly string[]): ProblemError {
  const meant = nearest(name, known);
  const all = known.length > 0 ? `known: ${known.join(', ')}` : '`oakctl contexts add` makes one';
  return failure('NOT_FOUND', `there is no context or cluster ${name}`, meant ? `did you mean \`${meant}\`?` : all);
}

function failure(code: ProblemCode, message: string, hint?: string): ProblemError {
  return new ProblemError(problem(code, message, hint === undefined ? {} : { hint }));
}
