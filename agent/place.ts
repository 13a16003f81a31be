/** How an agent comes to be a node: what it joined or registered as, and all that follows from that. */
import { createApiClient } from '../schemas/io/api-client.ts';
import type { Log } from '../schemas/io/log.ts';
import type { BrokerPlaces, MqttBusOptions } from '../schemas/io/mqtt-bus.ts';
import type { Clock, Files, Random } from '../schemas/ports.ts';
import { type Problem, ProblemError, problem } from '../schemas/problem.ts';
import type { Trusts } from '../schemas/trust.ts';
import { oakctlVersion } from '../schemas/version.ts';
import { settleAddresses } from './address.ts';
import type { AgentConfig } from './config.ts';
import { createEndpoints, type Endpoints } from './endpoints.ts';
import type { ImageSourcesDeps } from './image-sources.ts';
import { loadOrJoin } from './join.ts';
import { createKeychain } from './keychain.ts';
import type { AgentDeps, AgentIdentity, Streams } from './ports.ts';
import { createRenewal, loadOrRegister, refuseRegistered } from './registration.ts';
import { createStreamOpener } from './streams.ts';
import { brokerAt, endpointOf, joinedAt, withoutTls } from './trust.ts';

export interface PlaceParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly files: Files;
  readonly log: Log;
}

/** Who this agent is, and how it speaks with whom. */
export interface Place {
  readonly identity: AgentIdentity;
  /** Marks what is ours in an engine. */
  readonly realm: string;
  readonly broker: Pick<MqttBusOptions, 'broker' | 'username' | 'password' | 'failed'>;
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

/** Throws what joining and registering throw, and SETTINGS_INVALID when the folder belongs to a node of the other kind. */
export function becomeNodeOf(config: AgentConfig, parts: PlaceParts, signal: AbortSignal): Promise<Place> {
  return (config.authority === 'local' ? becomeLocal : becomeNode)(config, parts, signal);
}

function meetingDeps({ api }: AgentConfig, { clock, random, files, log }: PlaceParts) {
  const connect = (ca: string | undefined) => createApiClient(endpointOf(api, ca));
  const askTls = (asked: AbortSignal) => createApiClient({ url: withoutTls(api) }).tls(asked);
  const waiting = (found: Problem): void => log('warn', 'join_waits', { problem: found });
  return { files, clock, random, connect, askTls, waiting };
}

async function becomeNode(config: AgentConfig, parts: PlaceParts, signal: AbortSignal): Promise<Place> {
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
  const { password, failed, verify, trusts } = keychain;
  return {
    identity: { id, name: joined.name, cluster },
    realm: fingerprint,
    broker: { broker, username: mqtt.username, password, failed },
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
async function becomeLocal(config: AgentConfig, parts: PlaceParts, signal: AbortSignal): Promise<Place> {
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
