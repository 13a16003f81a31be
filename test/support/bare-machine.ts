/**
 * A machine that has nothing of ours, as a folder to change the root into: what debootstrap unpacks of Debian, curl and wget, no Node,
 * no systemd that runs. Packages are unpacked and not set up, which takes half of the time and is all that is needed here.
 */
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { systemPath, unmountBelow } from './own-engine.ts';

const run = promisify(execFile);
const env = { ...process.env, PATH: systemPath };

export const mayBeBare =
  process.getuid?.() === 0 && systemPath.split(':').some((folder) => existsSync(join(folder, 'debootstrap')));

export interface BareRun {
  readonly code: number;
  readonly text: string;
}

export interface BareMachine {
  readonly folder: string;
  /** Runs a line of a shell in it, as root unless `user` says otherwise. Never throws. */
  run(line: string, options?: { readonly path?: string; readonly user?: string }): Promise<BareRun>;
  /** Starts a line of a shell in it; answers how to end it. */
  start(line: string): () => Promise<void>;
  /** Everything in it but what comes and goes by itself, sorted. */
  files(): Promise<readonly string[]>;
  close(): Promise<void>;
}

const shellEnv = (path: string) => ({ PATH: path, HOME: '/root', LANG: 'C' });
const usualPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** From the mirror that this machine installs from. `sockets`: of this machine, to be there in that one, too. */
export async function createBareMachine(sockets: readonly string[] = []): Promise<BareMachine> {
  const folder = await mkdtemp(join(tmpdir(), 'oakctl-bare-'));
  try {
    await fill(folder, sockets);
  } catch (error) {
    await close(folder);
    throw error;
  }
  const words = (line: string, user?: string) => [
    ...(user ? [`--userspec=${user}`] : []),
    folder,
    '/bin/sh',
    '-c',
    line,
  ];
  return {
    folder,
    run: (line, { path = usualPath, user } = {}) =>
      new Promise((resolve) => {
        execFile(
          '/usr/sbin/chroot',
          words(line, user),
          { env: shellEnv(path), timeout: 120_000 },
          (error, stdout, stderr) => {
            resolve({ code: error ? Number(error.code ?? -1) : 0, text: stdout + stderr });
          },
        );
      }),
    start(line) {
      const child = spawn('/usr/sbin/chroot', words(`exec ${line}`), { env: shellEnv(usualPath), stdio: 'ignore' });
      const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
      return async () => {
        child.kill('SIGTERM');
        await ended;
      };
    },
    async files() {
      const { stdout } = await run('find', [folder, '-xdev', '-path', `${folder}/tmp/*`, '-prune', '-o', '-print'], {
        maxBuffer: 1 << 26,
      });
      return stdout.split('\n').sort();
    },
    close: () => close(folder),
  };
}

async function fill(folder: string, sockets: readonly string[]): Promise<void> {
  const { suite, mirror } = await source();
  await run('debootstrap', ['--foreign', '--variant=minbase', '--include=curl,wget', suite, folder, mirror], {
    env,
    maxBuffer: 1 << 26,
  });
  const archives = join(folder, 'var/cache/apt/archives');
  const base = (await readFile(join(folder, 'debootstrap/base'), 'utf8')).split(/\s+/).filter(Boolean);
  for (const file of await readdir(archives)) {
    if (!base.includes(file.split('_', 1)[0] ?? '')) continue;
    // As debootstrap does it: /lib and /bin are links, and stay so.
    const unpack = 'dpkg-deb --fsys-tarfile "$0" | tar -xf - --keep-directory-symlink -C "$1"';
    await run('sh', ['-c', unpack, join(archives, file), folder]);
  }
  await rm(archives, { recursive: true });
  // What is made when packages are set up.
  for (const made of ['opt', 'usr/local/bin']) await mkdir(join(folder, made), { recursive: true });
  await copyFile(join(folder, 'usr/share/base-passwd/passwd.master'), join(folder, 'etc/passwd'));
  // In a container debootstrap makes a link of it, which would lead to that of this machine, and to itself in the other one.
  await rm(join(folder, 'proc'), { recursive: true });
  await mkdir(join(folder, 'proc'));
  for (const at of ['proc', 'dev']) await run('mount', ['--bind', `/${at}`, join(folder, at)], { env });
  for (const socket of sockets) {
    await mkdir(dirname(join(folder, socket)), { recursive: true });
    await writeFile(join(folder, socket), '');
    await run('mount', ['--bind', socket, join(folder, socket)], { env });
  }
}

/** Release and mirror of this machine. */
async function source(): Promise<{ readonly suite: string; readonly mirror: string }> {
  const release = await readFile('/etc/os-release', 'utf8');
  const suite = /^VERSION_CODENAME=(\S+)/m.exec(release)?.[1] ?? 'stable';
  const folder = '/etc/apt/sources.list.d';
  const files = ['/etc/apt/sources.list', ...(await readdir(folder).catch(() => [])).map((name) => join(folder, name))];
  for (const file of files) {
    const text = await readFile(file, 'utf8').catch(() => '');
    for (const part of text.split('\n\n')) {
      const one = new RegExp(`^deb (?:\\[[^\\]]*\\] )?(\\S+) ${suite} `, 'm').exec(part)?.[1];
      const many = new RegExp(`^Suites:.*\\b${suite}( |$)`, 'm').test(part)
        ? /^URIs: (\S+)/m.exec(part)?.[1]
        : undefined;
      if (one ?? many) return { suite, mirror: one ?? many ?? '' };
    }
  }
  throw new Error('no mirror of Debian is configured on this machine');
}

async function close(folder: string): Promise<void> {
  await unmountBelow(folder);
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}
