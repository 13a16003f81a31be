/** The reconciler's way to its broker: the embedded one, which it starts, or another one, which it is told of. */
import { readFile } from 'node:fs/promises';
import { hostOf } from '../../schemas/addresses.ts';
import type { Log } from '../../schemas/io/log.ts';
import { createMqttBus } from '../../schemas/io/mqtt-bus.ts';
import type { Bus, Clock, Random } from '../../schemas/ports.ts';
import { type Problem, ProblemError, problem } from '../../schemas/problem.ts';
import type { ClusterSettings } from '../../schemas/settings.ts';
import type { ExternalBroker } from '../../schemas/settings-broker.ts';
import type { BrokerAccess, ReconcilerDeps } from '../context.ts';
import type { ClusterKeys } from '../keys/keys.ts';
import type { TlsKeeper } from '../tls/keeper.ts';
import { createCredentialsFile } from './credentials-file.ts';
import { startBroker } from './supervisor.ts';

export interface BrokerLink extends BrokerAccess {
  readonly bus: Bus;
  /** Where agents find the broker. */
  readonly agents: ReconcilerDeps['mqtt'];
  /** On a broker of somebody else's: who we are there. */
  readonly shared?: { readonly broker: string; readonly user: string };
  /** The broker's address as people read it. */
  readonly shown: string;
  conditions(): readonly Problem[];
  close(): Promise<void>;
}

export interface LinkOptions {
  readonly keys: ClusterKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Of the user `operator` of the broker. */
  readonly operatorPassword: string;
  readonly tls?: TlsKeeper;
  /** The embedded broker ended by itself, and is started again. */
  readonly onExit: (reason: string) => void;
  /** Two clients with the right password of a node want its connection. Only the embedded broker tells. */
  readonly onContested: (node: string, from: string) => void;
  /** Somebody has a password of a node that is not known any more. */
  readonly onForgotten: (node: string) => void;
}

/** PORT_TAKEN, SETTINGS_INVALID. An external broker may be away: it is waited for. */
export function openLink(settings: ClusterSettings, options: LinkOptions): Promise<BrokerLink> {
  const { external } = settings;
  return external ? linkTo(external, settings.cluster, options) : startOwn(settings, options);
}

async function startOwn({ mqtt }: ClusterSettings, options: LinkOptions): Promise<BrokerLink> {
  const { keys, clock, random, log, tls, operatorPassword, onExit, onContested, onForgotten } = options;
  const passwords = { credentialKey: keys.credentialKey, operatorPassword };
  const shown = tls && { tls: tls.current() };
  const listeners = { onExit, onContested, onForgotten };
  const broker = await startBroker({ ...mqtt, ...shown, ...passwords, random, clock, log, ...listeners });
  tls?.onChange(broker.setTls);
  const { url, username, password } = broker;
  return {
    bus: createMqttBus({ broker: { url }, username, password, clientId: username, clock, random, log }),
    agents: { host: mqtt.host, port: broker.port, ...(tls && { tls: true }) },
    shown: `${mqtt.host}:${broker.port}`,
    setNodes: broker.setNodes,
    disconnect: broker.disconnect,
    conditions: () => [],
    close: broker.close,
  };
}

async function linkTo(external: ExternalBroker, cluster: string, options: LinkOptions): Promise<BrokerLink> {
  const { keys, clock, random, log, operatorPassword } = options;
  const { url, username, credentials } = external;
  const password = (await readSetting(external.passwordFile, 'mqtt.password_file')).trim();
  const ca = external.ca === undefined ? undefined : await readSetting(external.ca, 'mqtt.ca');
  const trust = ca !== undefined && { ca };
  const reconciler = { name: username, password };
  const passwordOf = keys.credential;
  const users = { reconciler, operatorPassword, passwordOf };
  const file = credentials && createCredentialsFile({ credentials, cluster, ...users, clock, random, log });
  return {
    bus: createMqttBus({ broker: { url, ...trust }, username, password, clientId: username, clock, random, log }),
    agents: { ...addressOf(url), url, ...trust },
    shared: { broker: url, user: username },
    shown: url,
    setNodes: (nodes) => file?.setNodes(nodes),
    // Brokers cut who is no longer in their file when they read it again; agents refuse what is not signed for them anyway.
    disconnect: () => undefined,
    conditions: () => file?.conditions() ?? [],
    close: async () => file?.close(),
  };
}

const usualPorts: Readonly<Record<string, number>> = { 'mqtt:': 1883, 'mqtts:': 8883, 'ws:': 80, 'wss:': 443 };

/** For readers of join answers that know no URLs. */
function addressOf(url: string): { readonly host: string; readonly port: number } {
  const at = new URL(url);
  return { host: hostOf(at), port: at.port ? Number(at.port) : (usualPorts[at.protocol] ?? 1883) };
}

/** Text of a file that a setting names. SETTINGS_INVALID when it cannot be read, or is empty. */
export async function readSetting(file: string, name: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new ProblemError(problem('SETTINGS_INVALID', `${name} cannot be read: ${String(cause)}`, { file }), {
      cause,
    });
  });
  if (text.trim() !== '') return text;
  throw new ProblemError(problem('SETTINGS_INVALID', `${name} is empty`, { file }));
}
