/** An ssh server of the test on this machine: one host key, one user with one key. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually } from './eventually.ts';

const exec = promisify(execFile);
const program = '/usr/sbin/sshd';

export interface SshServer {
  /** `ssh://user@127.0.0.1:port`. */
  readonly url: string;
  /** The private key that is let in. */
  readonly key: string;
  /** A file of known hosts that has this one as it is now. */
  readonly knownHosts: string;
  /** Another host key from now on, as a machine in the middle has. */
  changeHost(): Promise<void>;
  close(): Promise<void>;
}

/** sshd is installed, and may be started: it wants root. */
export async function sshAnswers(): Promise<boolean> {
  return process.getuid?.() === 0 && (await readFile(program).then(Boolean, () => false));
}

export async function serveSsh(folder: string): Promise<SshServer> {
  const make = async (name: string): Promise<string> => {
    await exec('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', join(folder, name)]);
    return join(folder, name);
  };
  const [key, first, second] = [await make('user'), await make('host-1'), await make('host-2')];
  const port = await freePort();
  await writeFile(join(folder, 'authorized'), await readFile(`${key}.pub`), { mode: 0o600 });
  const knownHosts = join(folder, 'known_hosts');
  const [kind, material] = (await readFile(`${first}.pub`, 'utf8')).split(' ');
  await writeFile(knownHosts, `[127.0.0.1]:${port} ${kind} ${material}\n`, { mode: 0o644 });
  // Where sshd separates its rights.
  await mkdir('/run/sshd', { recursive: true });
  let server = await begin(folder, port, first);
  return {
    url: `ssh://${userInfo().username}@127.0.0.1:${port}`,
    key,
    knownHosts,
    async changeHost() {
      await end(server);
      server = await begin(folder, port, second);
    },
    close: () => end(server),
  };
}

async function begin(folder: string, port: number, hostKey: string): Promise<ChildProcess> {
  const lines = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${hostKey}`,
    `AuthorizedKeysFile ${join(folder, 'authorized')}`,
    'StrictModes no',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'PermitRootLogin prohibit-password',
    'UsePAM no',
    'PidFile none',
  ];
  const file = join(folder, 'sshd_config');
  await writeFile(file, `${lines.join('\n')}\n`);
  const child = spawn(program, ['-D', '-e', '-f', file], { stdio: 'ignore' });
  await eventually(
    () =>
      new Promise<boolean>((resolve) => {
        const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
        socket.on('connect', () => socket.destroy());
      }),
  );
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill();
  await ended;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
