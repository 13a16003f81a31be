/**
 * Which reconciler a command talks to. Flags before environment (OAKCTL_API, OAKCTL_TOKEN_FILE, OAKCTL_CA_FILE, OAKCTL_CONTEXT)
 * before the current context before the only cluster folder of this machine. A context is a row of `<home>/contexts.json`, or a cluster folder.
 */
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bearer, Endpoint } from '../schemas/io/http.ts';
import { ProblemError, problem } from '../schemas/problem.ts';
import { clusterFolder, clustersFolder, type Env } from './home.ts';

export interface Context {
  readonly api: string;
  readonly tokenFile?: string;
  /** PEM file of the only root to trust. */
  readonly caFile?: string;
  /** The token may travel outside loopback without TLS. */
  readonly insecure?: boolean;
}

export interface ContextsFile {
  readonly current?: string;
  readonly contexts: Readonly<Record<string, Context>>;
}

export interface TargetFlags {
  readonly context?: string | undefined;
  readonly api?: string | undefined;
  readonly 'token-file'?: string | undefined;
  readonly 'ca-file'?: string | undefined;
}

/** What a command talks to. */
export interface Target {
  /** Context or cluster; the URL when it was given by hand. */
  readonly name: string;
  readonly api: string;
  readonly token?: string;
  /** Of a login, in place of `token`. */
  readonly bearer?: Bearer;
  /** Who is logged in. */
  readonly user?: string;
  /** PEM of the only root to trust; without it: the public ones. */
  readonly ca?: string;
  /** The token may travel outside loopback without TLS. */
  readonly insecure?: boolean;
  /** Of the cluster, when it has its files here. */
  readonly folder?: string;
}

const noContexts: ContextsFile = { contexts: {} };

/** The contexts of this machine; empty when there is no file. */
export async function readContexts(home: string): Promise<ContextsFile> {
  const text = await readFile(contextsPath(home), 'utf8').catch(() => undefined);
  if (text === undefined) return noContexts;
  try {
    return { ...noContexts, ...(JSON.parse(text) as ContextsFile) };
  } catch {
    const message = `${contextsPath(home)} is not JSON`;
    throw new ProblemError(problem('FILE_DAMAGED', message, { hint: 'correct or remove the file' }));
  }
}

/** Changes the contexts file (written whole, through a temporary file). */
export async function changeContexts(home: string, change: (file: ContextsFile) => ContextsFile): Promise<void> {
  await mkdir(home, { recursive: true, mode: 0o700 });
  const [{ Low }, { JSONFile }] = await Promise.all([import('lowdb'), import('lowdb/node')]);
  const db = new Low<ContextsFile>(new JSONFile(contextsPath(home)), noContexts);
  await db.read();
  db.data = change({ ...noContexts, ...db.data });
  await db.write();
}

function contextsPath(home: string): string {
  return join(home, 'contexts.json');
}

/** Names of the clusters that have a folder here, sorted. */
export async function localClusters(home: string): Promise<readonly string[]> {
  const entries = await readdir(clustersFolder(home), { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

/** Finds the reconciler and reads its token. UNREACHABLE when none is known or a cluster of this machine is not up. */
export async function resolveTarget(flags: TargetFlags, env: Env, home: string): Promise<Target> {
  const tokenFile = flags['token-file'] ?? env['OAKCTL_TOKEN_FILE'];
  const caFile = flags['ca-file'] ?? env['OAKCTL_CA_FILE'];
  const target = await findTarget(flags, tokenFile, env, home);
  return withAuthority(target, caFile);
}

/** What is needed to talk to it. */
export function endpointOf({ api, token, bearer, ca, insecure }: Target): Endpoint {
  return {
    url: api,
    ...(token !== undefined && { token }),
    ...(bearer && { bearer }),
    ...(ca !== undefined && { ca }),
    ...(insecure && { insecure }),
  };
}

async function findTarget(flags: TargetFlags, tokenFile: string | undefined, env: Env, home: string): Promise<Target> {
  const api = flags.api ?? (flags.context === undefined ? env['OAKCTL_API'] : undefined);
  if (api !== undefined) return byUrl(api, tokenFile, home);
  const name = await contextName(flags, env, home);
  const named = (await readContexts(home)).contexts[name];
  if (named) {
    const { api: url, insecure } = named;
    const target = await withAuthority({ name, api: url, ...(insecure && { insecure }) }, named.caFile);
    return withToken(target, tokenFile ?? named.tokenFile);
  }
  const folder = clusterFolder(home, name);
  const endpoint = await readEndpoint(folder);
  if (!endpoint) throw notUp(name, await localClusters(home));
  return withToken({ name, ...trusted(endpoint), folder }, tokenFile ?? join(folder, 'api-token'));
}

/** The context that commands use when nothing else is said. */
export async function contextName(flags: TargetFlags, env: Env, home: string): Promise<string> {
  const wanted = flags.context ?? env['OAKCTL_CONTEXT'] ?? (await readContexts(home)).current;
  if (wanted) return wanted;
  const clusters = await localClusters(home);
  if (clusters.length === 1 && clusters[0]) return clusters[0];
  const found = clusters.length === 0 ? 'no cluster is known here' : `${clusters.length} clusters are known here`;
  const hint = clusters.length === 0 ? '`oakctl up` starts one; `--api` names one elsewhere' : '';
  throw new ProblemError(
    problem('UNREACHABLE', `${found}, and none is chosen`, {
      hint: hint || `choose one by \`--context\`: ${clusters.join(', ')}`,
    }),
  );
}

/** A URL given by hand; a cluster of this machine that listens there lends what is not given. */
async function byUrl(api: string, tokenFile: string | undefined, home: string): Promise<Target> {
  const url = /^https?:\/\//.test(api) ? api : `http://${api}`;
  for (const name of await localClusters(home)) {
    const folder = clusterFolder(home, name);
    const endpoint = await readEndpoint(folder);
    if (endpoint && sameOrigin(endpoint.api, url))
      return withToken({ name, ...trusted(endpoint), api: url, folder }, tokenFile ?? join(folder, 'api-token'));
  }
  return withToken({ name: url, api: url }, tokenFile);
}

function trusted({ api, ca, insecure }: LocalEndpoint): Pick<Target, 'api' | 'ca' | 'insecure'> {
  return { api, ...(ca !== undefined && { ca }), ...(insecure && { insecure }) };
}

async function withAuthority(target: Target, caFile: string | undefined): Promise<Target> {
  if (caFile === undefined) return target;
  const ca = await readFile(caFile, 'utf8').catch((error: NodeJS.ErrnoException) => {
    const message = `the CA file ${caFile} cannot be read (${error.code ?? error.message})`;
    throw new ProblemError(problem('TLS_INVALID', message, { hint: '`oakctl ca export` on the cluster prints it' }));
  });
  return { ...target, ca };
}

/** Whether both are addresses of one server. */
export function sameOrigin(a: string, b: string): boolean {
  return URL.canParse(a) && URL.canParse(b) && new URL(a).origin === new URL(b).origin;
}

async function withToken(target: Target, tokenFile: string | undefined): Promise<Target> {
  if (tokenFile === undefined) return target;
  const token = await readFile(tokenFile, 'utf8').catch((error: NodeJS.ErrnoException) => {
    const message = `the token file ${tokenFile} cannot be read (${error.code ?? error.message})`;
    throw new ProblemError(problem('UNAUTHORIZED', message, { hint: 'give another one by `--token-file`' }));
  });
  return { ...target, token: token.trim() };
}

/** What a reconciler writes into its folder once it listens. */
export interface LocalEndpoint {
  readonly api: string;
  readonly mqtt: string;
  readonly pid: number;
  /** PEM of the root to trust. */
  readonly ca?: string;
  /** It listens outside loopback without TLS, and its owner wants it so. */
  readonly insecure?: boolean;
}

/** Where the reconciler of a cluster folder listens, as it wrote when it came up; undefined when it never did or went down. */
export async function readEndpoint(folder: string): Promise<LocalEndpoint | undefined> {
  const text = await readFile(join(folder, 'endpoints.json'), 'utf8').catch(() => undefined);
  try {
    return text === undefined ? undefined : (JSON.parse(text) as LocalEndpoint);
  } catch {
    return undefined;
  }
}

function notUp(name: string, clusters: readonly string[]): ProblemError {
  if (clusters.includes(name)) {
    const hint = `\`oakctl up --name ${name}\` starts it`;
    return new ProblemError(problem('UNREACHABLE', `the cluster ${name} is not up`, { hint }));
  }
  const known = clusters.length > 0 ? `known: ${clusters.join(', ')}` : '`oakctl up` starts a cluster here';
  return new ProblemError(problem('UNREACHABLE', `there is no context or cluster ${name}`, { hint: known }));
}
