/** What `backup` and `restore` do on this machine beside the file itself. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import { isAddress, isLoopback } from '../../schemas/addresses.ts';
import { replaceSynced } from '../../schemas/io/twin-file.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import { parseClusterSettings } from '../../schemas/settings.ts';
import { localClusters } from '../contexts.ts';
import { clusterFolder } from '../home.ts';

/** The folder of the cluster of this machine that is named, or of the only one. NOT_FOUND, USAGE. */
export async function chooseFolder(home: string, name: string | undefined): Promise<string> {
  if (name !== undefined) return clusterFolder(home, name);
  const names = await localClusters(home);
  const [only] = names;
  if (only !== undefined && names.length === 1) return clusterFolder(home, only);
  const message =
    names.length === 0 ? 'no cluster has its files here' : `${names.length} clusters have their files here`;
  const hint = names.length === 0 ? '--folder names the folder of a reconciler' : `--context ${names.join(' | ')}`;
  throw new ProblemError(problem(names.length === 0 ? 'NOT_FOUND' : 'USAGE', message, { hint }));
}

export async function readBackupFile(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new ProblemError(problem('NOT_FOUND', `the backup cannot be read (${cause.code})`, { file }), { cause });
  });
}

/** USAGE for what is no address. */
export function checkBind(host: string | undefined): void {
  if (host === undefined || isAddress(host)) return;
  throw new ProblemError(problem('USAGE', `--bind ${host} is not an IP address`));
}

/** Writes into cluster.yaml where API and embedded broker listen, with TLS outside loopback. Everything else in it stays. */
export async function listenAt(folder: string, host: string): Promise<void> {
  const file = join(folder, 'cluster.yaml');
  const document = parseDocument(await readFile(file, 'utf8'));
  document.setIn(['api', 'host'], host);
  if (!document.hasIn(['mqtt', 'url'])) document.setIn(['mqtt', 'host'], host);
  if (!isLoopback(host) && !document.has('tls')) document.setIn(['tls'], 'auto');
  await replaceSynced(file, document.toString({ lineWidth: 0 }));
}

/** Sources that only the host has on which the backup was made. */
export async function localSources(folder: string): Promise<readonly string[]> {
  const file = join(folder, 'cluster.yaml');
  const text = await readFile(file, 'utf8').catch(() => '');
  const { settings } = parseClusterSettings(text, file);
  return (settings?.sources ?? []).map(({ url }) => url).filter((url) => /^(\/|file:)/.test(url));
}
