/** Files that `up` writes. */
import type { LocalWorker, Marker } from './marker.ts';

const yes = '# Written by `oakctl up`; yours to change.\n';

/** cluster.yaml of a new cluster. */
export function clusterYaml(settings: {
  readonly name: string;
  readonly repository: string;
  readonly apiPort: number;
  readonly mqttPort: number;
}): string {
  return `${yes}cluster: ${settings.name}
sources:
  - name: main
    url: ${JSON.stringify(settings.repository)}
    branch: main
    poll: 10s
api: { host: 127.0.0.1, port: ${settings.apiPort} }
mqtt: { host: 127.0.0.1, port: ${settings.mqttPort} }
node_class: lan
cpu_overcommit: 16
`;
}

export interface AgentSettings {
  readonly name: string;
  readonly api: string;
  /** Only until it has joined. */
  readonly token?: string;
  readonly ip: string;
  readonly capacity: { readonly cpu: number; readonly memory: number };
  readonly runtimes: Readonly<Record<string, unknown>>;
  /** Absolute path of the folder of its own secrets. */
  readonly secrets: string;
}

/** The runtimes that a worker's own configuration allows. */
export function runtimesOf(marker: Pick<Marker, 'runtime' | 'socket'>): Readonly<Record<string, unknown>> {
  if (marker.runtime === 'process') return { process: { allow: true } };
  return { docker: marker.socket === undefined ? {} : { socket: marker.socket } };
}

/** agent.yaml of a worker; written anew at every start. */
export function agentYaml(settings: AgentSettings): string {
  const lines = Object.entries({
    name: settings.name,
    api: settings.api,
    token: settings.token,
    ip: settings.ip,
    capacity: settings.capacity,
    runtimes: settings.runtimes,
    secrets: settings.secrets,
  })
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}: ${JSON.stringify(value)}`);
  return `# Written by \`oakctl up\` at every start.\n${lines.join('\n')}\n`;
}

/** nodes.yaml of a new repository: the workers as they are, for labels and the like. */
export function nodesYaml(workers: readonly LocalWorker[]): string {
  return workers.map(({ name, ip }) => `- node:\n    hostname: ${name}\n    IP: ${ip}\n    labels: {}\n`).join('');
}

/** README of a new repository: how to go on. */
export function repositoryReadme(name: string): string {
  return `# ${name}

What should run in the cluster ${name}. Every push to \`main\` is carried out at once.

- Put descriptors anywhere as YAML or JSON; \`oakctl init\` writes one to start from, \`oakctl validate .\` checks them.
- \`nodes.yaml\` may give workers labels, a pool, capacity; \`oakctl nodes ls\` shows who is there.
- \`oakctl plan .\` shows what a push would change.
`;
}
