/** The settings of cluster.yaml that concern the broker: where the embedded one listens, or which other one is used. */
import { type Static, Type } from 'typebox';
import { hostOf, isLoopback } from './addresses.ts';
import { type BrokerKind, brokerFiles } from './broker-config.ts';
import type { Findings } from './findings.ts';

const closed = { additionalProperties: false } as const;
const file = (description: string) => Type.String({ pattern: '^/', maxLength: 4096, description });

/** `mqtt` in cluster.yaml. */
export const MqttFile = Type.Object(
  {
    host: Type.Optional(Type.String({ maxLength: 255, description: 'Address to listen on; loopback.' })),
    port: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 65_535, default: 10_003, description: '0 takes any free port.' }),
    ),
    url: Type.Optional(
      Type.String({
        pattern: '^(mqtts?|wss?)://[^\\s/@]+(/[^\\s]*)?$',
        maxLength: 2048,
        description: 'A broker that runs by itself, instead of the embedded one.',
      }),
    ),
    username: Type.Optional(
      Type.String({
        pattern: '^reconciler[a-z0-9_-]{0,50}$',
        description: 'Who the reconciler is there: `reconciler`, or a name that begins so.',
      }),
    ),
    password_file: Type.Optional(file("File with the reconciler's password there.")),
    ca: Type.Optional(file("PEM file of the root that signed that broker's certificate.")),
  },
  { ...closed, description: 'The embedded MQTT broker, or with `url` another one.' },
);

/** `broker` in cluster.yaml. */
export const BrokerFile = Type.Object(
  {
    credentials: Type.Optional(
      Type.Object(
        {
          file: file('Password file of that broker; rewritten when a node joins or is revoked.'),
          format: Type.Optional(
            Type.Enum(Object.keys(brokerFiles) as BrokerKind[], { description: 'Of the file; default mosquitto.' }),
          ),
          reload: Type.Optional(
            Type.Union(
              [
                Type.Array(Type.String({ minLength: 1, maxLength: 4096 }), { minItems: 1, maxItems: 64 }),
                Type.Object({ pid_file: file('The process whose id is in it gets SIGHUP.') }, closed),
              ],
              { description: 'How the broker is told: a command as a list of words, or `{pid_file}`.' },
            ),
          ),
        },
        { ...closed, description: 'Who may connect to it, kept up to date.' },
      ),
    ),
  },
  { ...closed, description: 'What the reconciler does for a broker that is not its own.' },
);

/** A broker that is not ours. */
export interface ExternalBroker {
  readonly url: string;
  readonly username: string;
  /** Absolute, like all paths here. */
  readonly passwordFile: string;
  readonly ca?: string;
  /** Absent: somebody else tells the broker who may connect. */
  readonly credentials?: {
    readonly file: string;
    readonly format: BrokerKind;
    /** Absent: the broker reads its file again by itself. */
    readonly reload?:
      | { readonly kind: 'run'; readonly argv: readonly string[] }
      | { readonly kind: 'signal'; readonly pidFile: string };
  };
}

/** The external broker, if there is one. Adds to the findings what contradicts itself. */
export function externalBroker(
  mqtt: Static<typeof MqttFile> | undefined,
  broker: Static<typeof BrokerFile> | undefined,
  insecure: { readonly allowed: boolean; readonly setting: string },
  findings: Findings,
): ExternalBroker | undefined {
  const wrong = (path: readonly string[], message: string, hint?: string): undefined => {
    findings.error('SETTINGS_INVALID', path, message, hint);
  };
  const { url, host, port, username = 'reconciler', password_file: passwordFile, ca } = mqtt ?? {};
  if (url === undefined) {
    if (mqtt?.username !== undefined || passwordFile !== undefined || ca !== undefined || broker?.credentials)
      wrong(['mqtt'], 'user, password, root and credentials are for a broker with `url`', 'mqtt: {url: ...}');
    return undefined;
  }
  if (host !== undefined || port !== undefined)
    return wrong(['mqtt'], '`url` is another broker, `host` and `port` the embedded one', 'leave one of them out');
  if (passwordFile === undefined)
    return wrong(['mqtt'], '`url` needs `password_file`', '`oakctl broker config` writes one');
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed?.hostname) return wrong(['mqtt', 'url'], `\`${url}\` is not a URL`, 'mqtt://192.168.1.2:1883');
  const hostname = hostOf(parsed);
  const isPlain = parsed.protocol === 'mqtt:' || parsed.protocol === 'ws:';
  if (isPlain && !isLoopback(hostname) && !insecure.allowed) {
    const message = `${url} is not loopback, and there is no TLS: credentials would be readable on the way`;
    const hint = `${url.replace(/^(mqtt|ws)/, '$1s')} with \`ca\`; \`${insecure.setting}: true\` goes without`;
    findings.error('TLS_REQUIRED', ['mqtt', 'url'], message, hint);
  }
  const { credentials } = broker ?? {};
  return {
    url,
    username,
    passwordFile,
    ...(ca !== undefined && { ca }),
    ...(credentials && { credentials: credentialsOf(credentials) }),
  };
}

function credentialsOf(
  written: NonNullable<Static<typeof BrokerFile>['credentials']>,
): NonNullable<ExternalBroker['credentials']> {
  const { file: path, format = 'mosquitto', reload } = written;
  if (reload === undefined) return { file: path, format };
  return {
    file: path,
    format,
    reload: 'pid_file' in reload ? { kind: 'signal', pidFile: reload.pid_file } : { kind: 'run', argv: [...reload] },
  };
}
