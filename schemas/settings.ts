/**
 * Settings files. cluster.yaml lies on the reconciler's host and is never read from the repository it guards; oakctl.yaml lies
 * in the repository and can only make guards stricter. Times are ms once parsed.
 */
import type { TSchema } from 'typebox';
import { isLoopback } from './addresses.ts';
import { parseDuration } from './duration.ts';
import { createFindings, type Findings } from './findings.ts';
import { locationFault } from './names.ts';
import { defaultPorts } from './nodes-schema.ts';
import { type ReceiverSettings, receiversOf } from './notifications.ts';
import { violations } from './parse.ts';
import { type Problem, problem } from './problem.ts';
import { type ExternalBroker, externalBroker } from './settings-broker.ts';
import { type EndpointSettings, endpointsOf } from './settings-endpoints.ts';
import { besideEnvironment } from './settings-environment.ts';
import { ClusterFile, insecureSetting, RepositoryFile } from './settings-schema.ts';
import { checkPoll, type SourceSettings, sourcesOf } from './settings-source.ts';
import { type WebhookSettings, webhooksOf } from './settings-webhooks.ts';
import { parseYaml } from './yaml.ts';

export type NodeClass = 'edge' | 'lan' | 'fast';
export type Undeclared = 'use' | 'cordon' | 'refuse';

export interface Guard {
  readonly count: number;
  readonly share: number;
}

export interface Endpoint {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
}

/** Certificates made by the cluster's own authority, or from files. */
export type TlsSettings =
  | { readonly kind: 'auto'; readonly names: readonly string[] }
  | { readonly kind: 'files'; readonly cert: string; readonly key: string; readonly ca?: string };

export interface ClusterSettings {
  readonly cluster: string;
  readonly location?: string;
  /** What `${cluster.label.<key>}` stands for. */
  readonly labels: Readonly<Record<string, string>>;
  readonly sources: readonly SourceSettings[];
  readonly api: Endpoint;
  /** Where the embedded broker listens; it does not with `external`. */
  readonly mqtt: Endpoint;
  /** A broker that runs by itself. */
  readonly external?: ExternalBroker;
  /** Where else agents may find it, now or later. */
  readonly endpoints: readonly EndpointSettings[];
  /** Absent: plain HTTP and MQTT, for loopback. */
  readonly tls?: TlsSettings;
  /** Outside loopback without TLS, because the owner wants it so. */
  readonly insecure: boolean;
  /** Class of nodes whose pool says nothing. */
  readonly node_class: NodeClass;
  /** ms without a sign after which a node is lost. */
  readonly lost_after: Readonly<Record<NodeClass, number>>;
  readonly cpu_overcommit: number;
  /** Among nodes with equally few instances of a service: the emptiest first, or the fullest that has room. */
  readonly placement: 'spread' | 'best_fit';
  readonly guard: Guard;
  readonly nodes: { readonly undeclared: Undeclared };
  /** `request`: what a service needs is also its hard cap, unless it says another one. */
  readonly limits: 'request' | 'none';
  readonly pools: Readonly<Record<string, { readonly class?: NodeClass }>>;
  readonly notifications: readonly ReceiverSettings[];
  /** Who may have sources looked at. */
  readonly webhooks: WebhookSettings;
  /** Where MyCluster's API answers without a token: on loopback. Absent: nowhere. */
  readonly mycluster?: Endpoint;
  /** Oakestra's API answers what is read with a string that holds the JSON. */
  readonly json_in_strings: boolean;
  /** Port of FRACTAL's custom orchestrator, where the API answers, too. Absent: none. */
  readonly custom_orchestrator?: number;
}

/** oakctl.yaml: what is absent leaves the cluster's setting alone. */
export interface RepositorySettings {
  readonly poll?: number;
  readonly pools: Readonly<Record<string, { readonly class?: NodeClass }>>;
  readonly guard?: Partial<Guard>;
  readonly nodes?: { readonly undeclared?: Undeclared };
}

/** The values that hold where a file says nothing. */
export const settingsDefaults = {
  api: { host: '127.0.0.1', port: 10_100 },
  mqtt: { host: '127.0.0.1', port: 10_003 },
  node_class: 'edge',
  lost_after: { edge: 90_000, lan: 15_000, fast: 2_000 },
  cpu_overcommit: 1,
  placement: 'spread',
  guard: { count: 2, share: 0.3 },
  undeclared: 'use',
  limits: 'none',
  mycluster: { host: '127.0.0.1', port: 5000 },
} as const satisfies Record<string, unknown>;

/**
 * Parses cluster.yaml; what is `given` on the command line or in the environment counts as written there. `settings` is there unless
 * there is an error among the problems (SETTINGS_INVALID, ...).
 */
export function parseClusterSettings(
  text: string,
  file: string,
  given: { readonly insecure?: boolean; readonly values?: ClusterFile } = {},
): { readonly settings?: ClusterSettings; readonly problems: readonly Problem[] } {
  const read = readSettings<ClusterFile>(ClusterFile, text, file);
  if (!read.value) return { problems: read.problems };
  const { findings } = read;
  const value = given.values ? besideEnvironment(read.value, given.values, findings) : read.value;
  const insecure = given.insecure || (value[insecureSetting] ?? false);
  const external = externalBroker(value.mqtt, value.broker, { allowed: insecure, setting: insecureSetting }, findings);
  const { host = settingsDefaults.mqtt.host, port = settingsDefaults.mqtt.port } = value.mqtt ?? {};
  const tls = tlsOf(value.tls, findings);
  const settings: ClusterSettings = {
    cluster: value.cluster,
    ...(value.location !== undefined && { location: value.location }),
    labels: Object.fromEntries(Object.entries(value.labels ?? {}).map(([key, label]) => [key, String(label)])),
    sources: sourcesOf(value.sources ?? [], findings),
    api: { ...settingsDefaults.api, ...value.api },
    mqtt: { host, port },
    ...(external && { external }),
    ...tls,
    endpoints: endpointsOf(value.endpoints, { external, insecure, tls: tls.tls !== undefined }, findings),
    insecure,
    node_class: value.node_class ?? settingsDefaults.node_class,
    lost_after: lostAfter(value.lost_after),
    cpu_overcommit: value.cpu_overcommit ?? settingsDefaults.cpu_overcommit,
    placement: value.placement ?? settingsDefaults.placement,
    guard: { ...settingsDefaults.guard, ...value.guard },
    nodes: { undeclared: value.nodes?.undeclared ?? settingsDefaults.undeclared },
    limits: value.limits ?? settingsDefaults.limits,
    pools: poolsOf(value.pools),
    notifications: receiversOf(value.notifications, insecure, findings),
    webhooks: webhooksOf(value.webhooks),
    ...(value.compat?.mycluster && { mycluster: { ...settingsDefaults.mycluster, ...value.compat.mycluster } }),
    json_in_strings: value.compat?.oakestra?.json_in_strings ?? false,
    ...(value.compat?.custom_orchestrator && {
      custom_orchestrator: value.compat.custom_orchestrator.port ?? defaultPorts.customOrchestrator,
    }),
  };
  checkCluster(settings, findings);
  return findings.failed() ? { problems: findings.problems } : { settings, problems: findings.problems };
}

/** Parses oakctl.yaml. An empty file is valid and says nothing. As {@link parseClusterSettings}. */
export function parseRepositorySettings(
  text: string,
  file: string,
): { readonly settings?: RepositorySettings; readonly problems: readonly Problem[] } {
  const read = readSettings<RepositoryFile>(RepositoryFile, text, file, {});
  if (!read.value) return { problems: read.problems };
  const { value, findings } = read;
  const poll = value.poll === undefined ? undefined : parseDuration(value.poll);
  if (poll !== undefined) checkPoll(poll, ['poll'], findings);
  if (!isNothing(value.notifications)) {
    const message = 'who is notified is said in cluster.yaml: a repository must not make the reconciler call addresses';
    findings.warning('FIELD_NOT_SERVED', ['notifications'], message);
  }
  const settings: RepositorySettings = {
    ...(poll === undefined ? {} : { poll }),
    pools: poolsOf(value.pools),
    ...(value.guard ? { guard: { ...value.guard } } : {}),
    ...(value.nodes ? { nodes: { ...value.nodes } } : {}),
  };
  return findings.failed() ? { problems: findings.problems } : { settings, problems: findings.problems };
}

const strictness: readonly Undeclared[] = ['use', 'cordon', 'refuse'];

/** The cluster's settings under those of its repository: guards and `undeclared` only become stricter, pools of the cluster win. */
export function withRepositorySettings(cluster: ClusterSettings, repository: RepositorySettings): ClusterSettings {
  const wished = repository.nodes?.undeclared ?? 'use';
  const own = cluster.nodes.undeclared;
  return {
    ...cluster,
    guard: {
      count: Math.min(cluster.guard.count, repository.guard?.count ?? cluster.guard.count),
      share: Math.min(cluster.guard.share, repository.guard?.share ?? cluster.guard.share),
    },
    nodes: { undeclared: strictness.indexOf(wished) > strictness.indexOf(own) ? wished : own },
    pools: { ...repository.pools, ...cluster.pools },
  };
}

interface Read<T> {
  readonly value?: T;
  readonly problems: readonly Problem[];
  readonly findings: Findings;
}

/** One document of a settings file, checked against its schema. `nothing` stands for an empty file. */
function readSettings<T>(schema: TSchema, text: string, file: string, nothing?: T): Read<T> {
  const { documents, problems } = parseYaml(text, file);
  const [document, second] = documents;
  const findings = createFindings(file, document ?? { locate: () => ({ line: 1, column: 1 }) });
  if (problems.length > 0) return { problems, findings };
  if (!document) {
    if (nothing !== undefined) return { value: nothing, problems: [], findings };
    return { problems: [problem('SETTINGS_INVALID', 'the file is empty', { file, line: 1 })], findings };
  }
  if (second) {
    const message = 'settings are one document, and here are more';
    return { problems: [problem('SETTINGS_INVALID', message, { file, ...second.locate([]) })], findings };
  }
  findings.violations('SETTINGS_INVALID', violations(schema, document.value));
  if (findings.failed()) return { problems: findings.problems, findings };
  return { value: document.value as T, problems: [], findings };
}

function tlsOf(written: ClusterFile['tls'], findings: Findings): { readonly tls?: TlsSettings } {
  if (written === undefined) return {};
  if (written === 'auto') return { tls: { kind: 'auto', names: [] } };
  const { names, cert, key, ca } = written;
  if (cert === undefined && key === undefined && ca === undefined) return { tls: { kind: 'auto', names: names ?? [] } };
  if (cert !== undefined && key !== undefined && names === undefined) {
    return { tls: { kind: 'files', cert, key, ...(ca !== undefined && { ca }) } };
  }
  const message = names === undefined ? '`cert` and `key` belong together' : '`names` is for generated certificates';
  findings.error('SETTINGS_INVALID', ['tls'], message, 'tls: auto, tls: {names: [...]}, or tls: {cert, key, ca}');
  return {};
}

function lostAfter(written: ClusterFile['lost_after']): Record<NodeClass, number> {
  const { edge, lan, fast } = settingsDefaults.lost_after;
  return {
    edge: parseDuration(written?.edge) ?? edge,
    lan: parseDuration(written?.lan) ?? lan,
    fast: parseDuration(written?.fast) ?? fast,
  };
}

function poolsOf(written: ClusterFile['pools']): ClusterSettings['pools'] {
  const pools: Record<string, { class?: NodeClass }> = {};
  for (const [name, pool] of Object.entries(written ?? {})) pools[name] = { ...pool };
  return pools;
}

function checkCluster(settings: ClusterSettings, findings: Findings): void {
  const place = settings.location === undefined ? undefined : locationFault(settings.location);
  if (place) findings.error('SETTINGS_INVALID', ['location'], place);
  for (const side of ['api', 'mqtt'] as const) {
    const { host } = settings[side];
    if (isLoopback(host) || settings.tls || settings.insecure) continue;
    const message = `${host} is not loopback, and there is no TLS: credentials would be readable on the way`;
    const hint = `add \`tls: auto\` (certificates are made and renewed by themselves), or \`tls: {cert, key, ca}\`; \`${insecureSetting}: true\` goes without`;
    findings.error('TLS_REQUIRED', [side, 'host'], message, hint);
  }
  for (const [name, ms] of Object.entries(settings.lost_after)) {
    if (ms < 500) findings.error('SETTINGS_INVALID', ['lost_after', name], `${ms} ms is too short: at least 500ms`);
  }
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === 'object' && Object.keys(value).length === 0);
}
