/** Wires an agent from what lies in one folder: agent.yaml and state/. Nothing is decided here. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { arch, hostname } from 'node:os';
import { join } from 'node:path';
import type { Advertised } from '../schemas/addresses.ts';
import type { AgeIdentity } from '../schemas/io/age.ts';
import { createSystemClock, createSystemRandom } from '../schemas/io/clock.ts';
import { createDurableFiles } from '../schemas/io/durable-files.ts';
import { lockFolder } from '../schemas/io/folder-lock.ts';
import type { Log } from '../schemas/io/log.ts';
import { createMqttBus } from '../schemas/io/mqtt-bus.ts';
import { createProcessLog } from '../schemas/io/process-log.ts';
import { registriesFile } from '../schemas/io/registries-file.ts';
import { type NodePolicy, withoutPaths } from '../schemas/policy.ts';
import type { Files } from '../schemas/ports.ts';
import { isProblemError, type Problem, ProblemError, problem } from '../schemas/problem.ts';
import { oakctlVersion } from '../schemas/version.ts';
import { type Addresses, settleAddresses } from './address.ts';
import { loadOrMakeAge } from './age-identity.ts';
import { type AgentConfig, parseAgentConfig } from './config.ts';
import { configOfEnvironment } from './environment.ts';
import { createImageSources } from './image-sources.ts';
import { type Agent, createAgent } from './loop.ts';
import { createUptime } from './metrics/uptime.ts';
import { createUsageMeter } from './metrics/usage.ts';
import { type NodeSecrets, openNodeSecrets } from './node-secrets.ts';
import { becomeNodeOf, type Place, type PlaceParts } from './place.ts';
import { readPolicy } from './policy-file.ts';
import type { AgentIdentity } from './ports.ts';
import { createRefusal } from './refusal.ts';
import { createRuntimes } from './runtimes/registry.ts';
import { createSecrets } from './runtimes/secrets.ts';
import { createTrace } from './trace-log.ts';

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
    const age = config.authority === 'local' ? { problems: [] } : await ageOf(parts.files);
    const policy = await policyOf(folder);
    const own = config.secrets === undefined ? undefined : await openNodeSecrets(config.secrets);
    const problems = [...policy.problems, ...age.problems, ...(own?.problem ? [own.problem] : [])];
    const host = { ...age, ...policy, ...(own && { secrets: own.secrets }), problems, folder };
    const { towards, ...node } = await becomeNodeOf(config, parts, signal);
    const addresses = await settleAddresses(config, towards, parts.files);
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
    return (await becomeNodeOf(config, parts, signal)).identity;
  } finally {
    clock.stop();
    await lock.release();
  }
}

/** What the node allows, as far as this process can look after it. */
async function policyOf(folder: string): Promise<Pick<HostRules, 'policy' | 'problems'>> {
  const file = join(folder, 'policy.yaml');
  const read = await readPolicy(file);
  // Set in the image.
  if (process.env['OAKCTL_CONTAINER'] === undefined) return read;
  const { policy, problems } = withoutPaths(read.policy, file);
  return { policy, problems: [...read.problems, ...problems] };
}

/** Without it the node runs everything but what needs secrets of the repository. */
async function ageOf(files: Files): Promise<Pick<HostRules, 'age' | 'problems'>> {
  try {
    return { age: await loadOrMakeAge(files), problems: [] };
  } catch (error) {
    if (!isProblemError(error)) throw error;
    return { problems: error.problems };
  }
}

function openFiles(folder: string, log: Log): Files {
  return createDurableFiles({ folder, damaged: (file, what) => log('error', 'file_damaged', { file, what }) });
}

/** What the node's owner allows, and the agent's own folder, which no copy sees. */
interface HostRules {
  readonly policy: NodePolicy;
  /** Absent: it reads no secrets of the repository. */
  readonly age?: AgeIdentity;
  /** Those that are files here. Absent: none are. */
  readonly secrets?: NodeSecrets;
  readonly problems: readonly Problem[];
  readonly folder: string;
}

async function wire(
  config: AgentConfig,
  { identity, realm, broker, onTrust, askSources: ask, standing, ...hooks }: Omit<Place, 'towards'>,
  folder: string,
  parts: PlaceParts & { readonly host: HostRules; readonly addresses: Addresses; told(connected: boolean): void },
  signal: AbortSignal,
): Promise<Agent> {
  const { clock, random, files, log, host, addresses, told } = parts;
  const trace = createTrace(log);
  const { policy } = host;
  // Runtimes are silent until the agent starts.
  let agent: Agent | undefined;
  const refusal = standing && createRefusal({ clock, standing, told: (found) => agent?.warn(found) }, signal);
  const secrets = createSecrets({ node: identity.id, age: host.age?.secret, own: host.secrets });
  const runtimes = await createRuntimes(config.runtimes, {
    cluster: realm,
    node: identity.id,
    ip: addresses.ip,
    folder,
    grants: policy.grants,
    own: [host.folder, ...(config.secrets === undefined ? [] : [config.secrets])],
    secrets,
    images: createImageSources({
      file: join(host.folder, registriesFile),
      ...(policy.accepts && { accepts: policy.accepts }),
      ...(ask && { ask }),
      log,
    }),
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
      ...(host.age && { recipient: host.age.recipient }),
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
      refused: () => refusal?.(),
    }),
    runtimes,
    policy,
    files,
    usage: createUsageMeter(config.capacity),
    gone: (key) => {
      // Who removes a container past its agent leaves its secrets.
      secrets.remove(key).catch((error: Error) => log('warn', 'secrets_kept', { ...key, reason: error.message }));
    },
    ...(host.secrets && { ownSecrets: host.secrets.names }),
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
