/**
 * Copies as folders: one per copy, named as a container would be. What a copy is stands in its copy.json, written before the
 * folder gets its name; what became of it stands in what its shim writes. So a restarted agent finds everything again.
 */
import { randomBytes } from 'node:crypto';
import { chmod, lstat, mkdir, open, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { filePathFault } from '../../../schemas/host-access.ts';
import { containerName, parseCopyId, parseInstanceName } from '../../../schemas/names.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import type { RunFile, RunSpec } from '../../../schemas/spec.ts';
import type { ActualCopy, CopyKey, CopyPlan, FailedCheck } from '../runtime.ts';
import type { Health } from './health.ts';
import { ageOf, isAlive, type ProcessIdentity, parseIdentity } from './proc.ts';
import { files, parseExit } from './shim.ts';

/** What copy.json says: whose copy it is, and how it is run. */
export interface CopyRecord extends CopyPlan {
  readonly cluster: string;
  readonly node: string;
}

/** A copy and what became of it. */
export interface StoredCopy {
  readonly name: string;
  readonly folder: string;
  readonly record: CopyRecord;
  readonly state: ActualCopy['state'];
  /** The last process of this copy, running or not. */
  readonly process?: ProcessIdentity;
  readonly exitCode?: number;
  readonly since?: number;
  readonly health?: Health;
  readonly failedCheck?: FailedCheck;
}

export interface CopyStore {
  /** Folder of a copy. NAME_CONFLICT for a key that is no name of ours. */
  folderOf(key: CopyKey): string;
  /** The copy; undefined when there is none. NAME_CONFLICT when its name is held by something that is not ours. */
  read(key: CopyKey): Promise<StoredCopy | undefined>;
  /** Makes the folder, whole or not at all. False when something of that name exists. */
  create(plan: CopyPlan): Promise<boolean>;
  /** All copies of ours, and the names of what only claims to be one. */
  list(): Promise<{ readonly copies: readonly StoredCopy[]; readonly strangers: readonly string[] }>;
  remove(key: CopyKey): Promise<void>;
  /** Forgets the last run: the copy is as created. */
  reset(folder: string): Promise<void>;
  /** Puts links at these paths below the working folder. */
  link(folder: string, links: readonly { readonly source: string; readonly target: string }[]): Promise<void>;
  saveHealth(folder: string, health: Health, failed?: FailedCheck): Promise<void>;
  /** Removes what a crash left half made or half removed. */
  sweep(): Promise<void>;
}

/** Older than any creation or removal that may still be under way, ms. */
const leftoverAge = 600_000;

export function createCopyStore(root: string, owner: { readonly cluster: string; readonly node: string }): CopyStore {
  /** The record, if it is that of a copy of ours with this very name. */
  const ours = (record: CopyRecord | undefined, name: string): CopyRecord | undefined =>
    record && claims(record) && isKey(record) && containerName(record.instance, record.copy) === name
      ? record
      : undefined;
  const claims = (record: CopyRecord) => record.cluster === owner.cluster && record.node === owner.node;

  function folderOf(key: CopyKey): string {
    if (!isKey(key)) throw conflict(`${key.instance}.${key.copy}`, 'this is no name of a copy');
    return join(root, containerName(key.instance, key.copy));
  }

  return {
    folderOf,
    async read(key) {
      const folder = folderOf(key);
      const name = containerName(key.instance, key.copy);
      if (!(await exists(folder))) return undefined;
      const record = ours(await readRecord(folder), name);
      if (record) return readStored(name, folder, record);
      // Removed since we looked, which is moving it away, or not ours.
      if (!(await exists(folder))) return undefined;
      throw conflict(name, 'its copy.json is not that of a copy of this node');
    },
    async create(plan) {
      const folder = folderOf(plan);
      if (await exists(folder)) return false;
      const fresh = join(root, `.new-${randomBytes(8).toString('hex')}`);
      await mkdir(join(fresh, files.work), { recursive: true });
      const { instance, copy, digest, run } = plan;
      const record: CopyRecord = { ...owner, instance, copy, digest, run };
      for (const file of run.files ?? []) await writeFileOf(join(fresh, files.work), file);
      // Twice: it is never written again, and without it nobody knows what runs there.
      for (const name of [files.copy, files.copyTwin]) {
        await writeDurably(join(fresh, name), `${JSON.stringify(record, undefined, 1)}\n`);
      }
      await rename(fresh, folder);
      return true;
    },
    async list() {
      const copies: StoredCopy[] = [];
      const strangers: string[] = [];
      for (const name of await namesIn(root)) {
        const folder = join(root, name);
        const found = await readRecord(folder);
        const record = ours(found, name);
        if (record) copies.push(await readStored(name, folder, record));
        else if (found && claims(found)) strangers.push(name);
      }
      return { copies, strangers };
    },
    async remove(key) {
      const away = join(root, `.removed-${randomBytes(8).toString('hex')}`);
      await rename(folderOf(key), away);
      // It is gone; what cannot be cleared away is no more than room on a disk.
      await clear(away).catch(() => undefined);
    },
    async reset(folder) {
      for (const name of [files.process, files.exit, files.health]) await rm(join(folder, name), { force: true });
      await mkdir(join(folder, files.work), { recursive: true });
    },
    async link(folder, links) {
      for (const { source, target } of links) {
        const place = join(folder, files.work, target);
        await mkdir(dirname(place), { recursive: true });
        await rm(place, { force: true });
        await symlink(source, place);
      }
    },
    async saveHealth(folder, health, failed) {
      // Whole or not at all: a full disk must not make a healthy copy one that never answered.
      const temporary = join(folder, `${files.health}~`);
      await writeFile(temporary, failed === undefined ? health : `${health} ${failed}`);
      await rename(temporary, join(folder, files.health));
    },
    async sweep() {
      const names = await readdir(root);
      for (const name of names.filter((one) => /^\.(new|removed)-[0-9a-f]{16}$/.test(one))) {
        const found = await stat(join(root, name)).catch(() => undefined);
        // What cannot be cleared away keeps nothing from running.
        if (found && Date.now() - found.mtimeMs > leftoverAge) await clear(join(root, name)).catch(() => undefined);
      }
    },
  };
}

/** Removes a folder, and also what a process made for nobody to write, as caches of packages do. */
async function clear(folder: string): Promise<void> {
  const remove = () => rm(folder, { recursive: true, force: true });
  await remove().catch(async () => {
    await openUp(folder);
    await remove();
  });
}

async function openUp(folder: string): Promise<void> {
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true }))
    if (entry.isDirectory()) await openUp(join(folder, entry.name));
}

/** Names that are safe as a folder and as nothing else. */
function isKey(key: CopyKey): boolean {
  return (
    /^[A-Za-z0-9][A-Za-z0-9.-]*$/.test(key.instance) &&
    parseInstanceName(key.instance) !== undefined &&
    parseCopyId(key.copy) !== undefined
  );
}

async function readStored(name: string, folder: string, record: CopyRecord): Promise<StoredCopy> {
  const stored = { name, folder, record };
  const identity = parseIdentity(await readText(join(folder, files.process)));
  if (!identity) return { ...stored, state: 'created' };
  if (await isAlive(identity)) {
    const health = record.run.healthcheck && readHealth(await readText(join(folder, files.health)));
    return { ...stored, state: 'running', process: identity, since: await ageOf(identity), ...health };
  }
  const exitCode = parseExit(await readText(join(folder, files.exit)));
  const ended = await stat(join(folder, files.exit)).catch(() => undefined);
  return {
    ...stored,
    state: 'exited',
    process: identity,
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(ended ? { since: Math.max(0, Math.round(Date.now() - ended.mtimeMs)) } : {}),
  };
}

function readHealth(text: string): Pick<StoredCopy, 'health' | 'failedCheck'> {
  const [health, failed] = text.split(' ');
  if (health !== 'unhealthy') return { health: health === 'healthy' ? 'healthy' : 'starting' };
  if (failed === 'timed_out' || failed === 'not_started') return { health, failedCheck: failed };
  return { health, ...(failed && { failedCheck: Number(failed) }) };
}

async function readRecord(folder: string): Promise<CopyRecord | undefined> {
  return (await readRecordFile(join(folder, files.copy))) ?? readRecordFile(join(folder, files.copyTwin));
}

async function readRecordFile(file: string): Promise<CopyRecord | undefined> {
  try {
    const record = JSON.parse(await readText(file)) as Partial<CopyRecord> | null;
    const { cluster, node, instance, copy, digest } = record ?? {};
    const isWhole = [cluster, node, instance, copy, digest].every((text) => typeof text === 'string');
    return isWhole && typeof record?.run?.code === 'string' ? (record as CopyRecord & { run: RunSpec }) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Names of folders; ours that are being made or removed begin with a dot. */
async function namesIn(root: string): Promise<string[]> {
  const entries = await readdir(root, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map((entry) => entry.name)
    .sort();
}

/** Text of a file, empty when it is not there. */
async function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return '';
    throw error;
  });
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

/** A file of the run spec, below the working folder of its process: its absolute path begins there. */
async function writeFileOf(work: string, { path, content, mode }: RunFile): Promise<void> {
  const fault = filePathFault(path);
  if (fault) throw new ProblemError(problem('START_FAILED', fault, { subject: path }));
  const place = join(work, path);
  await mkdir(dirname(place), { recursive: true });
  await writeFile(place, content, { flag: 'wx' });
  await chmod(place, mode);
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

function conflict(name: string, why: string): ProblemError {
  return new ProblemError(
    problem('NAME_CONFLICT', `a process folder named ${name} exists and is not ours: ${why}`, {
      subject: name,
      hint: 'move the folder away if nobody needs it',
    }),
  );
}
