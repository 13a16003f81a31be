/**
 * The cluster's keys. One secret of 32 bytes lies in `identity/master.key`, and once more beside it; the keys with which a cluster begins are derived
 * from it (HKDF). What rotations added lies in `identity/keyring.json`: a backup of identity/ brings back all of it.
 */
import { hkdfSync } from 'node:crypto';
import { link, mkdir, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readTwin, replaceSynced, type Twin } from '../../schemas/io/twin-file.ts';
import type { NodeId } from '../../schemas/names.ts';
import { parseMessage } from '../../schemas/parse.ts';
import type { Random } from '../../schemas/ports.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import { firstRing, type Ring } from '../core/ring.ts';
import type { Keys } from '../ports.ts';
import { nodePassword, passwordSerial } from './credentials.ts';
import { createKeyring } from './keyring.ts';
import { RingSchema } from './ring-schema.ts';

export interface ClusterKeys extends Keys {
  /** The serial of a password that was made for this node; undefined for any other text. */
  verifyCredential(node: NodeId, password: string): number | undefined;
  /** What the broker needs to verify passwords of nodes. A secret. */
  readonly credentialKey: Uint8Array;
}

export interface KeysOptions {
  /** The cluster's folder. */
  readonly folder: string;
  readonly cluster: string;
  readonly random: Random;
  /** False when the cluster has records already: a missing key must then be restored, not replaced. Default true. */
  readonly create?: boolean;
  /** The keyring is at least as new as this revision, or it is not the one that nodes trust. Default 0. */
  readonly leastRevision?: number;
}

const masterBytes = 32;
const keyFilePattern = /^oakctl-master-1 ([0-9a-f]{64})\n?$/;

/**
 * Reads the master key, or makes it once. Throws FILE_DAMAGED when it is malformed or missing where it must not be, REFUSED when
 * others may read it, FILE_UNWRITABLE when it cannot be made.
 */
export async function openKeys(options: KeysOptions): Promise<ClusterKeys> {
  const { folder, cluster, random, create = true, leastRevision = 0 } = options;
  const file = join(folder, 'identity', 'master.key');
  const master = (await readMaster(file)) ?? (await makeMaster(file, folder, random, create));
  const derive = (purpose: string): Uint8Array => new Uint8Array(hkdfSync('sha256', master, 'oakctl/1', purpose, 32));
  const credentialKey = derive('credentials');
  const ringFile = join(folder, 'identity', 'keyring.json');
  const keyring = createKeyring({
    cluster,
    first: { signing: derive('signing'), root: derive('authority') },
    ring: await readRing(ringFile, leastRevision),
    random,
    save: (ring) => writeRing(ringFile, ring),
  });
  return Object.assign(keyring, {
    credentialKey,
    begun: (await stat(file).catch(ignoreAbsent))?.mtimeMs ?? 0,
    secretFor: derive,
    credential: (node: NodeId, serial: number) => nodePassword(credentialKey, node, serial),
    verifyCredential: (node: NodeId, password: string) => passwordSerial(credentialKey, node, password),
  });
}

const ringOf = (text: string): Ring | undefined => {
  const parsed = parseMessage<Ring>(RingSchema, text, Number.MAX_SAFE_INTEGER);
  return parsed.ok ? parsed.value : undefined;
};

/** No file: nothing was ever rotated. */
async function readRing(file: string, least: number): Promise<Ring> {
  const twin = await readTwin(file, (text) => ringOf(text) !== undefined).catch((error: unknown) => {
    throw keyProblem(
      'FILE_DAMAGED',
      file,
      `the keyring cannot be read (${reasonOf(error)})`,
      'look at its owner',
      error,
    );
  });
  const ring = 'text' in twin ? ringOf(twin.text) : twin.damaged ? undefined : firstRing;
  if (!ring) throw keyProblem('FILE_DAMAGED', file, 'this is not a keyring', 'restore identity/ from a backup');
  if (ring.revision >= least) return ring;
  const message = `keys were rotated up to revision ${least}, and the keyring is at ${ring.revision}: nodes trust newer keys`;
  throw keyProblem('FILE_DAMAGED', file, message, 'restore identity/ from a backup that was made later');
}

async function writeRing(file: string, ring: Ring): Promise<void> {
  try {
    await replaceSynced(file, `${JSON.stringify(ring)}\n`);
  } catch (error) {
    const hint = 'identity/ must be writable while keys are rotated; nothing was changed';
    throw keyProblem('FILE_UNWRITABLE', file, `the keyring cannot be written (${reasonOf(error)})`, hint, error);
  }
  // The twin follows.
  await readTwin(file, (text) => ringOf(text) !== undefined).catch(() => undefined);
}

async function readMaster(file: string): Promise<Buffer | undefined> {
  let mode: number | undefined;
  let twin: Twin;
  try {
    mode = (await stat(file).catch(ignoreAbsent))?.mode;
    twin = await readTwin(file, (text) => keyFilePattern.test(text));
  } catch (error) {
    throw keyProblem(
      'FILE_DAMAGED',
      file,
      `the master key cannot be read (${reasonOf(error)})`,
      'look at its owner',
      error,
    );
  }
  if (mode !== undefined && (mode & 0o077) !== 0) {
    const shown = (mode & 0o777).toString(8).padStart(4, '0');
    throw keyProblem('REFUSED', file, `others may read the master key (mode ${shown})`, `chmod 600 ${file}`);
  }
  const hex = 'text' in twin ? keyFilePattern.exec(twin.text)?.[1] : undefined;
  if (hex !== undefined) return Buffer.from(hex, 'hex');
  if ('damaged' in twin && !twin.damaged) return undefined;
  throw keyProblem('FILE_DAMAGED', file, 'this is not a master key', 'restore identity/ from a backup');
}

/** Never replaces a key: of two processes that make one at the same time, both use the first. */
async function makeMaster(file: string, folder: string, random: Random, create: boolean): Promise<Buffer> {
  if (!create) {
    const message = 'the master key is missing, but the cluster has nodes that trust it';
    throw keyProblem('FILE_DAMAGED', file, message, 'restore identity/ from a backup');
  }
  const identity = join(folder, 'identity');
  const temporary = `${file}.${Buffer.from(random.bytes(8)).toString('hex')}`;
  try {
    await mkdir(identity, { recursive: true, mode: 0o700 });
    const text = `oakctl-master-1 ${Buffer.from(random.bytes(masterBytes)).toString('hex')}\n`;
    await writeSynced(temporary, text);
    await link(temporary, file).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    });
    await syncFolder(identity);
  } catch (error) {
    throw keyProblem('FILE_UNWRITABLE', file, `the master key cannot be made (${reasonOf(error)})`, undefined, error);
  } finally {
    await rm(temporary, { force: true }).catch(() => undefined);
  }
  const made = await readMaster(file);
  if (!made) throw keyProblem('FILE_DAMAGED', file, 'the master key vanished while it was made');
  return made;
}

async function writeSynced(file: string, text: string): Promise<void> {
  const handle = await open(file, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function keyProblem(
  code: 'FILE_DAMAGED' | 'FILE_UNWRITABLE' | 'REFUSED',
  subject: string,
  message: string,
  hint?: string,
  cause?: unknown,
): ProblemError {
  return new ProblemError(problem(code, message, { subject, ...(hint !== undefined && { hint }) }), { cause });
}

function ignoreAbsent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}

function reasonOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
