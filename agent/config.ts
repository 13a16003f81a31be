/** agent.yaml: what the owner of a machine says about it, and allows on it. */
import { type Static, Type } from 'typebox';
import { type Advertised, advertiseHint, isAddress, parseAdvertised } from '../schemas/addresses.ts';
import { durationSchema, parseDuration } from '../schemas/duration.ts';
import { createFindings } from '../schemas/findings.ts';
import { Labels } from '../schemas/messages.ts';
import { nodeNamePattern } from '../schemas/names.ts';
import { violations } from '../schemas/parse.ts';
import { type Problem, problem } from '../schemas/problem.ts';
import { parseYaml } from '../schemas/yaml.ts';
import type { Authority, Usage } from './ports.ts';
import type { RuntimeSettings } from './runtimes/registry.ts';

const closed = { additionalProperties: false } as const;
const defaultBeat = 5_000;
const stallRange = { shortest: 1_000, longest: 3_600_000 };
const beatRange = { shortest: 100, longest: 600_000 };

const AgentFile = Type.Object(
  {
    name: Type.Optional(Type.String({ description: 'Name of the node; default the host name.' })),
    api: Type.String({
      pattern: '^https?://[^\\s]+$',
      maxLength: 2048,
      errorMessage: 'must be a URL like http://host:10100',
    }),
    token: Type.Optional(Type.String({ maxLength: 512, description: 'Join token; needed until the node has joined.' })),
    ip: Type.Optional(
      Type.String({
        maxLength: 64,
        description: 'Address of this machine on which ports are published; default the one towards the broker.',
      }),
    ),
    advertise: Type.Optional(
      Type.String({
        maxLength: 64,
        description: 'Where others reach these ports, as `<ip>` or `<ip>:<port>`; default `ip`.',
      }),
    ),
    authority: Type.Optional(
      Type.Enum(['cluster', 'local'], {
        description:
          'Whose word counts: signed assignments of a cluster (default), or plain controls on its own topic.',
      }),
    ),
    capacity: Type.Optional(
      Type.Object(
        {
          cpu: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 100_000, description: 'Cores.' })),
          memory: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1e9, description: 'MB.' })),
          gpu: Type.Optional(Type.Integer({ minimum: 0, maximum: 1024, description: 'GPUs.' })),
          storage: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1e12, description: 'MB of disk.' })),
          bandwidth_in: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1e12, description: 'kbit/s.' })),
          bandwidth_out: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1e12, description: 'kbit/s.' })),
        },
        { ...closed, description: 'What may be promised; default what the machine has.' },
      ),
    ),
    labels: Type.Optional(Labels),
    location: Type.Optional(Type.String({ maxLength: 255 })),
    secrets: Type.Optional(
      Type.String({
        pattern: '^/.',
        maxLength: 255,
        description: 'Folder of files that are secrets of this node, for services that ask for `source: node`.',
        errorMessage: 'must be an absolute path of a folder',
      }),
    ),
    beat: Type.Optional(durationSchema('Time between two signs of life; default 5s')),
    runtimes: Type.Optional(
      Type.Object(
        {
          docker: Type.Optional(
            Type.Object(
              {
                socket: Type.Optional(Type.String({ pattern: '^/', maxLength: 255 })),
                network: Type.Optional(
                  Type.Enum(['cluster', 'engine'], {
                    description:
                      'The network of containers: one of the cluster, made by the agent (default), or the default bridge of the engine.',
                  }),
                ),
                pull_stall: Type.Optional(
                  durationSchema('How long nothing may come in the middle of a pull; default 60s'),
                ),
              },
              closed,
            ),
          ),
          process: Type.Optional(Type.Object({ allow: Type.Boolean() }, closed)),
        },
        { ...closed, description: 'Default: docker, and no processes.' },
      ),
    ),
  },
  closed,
);
type AgentFile = Static<typeof AgentFile>;

export interface AgentConfig {
  readonly name: string;
  /** `http://host:port` of the reconciler. */
  readonly api: string;
  readonly token?: string;
  /** Where ports are published. Absent: the address of this machine towards the broker. */
  readonly ip?: string;
  /** Where others reach them. Absent: there. */
  readonly advertise?: Advertised;
  readonly authority: Authority;
  readonly capacity: Partial<Usage['capacity']>;
  readonly labels: Readonly<Record<string, string>>;
  readonly location?: string;
  /** Absolute path of the folder of the node's own secrets. Absent: it has none. */
  readonly secrets?: string;
  /** ms. */
  readonly beat: number;
  /** Processes run only where they are allowed here. */
  readonly runtimes: RuntimeSettings;
}

/** Parses agent.yaml. `config` is there unless there is an error among the problems (SETTINGS_INVALID, NAME_INVALID, ...). */
export function parseAgentConfig(
  text: string,
  file: string,
  hostName: string,
): { readonly config?: AgentConfig; readonly problems: readonly Problem[] } {
  const { documents, problems } = parseYaml(text, file);
  const [document] = documents;
  if (problems.length > 0) return { problems };
  if (!document || documents.length > 1) {
    const message = `the file holds ${documents.length} documents, and needs one`;
    return { problems: [problem('SETTINGS_INVALID', message, { file, line: 1 })] };
  }
  const findings = createFindings(file, document);
  findings.violations('SETTINGS_INVALID', violations(AgentFile, document.value));
  if (findings.failed()) return { problems: findings.problems };
  const config = configOf(document.value as AgentFile, hostName);
  if (!nodeNamePattern.test(config.name)) {
    const hint = 'letters, digits, - and _, at most 63, beginning with a letter or digit';
    findings.error('NAME_INVALID', ['name'], `\`${config.name}\` is not a name of a node`, hint);
  }
  if (config.ip !== undefined && !isAddress(config.ip)) {
    findings.error('SETTINGS_INVALID', ['ip'], `\`${config.ip}\` is not an IP address`);
  }
  const { advertise } = document.value as AgentFile;
  const advertised = advertise === undefined ? undefined : parseAdvertised(advertise);
  if (typeof advertised === 'string') findings.error('SETTINGS_INVALID', ['advertise'], advertised, advertiseHint);
  if (config.beat < beatRange.shortest || config.beat > beatRange.longest) {
    findings.error('SETTINGS_INVALID', ['beat'], `${config.beat} ms: at least 100ms and at most 10m`);
  }
  const stall = config.runtimes.docker?.pullStall;
  if (stall !== undefined && (stall < stallRange.shortest || stall > stallRange.longest)) {
    const at = ['runtimes', 'docker', 'pull_stall'];
    findings.error('SETTINGS_INVALID', at, `${stall} ms: at least 1s and at most 1h`);
  }
  for (const label of Object.keys(config.labels)) {
    if (label.length > 63) findings.error('SETTINGS_INVALID', ['labels', label], 'labels have at most 63 characters');
  }
  if (findings.failed()) return { problems: findings.problems };
  const seen = typeof advertised === 'object' ? { advertise: advertised } : {};
  return { config: { ...config, ...seen }, problems: findings.problems };
}

function configOf(file: AgentFile, hostName: string): AgentConfig {
  return {
    name: file.name ?? hostName.split('.', 1)[0] ?? '',
    api: file.api,
    authority: file.authority ?? 'cluster',
    capacity: file.capacity ?? {},
    labels: file.labels ?? {},
    beat: parseDuration(file.beat) ?? defaultBeat,
    runtimes: runtimesOf(file.runtimes),
    ...(file.ip !== undefined && { ip: file.ip }),
    ...(file.token !== undefined && { token: file.token }),
    ...(file.location !== undefined && { location: file.location }),
    ...(file.secrets !== undefined && { secrets: file.secrets }),
  };
}

function runtimesOf(written: AgentFile['runtimes']): RuntimeSettings {
  if (!written) return { docker: {} };
  const { docker, ...rest } = written;
  if (!docker) return rest;
  const { pull_stall, ...plain } = docker;
  const pullStall = parseDuration(pull_stall);
  return { ...rest, docker: { ...plain, ...(pullStall !== undefined && { pullStall }) } };
}
