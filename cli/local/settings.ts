/** cluster.yaml of a cluster that `up` made: written once, afterwards only where it listens changes. */
import { readFile } from 'node:fs/promises';
import { type Document, parseDocument } from 'yaml';
import { ProblemError, problem } from '../../schemas/problem.ts';
import { parseClusterSettings } from '../../schemas/settings.ts';
import { insecureSetting } from '../../schemas/settings-schema.ts';
import { freePort } from './addresses.ts';
import type { LocalPaths } from './folders.ts';
import { replaceFile } from './marker.ts';
import { clusterYaml } from './texts.ts';

const loopback = '127.0.0.1';

export interface Ports {
  readonly api: number;
  readonly mqtt: number;
}

/** An address outside loopback. */
export interface Bind {
  readonly host: string;
  /** Without TLS. */
  readonly insecure: boolean;
}

/** Systems whose API a cluster can serve beside its own. */
export type Compat = 'mycluster';

export interface Listening extends Ports {
  readonly compat: readonly Compat[];
  readonly hosts: { readonly api: string; readonly mqtt: string };
  readonly secure: boolean;
  /** The broker runs by itself: its address is not ours to choose. */
  readonly external: boolean;
}

/** Where the reconciler listens as cluster.yaml has it; undefined when there is none yet. SETTINGS_INVALID as it says. */
export async function readListening(paths: LocalPaths): Promise<Listening | undefined> {
  const text = await readFile(paths.settings, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const { settings, problems } = parseClusterSettings(text, paths.settings);
  if (!settings) throw new ProblemError(problems);
  const { api, mqtt, tls, external, mycluster } = settings;
  const compat: readonly Compat[] = mycluster ? ['mycluster'] : [];
  const hosts = { api: api.host, mqtt: external ? api.host : mqtt.host };
  return { api: api.port, mqtt: mqtt.port, hosts, secure: tls !== undefined, external: external !== undefined, compat };
}

/**
 * Makes sure that cluster.yaml is there and names free ports: those it names, else the next free ones. To be called while the
 * reconciler is down. `wanted` comes from flags and wins, except over the address of a broker that runs by itself. Workers that
 * have joined know the port of the broker, so then it must stay (`joined`): PORT_TAKEN when it is in use, REFUSED when `bind` would
 * move it.
 */
export async function ensureSettings(
  paths: LocalPaths,
  wanted: Partial<Ports> & { readonly bind?: Bind; readonly compat?: Compat },
  joined: boolean,
): Promise<{ readonly ports: Ports; readonly moved: readonly string[] }> {
  const old = await readListening(paths);
  const { bind, compat } = wanted;
  if (bind && old && joined && !isThere(old, bind)) throw fixedAddress(old.hosts.mqtt, bind.host);
  const hosts = bind ? { api: bind.host, mqtt: bind.host } : (old?.hosts ?? { api: loopback, mqtt: loopback });
  const mqtt = old?.external ? old.mqtt : (wanted.mqtt ?? old?.mqtt ?? 10_003);
  const asked = { api: wanted.api ?? old?.api ?? 10_100, mqtt };
  const api = await freePort(asked.api, [], hosts.api);
  const ports = { api, mqtt: old?.external ? mqtt : await freePort(mqtt, [api], hosts.mqtt) };
  if (old && joined && ports.mqtt !== old.mqtt) throw fixedPort(old.mqtt);
  const moved = (['api', 'mqtt'] as const)
    .filter((side) => ports[side] !== asked[side])
    .map((side) => `${side} port ${asked[side]} is in use, ${ports[side]} is taken instead`);
  if (!old) {
    const { name, repository } = paths;
    const text = clusterYaml({ name, repository, apiPort: ports.api, mqttPort: ports.mqtt });
    await replaceFile(paths.settings, text);
  }
  if (bind || (old && (ports.api !== old.api || ports.mqtt !== old.mqtt)))
    await amend(paths, (document) => setListening(document, ports, old?.external === true, bind));
  if (compat && !old?.compat.includes(compat)) await amend(paths, (document) => document.setIn(['compat', compat], {}));
  return { ports, moved };
}

function fixedPort(port: number): ProblemError {
  return new ProblemError(
    problem(
      'PORT_TAKEN',
      `the workers of the cluster know its broker at port ${port}, which is in use by another process`,
      {
        hint: `end the other process; \`ss -ltnp sport = :${port}\` names it`,
      },
    ),
  );
}

function isThere({ hosts, secure }: Listening, { host, insecure }: Bind): boolean {
  return hosts.api === host && hosts.mqtt === host && secure !== insecure;
}

function fixedAddress(known: string, wanted: string): ProblemError {
  const message = `the workers of the cluster have joined it at ${known}, and cannot follow it to ${wanted}`;
  const hint = '`oakctl up --name <another> --bind <address>` makes a cluster there; or first `oakctl down --purge`';
  return new ProblemError(problem('REFUSED', message, { hint }));
}

/** Comments and everything else in the file stay. */
async function amend({ settings }: LocalPaths, change: (document: Document) => void): Promise<void> {
  const document = parseDocument(await readFile(settings, 'utf8'));
  change(document);
  await replaceFile(settings, document.toString({ lineWidth: 0 }));
}

function setListening(document: Document, ports: Ports, external: boolean, bind: Bind | undefined): void {
  document.setIn(['api', 'port'], ports.api);
  if (!external) document.setIn(['mqtt', 'port'], ports.mqtt);
  if (bind) {
    document.setIn(['api', 'host'], bind.host);
    if (!external) document.setIn(['mqtt', 'host'], bind.host);
    if (bind.insecure) document.setIn([insecureSetting], true);
    else if (!document.has('tls')) document.setIn(['tls'], 'auto');
  }
}
