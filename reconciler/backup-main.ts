/** `oakctl backup` and `oakctl restore`: what makes a cluster this cluster, out of its folder into one file, and back into a folder. */

import * as nodeFs from 'node:fs/promises';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { nextEra } from '../schemas/endpoints.ts';
import { createSystemRandom } from '../schemas/io/clock.ts';
import type { DurableFs } from '../schemas/io/durable-files.ts';
import { lockFolder } from '../schemas/io/folder-lock.ts';
import { registriesFile } from '../schemas/io/registries-file.ts';
import { replaceSynced } from '../schemas/io/twin-file.ts';
import { isProblemError, ProblemError, problem } from '../schemas/problem.ts';
import { type ClusterSettings, parseClusterSettings } from '../schemas/settings.ts';
import type { EnvironmentSettings } from '../schemas/settings-environment.ts';
import { oakctlVersion } from '../schemas/version.ts';
import type { Records } from './core/records.ts';
import { asRestored } from './core/restored.ts';
import { openKeys } from './keys/keys.ts';
import { type Backup, readBackup, writeBackup } from './store/backup-file.ts';
import { createRecordsStore, readRecords } from './store/records-store.ts';

/** Of a backup, for people. */
export interface BackupSummary {
  readonly cluster: string;
  readonly fingerprint: string;
  /** ms since 1970. */
  readonly taken: number;
  readonly epoch: number;
  readonly nodes: number;
  readonly services: number;
}

/** Nobody but the reconciler writes to records/: not even to mend them. */
const readOnly: DurableFs = { ...nodeFs, open: () => Promise.reject(new Error('read only')) };
const settingsFile = 'cluster.yaml';
const tokenFile = 'api-token';
const keyFile = 'identity/master.key';
const attempts = 5;

interface BackupOptions {
  readonly passphrase?: string;
  readonly now: number;
  /** What the environment says to the reconciler; cluster.yaml may then be absent, and is not in the file. */
  readonly given?: EnvironmentSettings;
}

/**
 * The file for a cluster's folder. Its reconciler may run: what it saved last is read, as it was when it was saved. SETTINGS_INVALID,
 * FILE_DAMAGED, NOT_FOUND where no reconciler ever ran.
 */
export async function backup(
  folder: string,
  { passphrase, now, given }: BackupOptions,
): Promise<{ readonly text: string; readonly summary: BackupSummary }> {
  const { files, records } = await readFolder(folder);
  const { cluster } = settingsOf(folder, files[settingsFile], given);
  if (records.epoch === 0) {
    const hint = '--folder names the folder of a cluster';
    throw new ProblemError(problem('NOT_FOUND', `no reconciler ever ran in ${folder}`, { hint }));
  }
  const keys = await openKeys({
    folder,
    cluster,
    random: createSystemRandom(),
    create: false,
    leastRevision: records.keyring ?? 0,
  });
  const made: Backup = {
    ...{ cluster, fingerprint: keys.fingerprint, version: oakctlVersion, taken: now, files },
    records: JSON.stringify(records),
  };
  return { text: writeBackup(made, passphrase), summary: summaryOf(made, records) };
}

/** Where it listens, and how, is of no account here. SETTINGS_INVALID. */
function settingsOf(folder: string, text: string | undefined, given: BackupOptions['given']): ClusterSettings {
  const file = join(folder, settingsFile);
  if (text === undefined && !given) {
    const hint = 'a reconciler that is set by its environment: run this with the same environment (CLUSTER_NAME)';
    throw new ProblemError(problem('SETTINGS_INVALID', 'the folder has no cluster.yaml', { file, hint }));
  }
  const { settings, problems } =
    text === undefined
      ? parseClusterSettings(JSON.stringify(given?.values), 'the environment', { insecure: true })
      : parseClusterSettings(text, file, { insecure: true, ...(given && { values: given.values }) });
  if (!settings) throw new ProblemError(problems);
  return settings;
}

export interface RestoreOptions {
  /** Whose content it is, for messages. */
  readonly file: string;
  readonly passphrase?: string;
  /** Of the name of the cluster that is in it. */
  readonly folderOf: (cluster: string) => string;
  /** Replace a cluster that is there: it is put aside. */
  readonly force: boolean;
  readonly now: number;
}

export interface Restored extends BackupSummary {
  readonly folder: string;
  /** Files that were there already, and stayed: cluster.yaml, api-token and registries.yaml. */
  readonly kept: readonly string[];
  /** False: its settings came from the environment, and are to come from there again. */
  readonly settings: boolean;
  /** Folder with what was there before. */
  readonly aside?: string;
}

/**
 * Makes a cluster out of a backup. Its epoch is above all that was said before, and all that the reconciler that it comes from will say.
 * BACKUP_INVALID; REFUSED when a cluster is there already, FOLDER_LOCKED while its reconciler runs; FILE_UNWRITABLE. What is interrupted
 * leaves a folder that no reconciler starts in; again, with `force`, completes it.
 */
export async function restore(content: string, options: RestoreOptions): Promise<Restored> {
  const held = readBackup(content, options.file, options.passphrase);
  const records = recordsOf(held, options.file);
  const folder = options.folderOf(held.cluster);
  const isNew = !(await isThere(folder));
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw unwritable(folder, error);
  });
  const lock = await lockFolder(join(folder, 'records'));
  try {
    const before = await previousEpoch(folder);
    if (before !== undefined && !options.force) throw alreadyThere(folder);
    const aside = before === undefined ? undefined : await putAside(folder, options.now);
    const epoch = nextEra(Math.max(records.epoch, before ?? 0));
    // Records without a key start nothing; a key without records would begin anew.
    await createRecordsStore({ folder: join(folder, 'records') }).save(asRestored(records, epoch));
    const kept = await writeFiles(folder, held.files);
    const settings = await isThere(join(folder, settingsFile));
    return { ...summaryOf(held, records), epoch, folder, kept, settings, ...(aside !== undefined && { aside }) };
  } catch (error) {
    if (isNew) await nodeFs.rmdir(join(folder, 'records')).catch(() => undefined);
    throw unwritable(folder, error);
  } finally {
    await lock.release();
    if (isNew) await nodeFs.rmdir(folder).catch(() => undefined);
  }
}

function summaryOf({ cluster, fingerprint, taken }: Backup, { epoch, nodes, direct, sources }: Records): BackupSummary {
  const named = Object.values(sources).flatMap(({ files }) => Object.values(files).flatMap(({ services }) => services));
  const active = Object.values(nodes).filter(({ revoked }) => revoked === undefined);
  const services = new Set([...Object.keys(direct), ...named]).size;
  return { cluster, fingerprint, taken, epoch, nodes: active.length, services };
}

/** Identity and records as they were at one moment: the identity did not change while the records were read. */
async function readFolder(folder: string): Promise<{ files: Record<string, string>; records: Records }> {
  for (let attempt = 1; ; attempt += 1) {
    const before = await readFiles(folder);
    const records = await createRecordsStore({ folder: join(folder, 'records'), fs: readOnly }).load();
    const files = await readFiles(folder);
    if (attempt === attempts || JSON.stringify(before) === JSON.stringify(files)) return { files, records };
  }
}

async function readFiles(folder: string): Promise<Record<string, string>> {
  const identity = await readdir(join(folder, 'identity'), { withFileTypes: true }).catch(() => []);
  // Twins are made again, and what is being written is not there yet.
  const whole = identity.filter((entry) => !entry.isDirectory() && /^[a-z0-9][a-z0-9._-]*$/.test(entry.name));
  const lasting = whole.filter(({ name }) => !/\.[0-9a-f]{16}$/.test(name)).map(({ name }) => `identity/${name}`);
  const files: Record<string, string> = {};
  for (const path of [settingsFile, tokenFile, registriesFile, ...lasting.sort()]) {
    const text = await readFile(join(folder, path), 'utf8').catch(ignoreAbsent);
    if (text !== undefined) files[path] = text;
  }
  return files;
}

function recordsOf({ records, files }: Backup, file: string): Records {
  const parsed = readRecords(records);
  if (parsed.ok && files[keyFile] !== undefined) return parsed.value;
  const what = parsed.ok ? 'it holds no master key' : `these are not records of version 1 (${parsed.problem.message})`;
  const hint = 'a newer oakctl may have written it';
  throw new ProblemError(problem('BACKUP_INVALID', what, { file, hint }));
}

/** Undefined: no cluster is there. 0: one whose records cannot be read. */
async function previousEpoch(folder: string): Promise<number | undefined> {
  const names = await readdir(join(folder, 'records'));
  const hasRecords = names.some((name) => name.startsWith('records.json'));
  if (!hasRecords && !(await isThere(join(folder, keyFile)))) return undefined;
  const found = await createRecordsStore({ folder: join(folder, 'records'), fs: readOnly })
    .load()
    .catch(() => undefined);
  return found?.epoch ?? 0;
}

/** Nothing is ever overwritten. */
async function putAside(folder: string, now: number): Promise<string> {
  const name = `before-restore-${new Date(now).toISOString().replace(/[:.]/g, '-')}`;
  const aside = join(folder, name);
  await mkdir(join(aside, 'records'), { recursive: true, mode: 0o700 });
  await rename(join(folder, 'identity'), join(aside, 'identity')).catch(ignoreAbsent);
  for (const file of await readdir(join(folder, 'records'))) {
    if (file.startsWith('records.json')) await rename(join(folder, 'records', file), join(aside, 'records', file));
  }
  return aside;
}

/** cluster.yaml, api-token and registries.yaml belong to a host: those that it has stay. The key comes last. Answers what stayed. */
async function writeFiles(folder: string, files: Backup['files']): Promise<string[]> {
  const kept: string[] = [];
  await mkdir(join(folder, 'identity'), { recursive: true, mode: 0o700 });
  const paths = Object.keys(files).sort((a, b) => Number(a === keyFile) - Number(b === keyFile));
  for (const path of paths) {
    const isOfHost = !path.startsWith('identity/');
    if (isOfHost && (await isThere(join(folder, path)))) {
      kept.push(path);
      continue;
    }
    if (!isOfHost) await rm(join(folder, `${path}~`), { force: true });
    await replaceSynced(join(folder, path), files[path] ?? '');
  }
  return kept;
}

/** What the disk refuses is no bug. */
function unwritable(folder: string, error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (isProblemError(error) || code === undefined) return error;
  const message = `the cluster's folder cannot be written (${code})`;
  return new ProblemError(problem('FILE_UNWRITABLE', message, { file: folder }), { cause: error });
}

function alreadyThere(folder: string): ProblemError {
  const hint = 'another --folder; or --force, which puts what is there aside';
  return new ProblemError(problem('REFUSED', `a cluster is there already: ${folder}`, { hint }));
}

function isThere(path: string): Promise<boolean> {
  return nodeFs.access(path).then(
    () => true,
    () => false,
  );
}

function ignoreAbsent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
