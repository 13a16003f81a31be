/**
 * Secrets of copies as files in memory: decrypted when a copy starts, gone when it is removed or the machine goes down. What a disk
 * would keep is never written: without a folder in memory there are no secrets.
 */
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { filePathFault } from '../../schemas/host-access.ts';
import { decryptWith } from '../../schemas/io/age.ts';
import { folderInMemory, secretFolders } from '../../schemas/io/secret-folders.ts';
import { decryptLeaves } from '../../schemas/io/sops.ts';
import type { Sealed } from '../../schemas/messages.ts';
import { containerName } from '../../schemas/names.ts';
import { isProblemError, type Problem, ProblemError, problem } from '../../schemas/problem.ts';
import { placeOfValue, versionOf } from '../../schemas/secret-file.ts';
import type { SopsLeaf } from '../../schemas/sops.ts';
import type { RunSecret } from '../../schemas/spec.ts';
import type { NodeSecrets } from '../node-secrets.ts';
import type { Bind } from './access.ts';
import type { CopyKey, CopyPlan } from './runtime.ts';

export interface SecretsDeps {
  /** Of this node of this cluster. */
  readonly node: string;
  /** The secret half of its age identity. Absent: it reads nothing. */
  readonly age?: string | undefined;
  /** Its own ones. Absent: it has none. */
  readonly own?: Pick<NodeSecrets, 'read'> | undefined;
  /** Folders in memory, the best first; one that is missing is made. Default: {@link secretFolders}. */
  readonly folders?: readonly string[];
}

/** Secrets of this node's copies. */
export interface Secrets {
  /**
   * Places for the files of a copy, to be mounted: empty ones, once all could be read. SECRET_UNREADABLE says which cannot be
   * read here, SECRET_NO_MEMORY that there is no room for them.
   */
  prepare(plan: CopyPlan): Promise<readonly Bind[]>;
  /** Fills these places. Doing so twice changes nothing. */
  put(plan: CopyPlan): Promise<readonly Bind[]>;
  /** Removes the files of a copy, if it has any. */
  remove(key: CopyKey): Promise<void>;
}

/** Touches nothing before its first call for a copy that has secrets. */
export function createSecrets(deps: SecretsDeps): Secrets {
  const folders = deps.folders ?? secretFolders(process.env);
  let root: Promise<string> | undefined;
  const rootOf = (): Promise<string> => {
    root ??= findRoot(folders, deps.node).catch((error: unknown) => {
      root = undefined;
      throw error;
    });
    return root;
  };
  const folderOf = async (key: CopyKey): Promise<string> => join(await rootOf(), containerName(key.instance, key.copy));

  return {
    async prepare(plan) {
      const { secrets = [] } = plan.run;
      if (secrets.length === 0) return [];
      await valuesOf(plan, deps);
      // Engines mount nothing that is not there.
      const binds = await placesFor(await folderOf(plan), secrets);
      for (const { source } of binds) await writeFile(source, '', { flag: 'wx', mode: 0o600 }).catch(ignorePresent);
      return binds;
    },
    async put(plan) {
      const { secrets = [] } = plan.run;
      if (secrets.length === 0) return [];
      const values = await valuesOf(plan, deps);
      const binds = await placesFor(await folderOf(plan), secrets);
      for (const [index, { source }] of binds.entries()) {
        // In place: what is mounted already stays what is mounted. Its mode may forbid its owner to write.
        await chmod(source, 0o600).catch(() => undefined);
        await writeFile(source, values[index] ?? '', { mode: 0o600 });
        await chmod(source, secrets[index]?.mode ?? 0o400);
      }
      return binds;
    },
    async remove(key) {
      // Whoever removes a copy need not know whether it had any.
      for (const base of root ? [await root] : folders.map((folder) => join(folder, deps.node))) {
        const place = join(base, containerName(key.instance, key.copy));
        await rm(place, { recursive: true, force: true }).catch(root ? undefined : ignoreClosed);
      }
    },
  };
}

async function placesFor(folder: string, secrets: readonly RunSecret[]): Promise<readonly Bind[]> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return secrets.map(({ path }, index) => ({ source: join(folder, String(index)), target: path, readOnly: true }));
}

/** What is there is from a container before this one, and may be for nobody to write. */
function ignorePresent(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}

/** Where we may not look is another user's folder. */
function ignoreClosed(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EACCES') throw error;
}

/** The folder of this node in the first that is in memory, and is ours alone. */
async function findRoot(folders: readonly string[], node: string): Promise<string> {
  const found = await folderInMemory(folders, node);
  if ('folder' in found) return found.folder;
  const message = `this node has no folder in memory for secrets (${found.why}), and they are never written to a disk`;
  const hint = 'mount a tmpfs at /run/oakctl-secrets that the agent may write; in a container, that of the host';
  throw new ProblemError(problem('SECRET_NO_MEMORY', message, { disposition: 'retry', hint }));
}

/** The contents of all files of a copy, in the order of its run spec. */
async function valuesOf(
  { run, sealed = [], instance }: CopyPlan,
  { age, own }: Pick<SecretsDeps, 'age' | 'own'>,
): Promise<readonly Buffer[]> {
  const opened = new Map<string, ReadonlyMap<string, Buffer>>();
  const files: Buffer[] = [];
  for (const secret of run.secrets ?? []) {
    const fault = filePathFault(secret.path);
    if (fault) throw unreadable(secret.name, instance, fault);
    if (secret.source === 'node') {
      files.push(await ownValue(secret.name, own, instance));
      continue;
    }
    const one = sealed.find(({ name }) => name === secret.name);
    if (!one) throw unreadable(secret.name, instance, 'nothing of it came with the assignment');
    const values = opened.get(secret.name) ?? (await open(one, age, instance));
    opened.set(secret.name, values);
    files.push(wantedValue(secret, one, values, instance));
  }
  return files;
}

/** What is not there may come at any time: it is tried again. */
async function ownValue(name: string, own: SecretsDeps['own'], instance: string): Promise<Buffer> {
  const found = own ? await own.read(name) : { why: 'agent.yaml names no folder of `secrets`' };
  if ('bytes' in found) return found.bytes;
  const { why, hint } = found;
  throw unreadable(name, instance, why, { disposition: 'retry', ...(hint && { hint }) });
}

async function open({ name, key, modified, mac, ...sealed }: Sealed, age: string | undefined, instance: string) {
  if (age === undefined) throw unreadable(name, instance, 'this node has no readable age identity');
  try {
    return decryptLeaves({ leaves: leavesOf(sealed), modified, mac }, await decryptWith([age], key));
  } catch (error) {
    if (!isProblemError(error)) throw error;
    throw unreadable(name, instance, error.problem.message);
  }
}

function leavesOf({ values }: Pick<Sealed, 'values'>): readonly SopsLeaf[] {
  return values.map(({ path, text }) => [path, text]);
}

/** What stands at its place under its own name, in the version that the digest says, and was encrypted. */
function wantedValue(
  { name, key, version }: RunSecret,
  sealed: Sealed,
  values: ReadonlyMap<string, Buffer>,
  instance: string,
): Buffer {
  const came = versionOf(leavesOf(sealed));
  if (version !== came) throw unreadable(name, instance, `it came in version ${came}, and ${version} was asked for`);
  const value = values.get(placeOfValue(name, key));
  if (!value) throw unreadable(name, instance, `it has no value ${key ?? 'of its own name'}`);
  return value;
}

function unreadable(name: string, instance: string, why: string, more: Partial<Problem> = {}): ProblemError {
  const message = `the secret ${name} cannot be read on this node: ${why}`;
  return new ProblemError(problem('SECRET_UNREADABLE', message, { subject: instance, ...more }));
}
