/** Wires an agent from what lies in one folder: agent.yaml and state/. Nothing is decided here. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { arch, hostname } from 'node:os';
import { join } from 'node:path';
import type { Advertised } from '../schemas/addresses.ts';
import { createApiClient } from '../schemas/io/api-client.ts';
import { createSystemClock, createSystemRandom } from '../schemas/io/clock.ts';
import { createDurableFiles } from '../schemas/io/durable-files.ts';
import { lockFolder } from '../schemas/io/folder-lock.ts';
import type { Log } from '../schemas/io/log.ts';
import { type BrokerPlaces, createMqttBus, type MqttBusOptions } from '../schemas/io/mqtt-bus.ts';
import { createProcessLog } from '../schemas/io/process-log.ts';
import { registriesFile } from '../schemas/io/registries-file.ts';
import { type NodePolicy, withoutPaths } from '../schemas/policy.ts';
import type { Clock, Files, Random } from '../schemas/ports.ts';
import { type Problem, ProblemError, problem } from '../schemas/problem.ts';
import type { Trusts } from '../schemas/trust.ts';
import { oakctlVersion } from '../schemas/version.ts';
import { type Addresses, settleAddresses } from './address.ts';
import { type AgentConfig, parseAgentConfig } from './config.ts';
import { createEndpoints, type Endpoints } from './endpoints.ts';
import { configOfEnvironment } from './environment.ts';
import { createImageSources, type ImageSourcesDeps } from './image-sources.ts';
import { loadOrJoin } from './join.ts';
import { createKeychain } from './keychain.ts';
import { type Agent, createAgent } from './loop.ts';
import { createUptime } from './metrics/uptime.ts';
import { createUsageMeter } from './metrics/usage.ts';
import { readPolicy } from './policy-file.ts';
import type { AgentDeps, AgentIdentity, Streams } from './ports.ts';
import { createRefusal } from './refusal.ts';
import { createRenewal, loadOrRegister, refuseRegistered } from './registration.ts';
import { createRuntimes } from './runtimes/registry.ts';
import { createStreamOpener } from './streams.ts';
import { createTrace } from './trace-log.ts';
import { brokerAt, endpointOf, joinedAt, withoutTls } from './trust.ts';

export { knownNode } from './known.ts';

export interface AgentOptions {
  /** Holds agent.yaml; state/ is made in it. */
  readonly folder: string;
  /** Where agent.yaml is missing, these variables say what it would. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Counts more than what either says. */
  readonly advertise?: Advertised;
}

/**
 * Runs until the signal aborts; copies go on running. Throws SETTINGS_INVALID, FOLDER_LOCKED, FILE_DAMAGED and what joining
 * throws. A node that has joined needs nobody to start: neither reconciler nor broker.
 */
export async function runAgent(options: AgentOptions, signal: AbortSignal): Promise<void> {
  const { folder, environment, advertise } = options;
  const read = await readConfig(folder, environment);
  const { warnings } = read;
  const config = { ...read.config, ...(advertise && { advertise }) };
  const { log } = createProcessLog({ agent: config.name });
  for (const warning of warnings) log('warn', 'settings', { problem: warning });
  const state = join(folder, 'state');
  let connected = false;
  const lock = await lockFolder(state, () => ({ connected }));
  try {
    const parts = { clock: createSystemClock(), random: createSystemRandom(), files: openFiles(state, log), log };
    const host = { ...(await policyOf(folder)), folder };
    const become = config.authority === 'local' ? becomeLocal : becomeNode;
    const node = await become(config, parts, signal);
    const addresses = await settleAddresses(config, node.towards, parts.files);
    log('info', 'addresses', { ...addresses });
    const told = (is: boolean): void => {
      connected = is;
    };
    const agent = await wire(config, node, state, { ...parts, host, addresses, told }, signal);
    await agent.start();
    await aborted(signal);
    await agent.stop('stopped');
  } finally {
    await lock.release();
  }
}

/**
 * Becomes a node and ends: for an installation, which is to fail while somebody is looking. Nothing is asked if it is one already.
 * `waiting` is told of each try that found nobody. Throws as {@link runAgent}.
 */
export async function joinAgent(
  { folder, waiting }: AgentOptions & { waiting(found: Problem): void },
  signal: AbortSignal,
): Promise<AgentIdentity> {
  const { config } = await readConfig(folder, undefined);
  const state = join(folder, 'state');
  const lock = await lockFolder(state);
  const clock = createSystemClock();
  try {
    const log: Log = (_level, event, fields) => {
      if (event === 'join_waits') waiting(fields?.['problem'] as Problem);
    };
    const parts = { clock, random: createSystemRandom(), files: openFiles(state, log), log };
    return (await (config.authority === 'local' ? becomeLocal : becomeNode)(config, parts, signal)).identity;
  } finally {
    clock.stop();
    await lock.release();
  }
}

/** What the node grants, as far as this process can look after it. */
async function policyOf(folder: string): Promise<Pick<HostRules, 'policy' | 'problems'>> {
  const file = join(folder, 'policy.yaml');
  const read = await readPolicy(file);
  // Set in the image.
  if (process.env['OAKCTL_CONTAINER'] === undefined) return read;
  const { policy, problems } = withoutPaths(read.policy, file);
  return { policy, problems: [...read.problems, ...problems] };
}

interface Parts {
  readonly clock: Clock;
  readonly random: Random;
  readonly files: Files;
  readonly log: Log;
}

function openFiles(folder: string, log: Log): Files {
  return createDurableFiles({ folder, damaged: (file, what) => log('error', 'file_damaged', { file, what }) });
}

/** Who this agent is, and how it speaks with whom. */
interface Place {
  readonly identity: AgentIdentity;
  /** Marks what is ours in an engine. */
  readonly realm: string;
  readonly broker: Pick<MqttBusOptions, 'broker' | 'username' | 'password' | 'refused'>;
  /** URL of the broker that it comes to first: on the way there is the address of the node. */
  readonly towards: string;
  readonly verify: AgentDeps['verify'];
  readonly streams: Streams;
  readonly endpoints?: Pick<Endpoints, 'take' | 'list'>;
  readonly onConnected?: () => void;
  readonly trusts?: () => Trusts;
  /** Calls back when `trusts` says something else. */
  readonly onTrust?: (changed: () => void) => void;
  /** Asks the reconciler where images of a registry are to be had. */
  readonly askSources?: NonNullable<ImageSourcesDeps['ask']>;
  /** Asks what this node is to its cluster. */
  readonly standing?: (signal: AbortSignal) => Promise<unknown>;
}

function meetingDeps({ api }: AgentConfig, { clock, random, files, log }: Parts) {
  const connect = (ca: string | undefined) => createApiClient(endpointOf(api, ca));
  const askTls = (asked: AbortSignal) => createApiClient({ url: withoutTls(api) }).tls(asked);
  const waiting = (found: Problem): void => log('warn', 'join_waits', { problem: found });
  return { files, clock, random, connect, askTls, waiting };
}

async function becomeNode(config: AgentConfig, parts: Parts, signal: AbortSignal): Promise<Place> {
  const { name, api: reconciler, token } = config;
  await refuseRegistered(parts.files);
  const { ip } = (await settleAddresses(config, reconciler, parts.files)).advertise;
  const wish = { name, ip, version: oakctlVersion, ...(token !== undefined && { token }) };
  const joined = await loadOrJoin(meetingDeps(config, parts), wish, signal);
  const { id, cluster, fingerprint, mqtt } = joined;
  const { files, clock, random, log } = parts;
  let changed = (): void => undefined;
  const apiAt = (api: string) => createApiClient(endpointOf(api, keychain.ca()));
  const keychain = createKeychain(
    {
      files,
      clock,
      credential: (password, asked) => apiAt(endpoints.current().api).credential(id, password, asked),
      changed: () => changed(),
      trouble: (problem) => log('warn', 'keychain', { problem }),
    },
    joined,
    signal,
  );
  const endpoints = createEndpoints({
    files,
    random,
    trusted: keychain,
    joined: joinedAt(mqtt, config.api),
    ask: ({ api }, nonce, asked) => apiAt(api).identity(nonce, asked),
    trouble: (problem) => log('warn', 'endpoints', { problem }),
  });
  await endpoints.load();
  const broker: BrokerPlaces = {
    reached: endpoints.reached,
    async next() {
      const endpoint = await endpoints.next(signal);
      return endpoint && brokerAt(endpoint, keychain.ca());
    },
  };
  const { password, refused, verify, trusts } = keychain;
  return {
    identity: { id, name: joined.name, cluster },
    realm: fingerprint,
    broker: { broker, username: mqtt.username, password, refused },
    towards: endpoints.current().mqtt,
    verify,
    streams: createStreamOpener({
      api: () => endpointOf(endpoints.current().api, keychain.ca()),
      node: id,
      password,
    }),
    endpoints,
    askSources: (registry, asked) => {
      const api = endpointOf(endpoints.current().api, keychain.ca());
      return createApiClient({ ...api, basic: { user: id, password: password() } }).pullSources(registry, asked);
    },
    onConnected: keychain.admitted,
    trusts,
    onTrust: (run) => {
      changed = run;
    },
    standing: (asked) =>
      createApiClient(endpointOf(endpoints.current().api, keychain.ca())).standing(
        { node: id, password: password() },
        asked,
      ),
  };
}

/** Its own authority: nothing is signed for it, and nobody reads from it. */
async function becomeLocal(config: AgentConfig, parts: Parts, signal: AbortSignal): Promise<Place> {
  const { name, token } = config;
  const { ip } = (await settleAddresses(config, config.api, parts.files)).advertise;
  const wish = { name, ip, ...(token !== undefined && { token }) };
  const deps = meetingDeps(config, parts);
  const { registered, isNew } = await loadOrRegister(deps, wish, signal);
  const { id, cluster, realm, port, url, username, password, ca } = registered;
  const failed = (found: Problem): void => parts.log('warn', 'registration_not_renewed', { problem: found });
  const renew = createRenewal({ ...deps, failed }, registered, { ip }, signal);
  let isFresh = isNew;
  const onConnected = (): void => {
    if (!isFresh) renew();
    isFresh = false;
  };
  // The manager names a port only: its broker is where it is, and speaks as it does.
  const mqtt = { host: '0.0.0.0', port, tls: config.api.startsWith('https:'), url };
  const broker = brokerAt(joinedAt(mqtt, config.api), ca);
  return {
    identity: { id, name: registered.name, cluster },
    realm,
    towards: broker.url,
    broker: {
      broker,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
    },
    verify: () => false,
    onConnected,
    streams: { open: () => Promise.reject(new ProblemError(problem('UNAVAILABLE', 'this node serves no streams'))) },
  };
}

/** What the node's owner allows, and the agent's own folder, which no copy sees. */
interface HostRules {
  readonly policy: NodePolicy;
  readonly problems: readonly Problem[];
  readonly folder: string;
}

async function wire(
  config: AgentConfig,
  { identity, realm, broker, onTrust, askSources: ask, standing, ...hooks }: Place,
  folder: string,
  parts: Parts & { readonly host: HostRules; readonly addresses: Addresses; told(connected: boolean): void },
  signal: AbortSignal,
): Promise<Agent> {
  const { clock, random, files, log, host, addresses, told } = parts;
  const trace = createTrace(log);
  const { grants } = host.policy;
  // Runtimes are silent until the agent starts.
  let agent: Agent | undefined;
  const refusal = standing && createRefusal({ clock, standing, told: (found) => agent?.warn(found) }, signal);
  const runtimes = await createRuntimes(config.runtimes, {
    cluster: realm,
    node: identity.id,
    ip: addresses.ip,
    folder,
    grants,
    own: [host.folder],
    images: createImageSources({ file: join(host.folder, registriesFile), ...(ask && { ask }), log }),
    onConflict: (conflict) => agent?.warn(conflict),
  });
  agent = createAgent({
    identity,
    authority: config.authority,
    profile: {
      ...addresses,
      labels: config.labels,
      ...(config.location !== undefined && { location: config.location }),
      arch: arch(),
      version: oakctlVersion,
      beat: config.beat,
      boot: await bootId(),
    },
    clock,
    random,
    bus: createMqttBus({
      ...broker,
      clientId: identity.id,
      clock,
      random,
      longestDelay: config.beat,
      log,
      refused: () => {
        broker.refused?.();
        refusal?.();
      },
    }),
    runtimes,
    grants,
    files,
    usage: createUsageMeter(config.capacity),
    uptime: createUptime(),
    ...hooks,
    trace(event) {
      if (event.kind === 'connected' || event.kind === 'disconnected') told(event.kind === 'connected');
      trace(event);
    },
  });
  const { tell } = agent;
  onTrust?.(tell);
  for (const found of host.problems) agent.warn(found);
  return agent;
}

/** Changes at each boot of the machine; where the system does not tell, at each start of the agent. */
async function bootId(): Promise<string> {
  try {
    return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  } catch {
    return randomUUID();
  }
}

async function readConfig(
  folder: string,
  environment: AgentOptions['environment'],
): Promise<{ config: AgentConfig; warnings: readonly Problem[] }> {
  const file = join(folder, 'agent.yaml');
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (environment && cause.code === 'ENOENT') return undefined;
    const hint = 'write api, token and ip of the node into it';
    throw new ProblemError(problem('SETTINGS_INVALID', 'the folder has no readable agent.yaml', { file, hint }), {
      cause,
    });
  });
  const { config, problems } =
    text === undefined
      ? await configOfEnvironment(environment ?? {}, hostname())
      : parseAgentConfig(text, file, hostname());
  if (!config) throw new ProblemError(problems);
  return { config, warnings: problems };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (signal.aborted) resolve();
  });
}
