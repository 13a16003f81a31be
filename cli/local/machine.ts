/** What this machine has, for `oakctl doctor`. */
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Machine } from '../services/machine-findings.ts';
import { isFree } from './addresses.ts';
import { engineSocket, openEngine } from './engine.ts';

/** Ports of API and broker, unless a cluster says otherwise. */
const usualPorts = [10_100, 10_003];

/** `home`: the folder of oakctl; need not exist. */
export async function inspectMachine(home: string): Promise<Machine> {
  const [git, engine, loopback, takenPorts, disk] = await Promise.all([
    gitVersion(),
    openEngine(engineSocket(process.env)),
    isFree(0, '127.0.0.11'),
    taken(usualPorts),
    diskAt(home),
  ]);
  return {
    node: process.version,
    loopback,
    takenPorts,
    now: Date.now(),
    ...(git === undefined ? {} : { git }),
    ...(engine === undefined ? {} : { engine: engine.version }),
    ...(disk === undefined ? {} : { disk }),
  };
}

async function gitVersion(): Promise<string | undefined> {
  const { simpleGit } = await import('simple-git');
  const found = await simpleGit().version();
  return found.installed ? `git ${found.major}.${found.minor}.${found.patch}` : undefined;
}

async function taken(ports: readonly number[]): Promise<readonly number[]> {
  const free = await Promise.all(ports.map((port) => isFree(port)));
  return ports.filter((_, i) => !free[i]);
}

/** The folder itself, or the nearest one above it that exists. */
async function diskAt(path: string): Promise<Machine['disk']> {
  try {
    const { bavail, bsize, ffree, files } = await statfs(path);
    // Some file systems count no files.
    return { path, bytes: bavail * bsize, ...(files > 0 && { files: ffree }) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(path) === path) return undefined;
    return diskAt(dirname(path));
  }
}
