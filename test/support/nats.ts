import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brokerFiles, natsConfig, natsUsers } from '../../schemas/broker-config.ts';
import { eventually } from './eventually.ts';
import { ownPort } from './machine.ts';

const binary = ['/usr/sbin/nats-server', '/usr/local/bin/nats-server', '/usr/bin/nats-server'].find(existsSync);

/** False: the tests that need a NATS server are skipped. In CI it must be there. */
export function hasNats(): boolean {
  if (!binary && process.env['CI']) throw new Error('The NATS server is missing: apt-get install nats-server');
  return binary !== undefined;
}

export interface TestNats {
  readonly folder: string;
  readonly url: string;
  /** MQTT in a WebSocket. */
  readonly webSocketUrl: string;
  readonly pidFile: string;
  readonly passwordFile: string;
  log(): string;
  close(): Promise<void>;
}

let started = 0;

/** NATS with the files that `oakctl broker config nats` writes, and a listener for WebSockets, with TLS where there is a certificate. */
export async function startNats(options: {
  readonly password: string;
  readonly tls?: { readonly cert: string; readonly key: string };
}): Promise<TestNats> {
  const folder = await mkdtemp(join(tmpdir(), 'oakctl-nats-'));
  started += 2;
  const port = await ownPort(130 + started);
  const webSocketPort = await ownPort(131 + started);
  const { config: main, credentials } = brokerFiles.nats;
  const { tls, password } = options;
  const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  if (tls) for (const name of ['cert', 'key'] as const) await writeFile(files[name], tls[name], { mode: 0o600 });
  const secure = tls ? `tls { cert_file: "${files.cert}", key_file: "${files.key}" }` : 'no_tls: true';
  const text = natsConfig({ cluster: 'test', host: '127.0.0.1', port, folder, reconcilers: ['reconciler'] });
  const webSocket = `websocket { listen: "127.0.0.1:${webSocketPort}", ${secure} }\n`;
  await writeFile(join(folder, main), `pid_file: "${folder}/pid"\n${text}${webSocket}`);
  await writeFile(
    join(folder, credentials),
    natsUsers('test', [{ name: 'reconciler', password, kind: 'reconciler' }]),
    {
      mode: 0o600,
    },
  );
  const passwordFile = join(folder, 'reconciler.password');
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  let log = '';
  const child = spawn(binary ?? 'nats-server', ['-c', join(folder, main)], { stdio: ['ignore', 'ignore', 'pipe'] });
  child.stderr.on('data', (bytes: Buffer) => {
    log += bytes.toString();
  });
  await eventually(() => /Server is ready/.test(log), { what: 'NATS to be ready' }).catch(() => {
    throw new Error(`NATS did not start:\n${log}`);
  });
  return {
    folder,
    url: `mqtt://127.0.0.1:${port}`,
    webSocketUrl: `${tls ? 'wss' : 'ws'}://127.0.0.1:${webSocketPort}/mqtt`,
    pidFile: join(folder, 'pid'),
    passwordFile,
    log: () => log,
    async close() {
      if (child.exitCode === null && child.signalCode === null) {
        await new Promise<void>((resolve) => {
          child.once('exit', () => resolve());
          child.kill('SIGKILL');
        });
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}
