/**
 * Settings of a reconciler that come from the environment, as containers get them: the variables of seed 000 and a few of ours. An
 * empty variable counts as not set: that is how compose files pass on what nobody exported.
 */
import { hostOf, isAddress, isLoopback, urlHost } from './addresses.ts';
import type { Findings } from './findings.ts';
import { parseJoinToken } from './join-token.ts';
import { labelKeyPattern, locationFault, nodeNamePattern, spelledAsName } from './names.ts';
import { isProblemError, type Problem, problem } from './problem.ts';
import type { ClusterFile } from './settings-schema.ts';
import { branchPattern, plainFilePattern, remotePattern, userPattern } from './settings-source.ts';
import { webhookKinds } from './settings-webhooks.ts';

type Env = Readonly<Record<string, string | undefined>>;

export interface EnvironmentSettings {
  /** What cluster.yaml would say. */
  readonly values: ClusterFile;
  /** What is understood and not carried out. */
  readonly warnings: readonly Problem[];
}

/** Where a reconciler that joins a root orchestrator finds it, unless the variable names a port. */
const rootPort = 10_100;
const nameRule = 'letters, digits, - and _, at most 63, beginning with a letter or digit';

/** `given` is there unless there is a problem (NAME_INVALID, SETTINGS_INVALID, TOKEN_INVALID); each names its variable. */
export function settingsOfEnvironment(env: Env): {
  readonly given?: EnvironmentSettings;
  readonly problems: readonly Problem[];
} {
  const problems: Problem[] = [];
  const read: Reader = (name) => env[name]?.trim() || undefined;
  const wrong: Complain = (name, message, hint) => {
    problems.push(problem('SETTINGS_INVALID', message, { subject: name, ...(hint !== undefined && { hint }) }));
  };
  const cluster = nameOf(read('CLUSTER_NAME'), problems);
  const location = read('CLUSTER_LOCATION');
  const fault = location === undefined ? undefined : locationFault(location);
  if (fault)
    wrong('CLUSTER_LOCATION', fault, 'free text like My_Awesome_Apartment, or latitude,longitude[,radius in m]');
  const warnings = rootOf(read, wrong, problems);
  const values = {
    ...(location !== undefined && { location }),
    ...labelsOf(read, wrong),
    ...sourcesOf(read, wrong),
    ...webhooksOf(read, wrong),
    ...listeningOf(read, wrong),
  };
  if (cluster === undefined || problems.length > 0) return { problems };
  return { given: { values: { cluster, ...values }, warnings }, problems };
}

/** The value of a variable; undefined when it is not set. */
type Reader = (name: string) => string | undefined;
type Complain = (name: string, message: string, hint?: string) => void;

function nameOf(name: string | undefined, problems: Problem[]): string | undefined {
  const subject = 'CLUSTER_NAME';
  if (name === undefined) {
    const hint = 'export CLUSTER_NAME=My_Awesome_Cluster, with sudo: sudo -E; or --folder with a cluster.yaml';
    problems.push(problem('SETTINGS_INVALID', 'it is not set: the cluster has no name', { subject, hint }));
    return undefined;
  }
  if (nodeNamePattern.test(name)) return name;
  const better = spelledAsName(name);
  const hint = better === undefined ? nameRule : `write ${better}: ${nameRule}`;
  problems.push(problem('NAME_INVALID', `\`${name}\` is not a name for a cluster`, { subject, hint }));
  return undefined;
}

/** The root orchestrator: checked, so that what is exported today is right tomorrow, and said to be of no effect. */
function rootOf(read: Reader, wrong: Complain, problems: Problem[]): readonly Problem[] {
  const token = read('CLUSTER_TOKEN');
  const written = read('SYSTEM_MANAGER_URL');
  const fault = token === undefined ? undefined : tokenFault(token);
  if (fault) problems.push({ ...fault, subject: 'CLUSTER_TOKEN' });
  if (written === undefined) {
    if (token !== undefined)
      wrong('CLUSTER_TOKEN', 'it is for the root orchestrator, and SYSTEM_MANAGER_URL is not set', 'set both or none');
    return [];
  }
  const url = rootUrl(written);
  if (url === undefined) {
    wrong(
      'SYSTEM_MANAGER_URL',
      `\`${written}\` is neither a host nor a URL`,
      '192.168.1.2, root.example.org:10100 or https://…',
    );
    return [];
  }
  const message = `${url} is the root orchestrator, and this version joins none: the cluster runs by itself`;
  return [problem('FIELD_NOT_SERVED', message, { subject: 'SYSTEM_MANAGER_URL', severity: 'warning' })];
}

function tokenFault(token: string): Problem | undefined {
  try {
    parseJoinToken(token);
    return undefined;
  } catch (error) {
    if (isProblemError(error)) return error.problem;
    throw error;
  }
}

/** The URL that a host, a host with a port, or a URL stands for: over TLS outside loopback. undefined: none of them. */
export function rootUrl(written: string): string | undefined {
  const hasScheme = /^https?:\/\//i.test(written);
  if (!hasScheme && written.includes('/')) return undefined;
  const host = urlHost(written);
  const text = hasScheme ? written : `https://${host}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.username !== '' || url.search !== '' || url.hash !== '' || url.pathname !== '/') return undefined;
  const name = hostOf(url);
  if (!isAddress(name) && !/^[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?$/.test(name)) return undefined;
  if (!hasScheme && isLoopback(name)) url.protocol = 'http:';
  const named = /:(\d+)\/?$/.exec(host)?.[1];
  return `${url.protocol}//${url.hostname}:${url.port || (named ?? rootPort)}`;
}

/** `key=value`, with commas between them. */
function labelsOf(read: Reader, wrong: Complain): Pick<ClusterFile, 'labels'> {
  const written = read('CLUSTER_LABELS');
  if (written === undefined) return {};
  const labels = written.split(',').map((text) => {
    const [key = '', ...value] = text.trim().split('=');
    const isLabel = labelKeyPattern.test(key) && value.length > 0 && text.length <= 255;
    if (!isLabel) wrong('CLUSTER_LABELS', `\`${text.trim().slice(0, 100)}\` is no label`, 'tier=small,region=north');
    return [key, value.join('=')] as const;
  });
  return { labels: Object.fromEntries(labels) };
}

/** Of the source: variable, member, what it must look like. */
const accessVariables = [
  ['CLUSTER_REPOSITORY_USERNAME', 'username', userPattern],
  ['CLUSTER_REPOSITORY_TOKEN_FILE', 'token_file', plainFilePattern],
  ['CLUSTER_REPOSITORY_CA', 'ca', plainFilePattern],
  ['CLUSTER_REPOSITORY_KEY_FILE', 'key_file', plainFilePattern],
  ['CLUSTER_REPOSITORY_KNOWN_HOSTS', 'known_hosts', plainFilePattern],
] as const;

function sourcesOf(read: Reader, wrong: Complain): Pick<ClusterFile, 'sources'> {
  const url = read('CLUSTER_REPOSITORY');
  const branch = read('CLUSTER_BRANCH');
  const access = accessVariables.flatMap(([name, key, pattern]) => {
    const value = read(name);
    return value === undefined ? [] : [{ name, key, pattern, value }];
  });
  if (url === undefined) {
    for (const name of [...(branch === undefined ? [] : ['CLUSTER_BRANCH']), ...access.map((one) => one.name)])
      wrong(name, 'it is of CLUSTER_REPOSITORY, which is not set');
    return {};
  }
  if (!new RegExp(remotePattern).test(url) || url.length > 2048)
    wrong('CLUSTER_REPOSITORY', `\`${url.slice(0, 100)}\` is no URL or path of a git repository`);
  if (branch !== undefined && !new RegExp(branchPattern).test(branch))
    wrong('CLUSTER_BRANCH', `\`${branch.slice(0, 100)}\` is no branch, tag or commit`);
  for (const { name, value, pattern } of access) {
    if (new RegExp(pattern).test(value)) continue;
    wrong(
      name,
      pattern === plainFilePattern ? 'it is no absolute path of plain characters' : 'it is no name of a user',
    );
  }
  const members = Object.fromEntries(access.map(({ key, value }) => [key, value]));
  return { sources: [{ name: 'main', url, ...(branch !== undefined && { branch }), ...members }] };
}

/** Who may have the repository looked at now: of each kind the file of its secret. */
function webhooksOf(read: Reader, wrong: Complain): Pick<ClusterFile, 'webhooks'> {
  const given = webhookKinds.flatMap((kind) => {
    const name = `CLUSTER_WEBHOOK_${kind.toUpperCase()}_SECRET_FILE`;
    const file = read(name);
    if (file === undefined) return [];
    if (!new RegExp(plainFilePattern).test(file)) wrong(name, 'it is no absolute path of plain characters');
    return [[kind, { secret_file: file }] as const];
  });
  return given.length > 0 ? { webhooks: Object.fromEntries(given) } : {};
}

/** Where API and broker listen: outside loopback over TLS, with the addresses at which others find them in the certificate. */
function listeningOf(read: Reader, wrong: Complain): Pick<ClusterFile, 'api' | 'mqtt' | 'tls'> {
  const host = read('OAKCTL_BIND');
  const names = (read('CLUSTER_ADDRESS') ?? '').split(/[\s,]+/).filter(Boolean);
  const api = portOf('OAKCTL_API_PORT', read, wrong);
  const mqtt = portOf('OAKCTL_MQTT_PORT', read, wrong);
  if (host !== undefined && !isAddress(host) && host !== 'localhost')
    wrong('OAKCTL_BIND', `\`${host}\` is not an IP address`, '0.0.0.0 or :: listens everywhere');
  for (const name of names.filter(
    (one) => !isAddress(one) && !/^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(one),
  ))
    wrong('CLUSTER_ADDRESS', `\`${name}\` is neither an IP address nor a host name`);
  const isOpen = host !== undefined && !isLoopback(host);
  return {
    api: { ...(host !== undefined && { host }), ...(api !== undefined && { port: api }) },
    mqtt: { ...(host !== undefined && { host }), ...(mqtt !== undefined && { port: mqtt }) },
    ...(isOpen && { tls: names.length > 0 ? { names } : ('auto' as const) }),
  };
}

function portOf(name: string, read: Reader, wrong: Complain): number | undefined {
  const text = read(name);
  if (text === undefined) return undefined;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  if (port >= 1 && port <= 65_535) return port;
  wrong(name, `\`${text}\` is not a port`, '1 to 65535');
  return undefined;
}

/**
 * cluster.yaml beside an environment: what both say must be the same (SETTINGS_INVALID, with the line), except where API and broker
 * listen, which the environment of an image says for everybody, and a file for one cluster.
 */
export function besideEnvironment(file: ClusterFile, given: ClusterFile, findings: Findings): ClusterFile {
  const variables = {
    cluster: 'CLUSTER_NAME',
    location: 'CLUSTER_LOCATION',
    labels: 'CLUSTER_LABELS',
    sources: 'CLUSTER_REPOSITORY',
    webhooks: 'CLUSTER_WEBHOOK_*_SECRET_FILE',
  } as const;
  for (const [key, variable] of Object.entries(variables) as [keyof typeof variables, string][]) {
    const [written, exported] = [file[key], given[key]];
    if (written === undefined || exported === undefined || written === exported) continue;
    const what = typeof exported === 'string' ? `${variable} is ${exported}` : `${variable} is set, too`;
    findings.error('SETTINGS_INVALID', [key], `the file says otherwise than the environment: ${what}`, 'say it once');
  }
  const tls = file.tls ?? given.tls;
  return {
    ...given,
    ...file,
    api: { ...given.api, ...file.api },
    mqtt: file.mqtt?.url === undefined ? { ...given.mqtt, ...file.mqtt } : file.mqtt,
    ...(tls !== undefined && { tls }),
  };
}
