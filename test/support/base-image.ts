/** An image with what this machine has: Node, git and a shell with their libraries. For builds that can pull no base. */
import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, realpath, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const applets = ['sh', 'echo', 'mkdir', 'chown', 'chmod', 'ln', 'mv', 'cat', 'id', 'sleep'];

/** Imports the image as `tag`; `folder` is filled, and may be removed afterwards. Needs a static busybox. */
export async function importBase(tag: string, folder: string): Promise<void> {
  const [busybox, git] = await Promise.all(['busybox', 'git'].map(pathOf));
  const programs = { 'bin/busybox': busybox, 'usr/bin/git': git, 'usr/bin/node': process.execPath };
  for (const [path, from] of Object.entries(programs)) await put(folder, path, from ?? '');
  for (const library of await librariesOf(Object.values(programs) as string[])) {
    await put(folder, library.slice(1), library);
  }
  for (const name of applets) await symlink('busybox', join(folder, 'bin', name));
  await symlink('/bin/busybox', join(folder, 'usr/bin/env'));
  await symlink('git', join(folder, 'usr/bin/git-upload-pack'));
  for (const empty of ['etc', 'tmp', 'run', 'var/lib']) await mkdir(join(folder, empty), { recursive: true });
  await chmod(join(folder, 'tmp'), 0o1777);
  const archive = `${folder}.tar`;
  await run('tar', ['-C', folder, '--owner=0', '--group=0', '-cf', archive, '.']);
  await run('docker', ['import', '--change', 'ENV PATH=/usr/bin:/bin', archive, tag]);
}

async function pathOf(name: string): Promise<string> {
  const { stdout } = await run('sh', ['-c', `command -v ${name}`]);
  return stdout.trim();
}

async function put(folder: string, path: string, from: string): Promise<void> {
  const to = join(folder, path);
  await mkdir(dirname(to), { recursive: true });
  await copyFile(await realpath(from), to);
}

/** Shared libraries, and the loader itself, under the names by which they are looked for. None for static programs. */
async function librariesOf(programs: readonly string[]): Promise<string[]> {
  const listed = await Promise.all(programs.map((path) => run('ldd', [path]).catch(() => ({ stdout: '' }))));
  const paths = listed.flatMap(({ stdout }) =>
    [...stdout.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map((match) => match[1] ?? ''),
  );
  return [...new Set(paths)];
}
