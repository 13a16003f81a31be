/** Wires a reconciler from what lies in one folder: cluster.yaml, identity/, records/, state/. Nothing is decided here. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Logger } from 'pino';
import { firstPasswordFile } from '../schemas/accounts.ts';
import type { Endpoint } from '../schemas/endpoints.ts';
import { createSystemClock, createSystemRandom } from '../schemas/io/clock.ts';
import { createDurableFiles } from '../schemas/io/durable-files.ts';
import { lockFolder } from '../schemas/io/folder-lock.ts';
import type { Log } from '../schemas/io/log.ts';
import { createProcessLog } from '../schemas/io/process-log.ts';
import { changeLogin, readRegistries, registriesFile } from '../schemas/io/registries-file.ts';
import { replaceSynced } from '../schemas/io/twin-file.ts';
import type { Clock } from '../schemas/ports.ts';
import { type Problem, ProblemError, problem } from '../schemas/problem.ts';
import { type ClusterSettings, parseClusterSettings } from '../schemas/settings.ts';
import type { EnvironmentSettings } from '../schemas/settings-environment.ts';
import { createAuditDesk } from './api/audit.ts';
import { createMyClusterApi } from './api/mycluster.ts';
import { createApi } from './api/server.ts';
import { createStreams } from './api/streams.ts';
import { openLink } from './broker/link.ts';
import type { BrokerAccess } from './context.ts';
import { openApiToken } from './keys/api-token.ts';
import { type ClusterKeys, openKeys } from './keys/keys.ts';
import { createReconciler, type Reconciler } from './loop.ts';
import { createMetrics } from './metrics/metrics.ts';
import { createNotifier } from './notifier.ts';
import { createReceiver } from './notify/receiver.ts';
import { openSources } from './open-sources.ts';
import { createShelf } from './packages/shelf.ts';
import { peersOf, readPlaces, withOwn } from './places.ts';
import type { RegistryDesk } from './registries.ts';
import { createRegistryClient } from './registry/client.ts';
import { refuseReplaced } from './rivals.ts';
import { createAuditLog } from './store/audit-log.ts';
import { createRecordsStore } from './store/records-store.ts';
import type { TlsKeeper } from './tls/keeper.ts';
import { openSecurity } from './tls/security.ts';
import { createWebhookDesk } from './webhooks/desk.ts';
import { createWriteBack } from './write-back.ts';

export interface ReconcilerOptions {
  /** The cluster's folder. */
  readonly folder: string;
  /** As `insecure_outside_loopback_i_know_the_risk: true` in cluster.yaml. */
  readonly insecure?: boolean;
  /** What the environment says; cluster.yaml may then be absent. */
  readonly given?: EnvironmentSettings;
}

/** Runs until the signal aborts. FOLDER_LOCKED, SETTINGS_INVALID, PORT_TAKEN, RIVAL_RECONCILER and what the parts throw. */
export async function runReconciler(options: ReconcilerOptions, signal: AbortSignal): Promise<void> {
  const { folder, given } = options;
  const settings = await readSettings(options);
  const { logger, log } = createProcessLog({ cluster: settings.cluster });
  const warnings = given?.warnings ?? [];
  for (const warning of warnings) log('warn', 'settings', { problem: warning });
  const lock = await lockFolder(join(folder, 'records'));
  const clock = createSystemClock();
  // Last of all: whatever still waits for its time must not keep the process.
  const running: { close(): Promise<void> }[] = [{ close: async () => clock.stop() }, { close: lock.release }];
  try {
    const ended = await start(folder, settings, { clock, log, logger, warnings }, running, signal);
    await ended(signal);
  } finally {
    // The last opened goes first; one that fails must not keep the others open.
    for (const part of running.reverse()) {
      await part.close().catch((error: unknown) => log('error', 'close_failed', { why: String(error) }));
    }
  }
}

interface Rim {
  readonly clock: Clock;
  readonly log: Log;
  readonly logger: Logger;
  /** What was asked for and is not carried out, for the status. */
  readonly warnings: readonly Problem[];
}

/** Opens the parts in order, adding each to `running`. Returns how to wait for the end. */
async function start(
  folder: string,
  settings: ClusterSettings,
  { clock, log, logger, warnings }: Rim,
  running: { close(): Promise<void> }[],
  signal: AbortSignal,
): Promise<(signal: AbortSignal) => Promise<void>> {
  const random = createSystemRandom();
  const metrics = createMetrics();
  const records = metrics.store(createRecordsStore({ folder: join(folder, 'records'), log }));
  const { epoch, keyring: leastRevision = 0 } = await records.load();
  const keys = await openKeys({ folder, cluster: settings.cluster, random, create: epoch === 0, leastRevision });
  const token = await openApiToken(join(folder, 'api-token'), random);
  const ending = createEnding();
  const state = createDurableFiles({ folder: join(folder, 'state') });

  const security = await openSecurity(settings, { folder, keys, clock, random, log });
  running.push(security);
  const { tls } = security;
  const named = await readPlaces(settings);
  const peers = peersOf(named, tls);
  // On a broker that is shared others may stand by, and are known there.
  if (!settings.external) await refuseReplaced({ peers, keys, random }, epoch, signal);

  let reconciler: Reconciler | undefined;
  let reporters: readonly { conditions(): readonly Problem[] }[] = [];
  const link = await openLink(settings, {
    keys,
    clock,
    random,
    log,
    // Who holds the API token may also say plain controls on the topic of operators.
    operatorPassword: token,
    ...(tls && { tls }),
    onExit: (reason) => reconciler?.brokerRestarted(reason),
    onContested: (node, from) => reconciler?.contested(node, from),
    onForgotten: (node) => reconciler?.forgotten(node),
  });
  running.push(link);
  const access = createNodeAccess(link, keys);
  const streams = createStreams({ authenticate: access.authenticate });
  let url = '';
  let places: readonly Endpoint[] = [];
  const { sources, sinks } = openSources(folder, settings, { clock, log, metrics });
  reconciler = await createReconciler({
    settings,
    clock,
    random,
    keys,
    records,
    state,
    sources,
    streams,
    registries: openRegistries(folder, clock),
    mqtt: link.agents,
    endpoints: () => places,
    peers,
    authority: security.pin,
    // Nobody needs it any more; what cannot be removed is worthless.
    onFirstPassword: () => void rm(join(folder, firstPasswordFile), { force: true }).catch(() => undefined),
    conditions: () => [
      ...warnings,
      ...security.conditions(),
      ...link.conditions(),
      ...reporters.flatMap((one) => one.conditions()),
    ],
    pause: () => nextTurn(),
    log,
    bus: metrics.bus(link.bus),
    meter: metrics.meter,
    ...(link.shared && { shared: { ...link.shared, url: () => url } }),
    broker: access,
    fatal: ending.fatal,
  });
  const { control, accounts, limit, oakestra } = reconciler;
  const firstPassword = join(folder, firstPasswordFile);
  await accounts.begin((password) => replaceSynced(firstPassword, `${password}\n`));
  const writeBack = createWriteBack({ control, sinks, clock, log });
  const receivers = settings.notifications.map(createReceiver);
  const notifier = createNotifier({ control, receivers, clock, files: state, log });
  reporters = [notifier, writeBack];
  const shelf = createShelf({ folder: join(folder, 'packages') });
  const audited = createAuditLog({ folder: join(folder, 'audit'), log });
  running.push(audited);
  const audit = createAuditDesk({ log: audited, clock });
  const webhooks = createWebhookDesk({ ...settings, clock, log, wake: reconciler.wake });
  const api = await createApi({
    control,
    accounts,
    oakestra,
    jsonInStrings: settings.json_in_strings,
    limit,
    token,
    streams,
    logger,
    shelf,
    webhooks,
    metrics,
    notifier,
    audit,
    bind: { ...settings.api, beside: settings.custom_orchestrator },
    ...(tls && { tls }),
  });
  url = api.url;
  places = withOwn(named, settings, url, link.agents);
  running.push({ close: reconciler.stop }, { close: notifier.stop }, { close: writeBack.stop }, api);
  if (settings.mycluster) running.push(await createMyClusterApi({ control, logger, audit, bind: settings.mycluster }));
  reconciler.start();
  notifier.start();
  writeBack.start();
  const endpoints = { api: api.url, mqtt: link.shown, pid: process.pid };
  await writeEndpoints(folder, { ...endpoints, ...trust(settings, tls) });
  tls?.onChange(() => {
    // The old file names the same place, and mostly the same root.
    writeEndpoints(folder, { ...endpoints, ...trust(settings, tls) }).catch((error: unknown) =>
      log('warn', 'endpoints_unwritable', { why: String(error) }),
    );
  });
  running.push({ close: () => rm(join(folder, 'endpoints.json'), { force: true }) });
  log('info', 'listening', endpoints);
  return ending.wait;
}

/** What commands on this machine read to find the reconciler. Replaced whole: a full disk must not leave an empty one. */
async function writeEndpoints(folder: string, endpoints: object): Promise<void> {
  await replaceSynced(join(folder, 'endpoints.json'), `${JSON.stringify(endpoints)}\n`);
}

/** Which root a command is to trust, or that it may do without. */
function trust({ insecure }: ClusterSettings, tls: TlsKeeper | undefined): object {
  const ca = tls?.authority();
  return ca === undefined ? { ...(insecure && !tls && { insecure }) } : { ca };
}

/** The end of the process: asked for by a signal, or because going on would do harm. */
function createEnding(): { fatal(error: Error): void; wait(signal: AbortSignal): Promise<void> } {
  const { promise, resolve, reject } = withResolvers();
  return {
    fatal: reject,
    async wait(signal) {
      signal.addEventListener('abort', resolve, { once: true });
      if (signal.aborted) resolve();
      await promise;
    },
  };
}

function withResolvers(): { promise: Promise<void>; resolve: () => void; reject: (error: Error) => void } {
  let resolve: () => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}

/** Who may connect: told to the broker, and asked by the streams of the API. */
function createNodeAccess(
  broker: BrokerAccess,
  keys: ClusterKeys,
): BrokerAccess & { authenticate(node: string, password: string): boolean } {
  const leastSerials = new Map<string, number>();
  return {
    setNodes(nodes) {
      leastSerials.clear();
      for (const { id, serial } of nodes) leastSerials.set(id, serial);
      broker.setNodes(nodes);
    },
    disconnect: broker.disconnect,
    authenticate(node, password) {
      const serial = keys.verifyCredential(node, password);
      const least = leastSerials.get(node);
      return serial !== undefined && least !== undefined && serial >= least;
    },
  };
}

async function readSettings({ folder, insecure = false, given }: ReconcilerOptions): Promise<ClusterSettings> {
  const file = join(folder, 'cluster.yaml');
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (given && cause.code === 'ENOENT') return undefined;
    const hint = 'oakctl up makes a cluster on this machine; or write cluster.yaml by hand';
    throw new ProblemError(problem('SETTINGS_INVALID', 'the folder has no readable cluster.yaml', { file, hint }), {
      cause,
    });
  });
  const { settings, problems } =
    text === undefined
      ? parseClusterSettings(JSON.stringify(given?.values), 'the environment', { insecure })
      : parseClusterSettings(text, file, { insecure, ...(given && { values: given.values }) });
  if (!settings) throw new ProblemError(problems);
  return settings;
}

function openRegistries(folder: string, clock: Clock): RegistryDesk {
  const file = join(folder, registriesFile);
  const read = () => readRegistries(file);
  const client = createRegistryClient({ clock }, async () => (await read()).registries);
  return { read, change: (host, login) => changeLogin(file, host, login), ...client };
}

/** Sources that read one repository with one access share all that is done for it, below the folder of the first of them. */
