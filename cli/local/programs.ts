/** Packages that install.sh put on this machine, and the link to the one in use. What somebody else put there stays. */
import { existsSync } from 'node:fs';
import { readdir, readlink, rename, rm, rmdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';

const programs = '/opt/oakctl';
const link = '/usr/local/bin/oakctl';

/** All of them, the one that runs this included: what it needs from now on has to be loaded. */
export async function removePrograms(): Promise<void> {
  const target = await readlink(link).catch(() => '');
  if (target.startsWith(`${programs}/`)) await rm(link, { force: true });
  for (const name of await readdir(programs).catch(() => [])) {
    if (isPackage(programs, name)) await removeOne(programs, name);
    else if (name.startsWith('.new.')) await rm(join(programs, name), { recursive: true, force: true });
  }
  await rmdir(programs).catch(() => undefined);
}

/**
 * Packages of other versions than the one that has `program`, but those from which something still runs; answers what was removed.
 * None if `program` is of no package, or where nobody can tell what runs. `folder`: where packages are.
 */
export async function removeOtherPrograms(program = process.execPath, folder = programs): Promise<readonly string[]> {
  const own = packageOf(folder, program);
  if (own === undefined || !isPackage(folder, own)) return [];
  const names = (await readdir(folder)).filter((name) => name !== own && isPackage(folder, name));
  if (names.length === 0) return [];
  const used = await runningPackages(folder);
  if (!used) return [];
  const removed = names.filter((name) => !used.has(name));
  for (const name of removed) await removeOne(folder, name);
  return removed;
}

function isPackage(folder: string, name: string): boolean {
  return existsSync(join(folder, name, 'complete'));
}

/** The package in which a file is. */
function packageOf(folder: string, file: string): string | undefined {
  const [name, ...rest] = relative(folder, file).split(sep);
  return name === undefined || name === '..' || rest.length === 0 ? undefined : name;
}

/** Packages whose programs run: their own Node is what runs them. Undefined where nobody can tell. */
async function runningPackages(folder: string): Promise<ReadonlySet<string> | undefined> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  if (pids.length === 0) return undefined;
  const running = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/exe`).catch(() => '')));
  return new Set(running.flatMap((file) => packageOf(folder, file) ?? []));
}

/** Under the name of what install.sh has not finished: whoever installs or removes next completes what was interrupted. */
async function removeOne(folder: string, name: string): Promise<void> {
  const doomed = join(folder, `.new.${process.pid}`);
  await rm(doomed, { recursive: true, force: true });
  await rename(join(folder, name), doomed);
  await rm(doomed, { recursive: true, force: true });
}
