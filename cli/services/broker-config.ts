/** The files of a broker that runs by itself. What is secret or rewritten by the reconciler is made once, and never replaced. */
import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isLoopback, withPort } from '../../schemas/addresses.ts';
import {
  type BrokerConfig,
  type BrokerKind,
  brokerFiles,
  mosquittoAccess,
  mosquittoConfig,
  natsConfig,
  natsUsers,
} from '../../schemas/broker-config.ts';
import { mosquittoPasswordLine, saltBytes } from '../../schemas/io/mosquitto-passwords.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';

export interface ConfigFile {
  readonly name: string;
  readonly text: string;
}

/** What is made anew each time: the same input gives the same files. TLS_REQUIRED outside loopback without a certificate. */
export function brokerConfig(kind: BrokerKind, config: BrokerConfig): readonly ConfigFile[] {
  if (!isLoopback(config.host) && !config.tls) {
    const message = `${config.host} is not loopback, and there is no TLS: credentials would be readable on the way`;
    throw new ProblemError(problem('TLS_REQUIRED', message, { hint: 'add --cert and --key' }));
  }
  if (kind === 'nats') return [{ name: brokerFiles.nats.config, text: natsConfig(config) }];
  return [
    { name: brokerFiles.mosquitto.config, text: mosquittoConfig(config) },
    { name: brokerFiles.mosquitto.access, text: mosquittoAccess(config) },
  ];
}

export interface WrittenConfig {
  readonly written: readonly string[];
  /** Were there already. */
  readonly kept: readonly string[];
}

/** Writes the files into the folder, with a random password for each reconciler where there is none. */
export async function writeBrokerConfig(kind: BrokerKind, config: BrokerConfig): Promise<WrittenConfig> {
  const { folder, reconcilers, cluster } = config;
  const files = brokerConfig(kind, config);
  const written: string[] = [];
  const kept: string[] = [];
  await mkdir(folder, { recursive: true });
  for (const { name, text } of files) {
    await writeFile(join(folder, name), text);
    written.push(name);
  }
  /** Secret, and only if it is not there. */
  const once = async (name: string, text: string): Promise<void> => {
    try {
      await writeFile(join(folder, name), text, { flag: 'wx', mode: 0o600 });
      written.push(name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      kept.push(name);
    }
  };
  const users: { name: string; password: string; kind: 'reconciler' }[] = [];
  for (const name of reconcilers) {
    await once(passwordFile(name), `${randomBytes(32).toString('base64url')}\n`);
    const password = (await readFile(join(folder, passwordFile(name)), 'utf8')).trim();
    users.push({ name, password, kind: 'reconciler' });
  }
  const lines = users.map(({ name, password }) => mosquittoPasswordLine(name, password, randomBytes(saltBytes)));
  const credentials = kind === 'nats' ? natsUsers(cluster, users) : `${(await Promise.all(lines)).join('\n')}\n`;
  await once(brokerFiles[kind].credentials, credentials);
  await letBrokerRead(join(folder, brokerFiles[kind].credentials), kind);
  return { written, kept };
}

/** Groups that the packages of the brokers make. */
const groups: Readonly<Record<BrokerKind, string>> = { mosquitto: 'mosquitto', nats: 'nats' };

/**
 * A broker that is started by root becomes its own user before it reads the passwords: where there is its group, that group may read
 * them, and the reconciler keeps it so whenever it rewrites them. Others than root can give a file to nobody.
 */
async function letBrokerRead(file: string, kind: BrokerKind): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const known = await readFile('/etc/group', 'utf8').catch(() => '');
  const [, , gid] = (known.split('\n').find((line) => line.startsWith(`${groups[kind]}:`)) ?? '').split(':');
  if (gid === undefined) return;
  await chown(file, 0, Number(gid));
  await chmod(file, 0o640);
}

/** What cluster.yaml of the first reconciler is to say, instead of its `mqtt`. */
export function brokerSettings(kind: BrokerKind, { host, port, tls, folder, reconcilers }: BrokerConfig): string {
  const [user = 'reconciler'] = reconcilers;
  const address = withPort(host, port);
  const pid = kind === 'nats' ? 'nats-server' : 'mosquitto';
  return `mqtt:
  url: ${tls ? 'mqtts' : 'mqtt'}://${address}
  username: ${user}
  password_file: ${folder}/${passwordFile(user)}
broker:
  credentials:
    file: ${folder}/${brokerFiles[kind].credentials}
    format: ${kind}
    reload: [systemctl, reload, ${pid}]
`;
}

function passwordFile(user: string): string {
  return `${user}.password`;
}
