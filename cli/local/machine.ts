/** What this machine has, for `oakctl doctor`. */

import type { Machine } from '../services/doctor.ts';
import { isFree } from './addresses.ts';
import { engineSocket, openEngine } from './engine.ts';

export async function inspectMachine(): Promise<Machine> {
  const [git, engine, loopback] = await Promise.all([
    gitVersion(),
    openEngine(engineSocket(process.env)),
    isFree(0, '127.0.0.11'),
  ]);
  return {
    node: process.version,
    loopback,
    ...(git === undefined ? {} : { git }),
    ...(engine === undefined ? {} : { engine: engine.version }),
  };
}

async function gitVersion(): Promise<string | undefined> {
  const { simpleGit } = await import('simple-git');
  const found = await simpleGit().version();
  return found.installed ? `git ${found.major}.${found.minor}.${found.patch}` : undefined;
}
