import { execFileSync, spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrokerConfig, brokerFiles, mosquittoAccess, mosquittoConfig } from '../../schemas/broker-config.ts';
import { mosquittoPasswordLine } from '../../schemas/io/mosquitto-passwords.ts';
import { eventually } from './eventually.ts';
import { ownPort } from './machine.ts';

const binary = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto', '/opt/homebrew/sbin/mosquitto'].find(existsSync);

/** False: the tests that need Mosquitto are skipped. In CI it must be there. */
export function hasMosquitto(): boolean {
  if (!binary && process.env['CI']) throw new Error('Mosquitto is missing: apt-get install mosquitto');
  return binary !== undefined;
}

export interface TestMosquitto {
  readonly folder: string;
  readonly port: number;
  readonly url: string;
  readonly pid: number;
  /** What it wrote to stderr. */
  log(): string;
  /** Replaces the password file and tells it. */
  setUsers(users: Readonly<Record<string, string>>): Promise<void>;
  /** Writes the password of a user into a file of its own, and answers its path. */
  passwordFile(user: string, password: string): string;
  /** Ends the process, and nothing else. */
  kill(): Promise<void>;
  /** Starts it again on the same port. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** Mosquitto with the files that `oakctl broker config mosquitto` writes. */
export async function startMosquitto(options: {
  readonly users: Readonly<Record<string, string>>;
  readonly reconcilers?: readonly string[];
  readonly cluster?: string;
  /** PEM: it speaks MQTT over TLS. */
  readonly tls?: { readonly cert: string; readonly key: string };
}): Promise<TestMosquitto> {
  const folder = await mkdtemp(join(tmpdir(), 'oakctl-mosquitto-'));
  const port = await freePort();
  const { reconcilers = ['reconciler'], cluster = 'test' } = options;
  const { tls: pem } = options;
  const tls = pem && { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  if (pem) {
    await writeFile(join(folder, 'cert.pem'), pem.cert);
    await writeFile(join(folder, 'key.pem'), pem.key, { mode: 0o600 });
  }
  const config: BrokerConfig = { cluster, host: '127.0.0.1', port, folder, reconcilers, ...(tls && { tls }) };
  const { config: main, access, credentials } = brokerFiles.mosquitto;
  // Started as root it would become its own user, and could not read a folder of ours.
  const user = execFileSync('id', ['-un'], { encoding: 'utf8' });
  await writeFile(join(folder, main), `user ${user}pid_file ${folder}/pid\n${mosquittoConfig(config)}`);
  await writeFile(join(folder, access), mosquittoAccess(config));
  const writeUsers = async (users: Readonly<Record<string, string>>): Promise<void> => {
    const lines = await Promise.all(
      Object.entries(users).map(([name, password], n) =>
        mosquittoPasswordLine(name, password, new Uint8Array(12).fill(n)),
      ),
    );
    await writeFile(join(folder, credentials), `${lines.join('\n')}\n`, { mode: 0o600 });
  };
  await writeUsers(options.users);
  let log = '';
  let child = launch();
  function launch() {
    const started = spawn(binary ?? 'mosquitto', ['-c', join(folder, main)], { stdio: ['ignore', 'ignore', 'pipe'] });
    started.stderr.on('data', (text: Buffer) => {
      log += text.toString();
    });
    return started;
  }
  const running = () =>
    eventually(() => / running/.test(log), { what: 'Mosquitto to listen' }).catch(() => {
      throw new Error(`Mosquitto did not start:\n${log}`);
    });
  await running();
  const mosquitto: TestMosquitto = {
    folder,
    port,
    url: `${tls ? 'mqtts' : 'mqtt'}://127.0.0.1:${port}`,
    get pid() {
      return child.pid ?? 0;
    },
    log: () => log,
    async setUsers(users) {
      await writeUsers(users);
      const before = log.length;
      child.kill('SIGHUP');
      await eventually(() => /Reloading config/.test(log.slice(before)));
    },
    passwordFile(user, password) {
      const file = join(folder, `${user}.password`);
      writeFileSync(file, `${password}\n`, { mode: 0o600 });
      return file;
    },
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      await new Promise<void>((resolve) => {
        child.once('exit', () => resolve());
        child.kill('SIGKILL');
      });
    },
    async start() {
      log = '';
      child = launch();
      await running();
    },
    async close() {
      await mosquitto.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return mosquitto;
}

let started = 0;

/** Outside of what the system gives to connections, so that it is still free after {@link TestMosquitto.kill}. */
function freePort(): Promise<number> {
  started += 1;
  return ownPort(100 + started);
}
