/** Where oakctl keeps things on this machine. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { nodeNamePattern } from '../schemas/names.ts';
import { ProblemError, problem } from '../schemas/problem.ts';

export type Env = Readonly<Record<string, string | undefined>>;

/** `$OAKCTL_HOME`, else `~/.oakctl`. Need not exist. */
export function homeFolder(env: Env): string {
  return env['OAKCTL_HOME'] ? resolve(env['OAKCTL_HOME']) : join(homedir(), '.oakctl');
}

/** Folder of all clusters that have their files on this machine. */
export function clustersFolder(home: string): string {
  return join(home, 'clusters');
}

/** Folder of one cluster; NAME_INVALID for what is no cluster name (so that no name leads out of the home). */
export function clusterFolder(home: string, name: string): string {
  if (!nodeNamePattern.test(name)) {
    throw new ProblemError(
      problem('NAME_INVALID', `\`${name}\` is not a name for a cluster`, {
        hint: 'letters, digits, - and _, at most 63, starting with a letter or digit',
      }),
    );
  }
  return join(clustersFolder(home), name);
}
