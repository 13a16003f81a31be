/**
 * Secrets that never leave their node: files in the folder that agent.yaml names. Who deploys says a name, and never a path. What is
 * there is looked for at each beat, and what it holds is read when a copy starts.
 */
import type { Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type FileFault, mountedSecretFault, readGuardedBytes, trustedFault } from '../schemas/io/guarded-file.ts';
import { type Problem, problem } from '../schemas/problem.ts';
import { mostNodeSecrets, secretNamePattern } from '../schemas/secret-names.ts';

export interface NodeSecrets {
  /** Names of those that are there, as they were found last; they are looked for again meanwhile. */
  names(): readonly string[];
  /** The value, or why it cannot be had. */
  read(name: string): Promise<{ readonly bytes: Buffer } | FileFault>;
}

/** Longest of them, in bytes. */
const longest = 1024 * 1024;

/** Looks into the folder for the first time. `problem`: what is wrong with it now. */
export async function openNodeSecrets(
  folder: string,
): Promise<{ readonly secrets: NodeSecrets; readonly problem?: Problem }> {
  const first = await look(folder);
  let known = first.names;
  let isLooking = false;
  const lookAgain = async (): Promise<void> => {
    isLooking = true;
    known = (await look(folder)).names;
    isLooking = false;
  };
  const secrets: NodeSecrets = {
    names() {
      if (!isLooking) void lookAgain();
      return known;
    },
    async read(name) {
      if (!secretNamePattern.test(name)) return { why: 'it has no name that a secret can have' };
      const fault = await faultOf(folder);
      if (fault) return fault;
      const file = join(folder, name);
      const found = await readGuardedBytes(file, longest, (info) => mountedSecretFault(file, info));
      return (
        found ?? { why: `there is no ${file}`, hint: 'put it there on this node, for its owner alone (chmod 600)' }
      );
    },
  };
  return { secrets, ...(first.fault && { problem: problemOf(folder, first.fault) }) };
}

/** Names of the plain files, sorted. Never rejects. */
async function look(folder: string): Promise<{ readonly names: readonly string[]; readonly fault?: FileFault }> {
  const fault = await faultOf(folder);
  if (fault) return { names: [], fault };
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  const names = files.filter((name) => secretNamePattern.test(name)).sort();
  return { names: names.slice(0, mostNodeSecrets) };
}

/** Who may write the folder may put another file in place of one. */
async function faultOf(folder: string): Promise<FileFault | undefined> {
  let info: Stats;
  try {
    info = await stat(folder);
  } catch (error) {
    return { why: `${folder} cannot be read (${(error as NodeJS.ErrnoException).code})` };
  }
  if (!info.isDirectory()) return { why: `${folder} is no folder` };
  const fault = trustedFault(folder, info);
  return fault && { why: `${folder}: ${fault.why}`, hint: `chown root ${folder} && chmod 700 ${folder}` };
}

function problemOf(folder: string, { why, hint }: FileFault): Problem {
  const message = `the node has no secrets of its own: ${why}`;
  return problem('SECRET_UNREADABLE', message, { subject: folder, ...(hint && { hint }) });
}
