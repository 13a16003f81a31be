/**
 * Configuration of brokers that are not ours, made from the topic table: who may do what on them is what the embedded broker allows.
 * Pure text; passwords come in as the lines that the broker reads.
 */
import { withPort } from './addresses.ts';
import { mostParts, officeTopic, operatorTopic, type Row, reservedUsers, rows } from './topics.ts';

export interface BrokerConfig {
  readonly cluster: string;
  readonly host: string;
  readonly port: number;
  /** User names of reconcilers. More than one: the others wait for the first to go. */
  readonly reconcilers: readonly string[];
  /** PEM files; without them the broker speaks plain MQTT. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Folder of the files that belong together, absolute. */
  readonly folder: string;
}

/** Names of the files in the folder. `nats-users.conf` and `passwords` are rewritten by the reconciler. */
export const brokerFiles = {
  mosquitto: { config: 'mosquitto.conf', access: 'acl', credentials: 'passwords' },
  nats: { config: 'nats.conf', credentials: 'nats-users.conf' },
} as const;

export type BrokerKind = keyof typeof brokerFiles;

/** Longest packet that a client may send; the embedded broker has the same. */
const maxPacket = 262_144;

/** mosquitto.conf for Mosquitto 2.0 and later. */
export function mosquittoConfig({ host, port, folder, tls }: BrokerConfig): string {
  const { access, credentials } = brokerFiles.mosquitto;
  return lines([
    '# Made by `oakctl broker config mosquitto`. Retained rows are put back by their owners: nothing needs to survive a restart.',
    'persistence false',
    `listener ${port} ${host}`,
    ...(tls ? [`certfile ${tls.cert}`, `keyfile ${tls.key}`, 'tls_version tlsv1.2'] : []),
    '# A node is its user name: it cannot take the connection of another one.',
    'use_username_as_clientid true',
    'max_connections 16384',
    'max_qos 1',
    'allow_anonymous false',
    'allow_zero_length_clientid false',
    `password_file ${folder}/${credentials}`,
    `acl_file ${folder}/${access}`,
    `max_packet_size ${maxPacket}`,
    'max_inflight_messages 100',
    'max_queued_messages 1000',
    'max_keepalive 120',
    'persistent_client_expiration 1h',
    'set_tcp_nodelay true',
    'sys_interval 0',
  ]);
}

/** The access list. `%u` is the user name; parts are written out, because `+` would allow what is no part. */
export function mosquittoAccess({ cluster, reconcilers }: BrokerConfig): string {
  const office = [`topic readwrite ${officeTopic(cluster)}`, `topic read ${operatorTopic(cluster)}`];
  const ofReconcilers = allRows().flatMap((row) => {
    // What nodes write is read, and cleared when they are removed.
    const right = rows[row].direction === 'up' ? 'readwrite' : 'write';
    return parts(row).map((part) => `topic ${right} nodes/+/${row}${part}`);
  });
  const ofNodes = allRows().flatMap((row) => {
    const right = rows[row].direction === 'up' ? 'write' : 'read';
    return parts(row).map((part) => `pattern ${right} nodes/%u/${row}${part}`);
  });
  return lines([
    '# Made by `oakctl broker config mosquitto` from the topic table. What is not here is denied.',
    ...reconcilers.flatMap((user) => ['', `user ${user}`, ...office, ...ofReconcilers]),
    '',
    '# Whoever has the API token: plain controls',
    `user ${reservedUsers.operator}`,
    `topic write ${operatorTopic(cluster)}`,
    '',
    '# Every node: its own rows',
    ...ofNodes,
  ]);
}

/** nats.conf for NATS 2.9 and later, with JetStream, which its MQTT needs. Topics have no dots: they map one to one. */
export function natsConfig({ cluster, host, port, folder, tls }: BrokerConfig): string {
  return lines([
    '# Made by `oakctl broker config nats`.',
    `server_name: ${quoted(`oakctl-${cluster}`)}`,
    '# Clients of NATS itself are not needed: any free port of the loopback.',
    'listen: "127.0.0.1:-1"',
    `max_payload: ${maxPacket}`,
    'jetstream {',
    `  store_dir: ${quoted(`${folder}/jetstream`)}`,
    '}',
    'mqtt {',
    `  listen: ${quoted(withPort(host, port))}`,
    '  max_ack_pending: 100',
    ...(tls ? ['  tls {', `    cert_file: ${quoted(tls.cert)}`, `    key_file: ${quoted(tls.key)}`, '  }'] : []),
    '}',
    `include ${quoted(brokerFiles.nats.credentials)}`,
  ]);
}

export interface BrokerUser {
  readonly name: string;
  readonly password: string;
  readonly kind: 'reconciler' | 'operator' | 'node';
}

/**
 * The users of NATS with their permissions. NATS knows no pattern by user, so that each has its own list; nor does its file know a
 * hash that we can make, so that the passwords are readable in it. Never empty: no user at all would mean that everybody may. `others`: lines as they are.
 */
export function natsUsers(cluster: string, users: readonly BrokerUser[], others: readonly string[] = []): string {
  return lines([
    '# Made by oakctl; rewritten when a node joins or is revoked.',
    'authorization {',
    '  users: [',
    ...others,
    ...users.map((user) => {
      const { publish, subscribe } = natsPermissions(cluster, user);
      const allow = (subjects: readonly string[]): string => `{allow: [${subjects.map(quoted).join(', ')}]}`;
      const permissions = `{publish: ${allow(publish)}, subscribe: ${allow(subscribe)}}`;
      return `    {user: ${quoted(user.name)}, password: ${quoted(user.password)}, permissions: ${permissions}}`;
    }),
    '  ]',
    '}',
  ]);
}

/** What NATS delivers QoS 1 on. */
const natsDeliveries = '$MQTT.sub.>';

function natsPermissions(cluster: string, { name, kind }: BrokerUser): { publish: string[]; subscribe: string[] } {
  const subject = (row: Row): string => `nodes.${kind === 'node' ? name : '*'}.${row}${rows[row].parted ? '.*' : ''}`;
  const up = allRows().filter((row) => rows[row].direction === 'up');
  const down = allRows().filter((row) => rows[row].direction === 'down');
  if (kind === 'node') return { publish: up.map(subject), subscribe: [...down.map(subject), natsDeliveries] };
  const operators = operatorTopic(cluster).replaceAll('/', '.');
  if (kind === 'operator') return { publish: [operators], subscribe: [natsDeliveries] };
  const office = officeTopic(cluster).replaceAll('/', '.');
  return {
    publish: [...allRows().map(subject), office],
    subscribe: [...up.map(subject), office, operators, natsDeliveries],
  };
}

function allRows(): Row[] {
  return Object.keys(rows) as Row[];
}

/** The last level of a row: nothing, or each part. */
function parts(row: Row): string[] {
  return rows[row].parted ? Array.from({ length: mostParts }, (_, part) => `/${part}`) : [''];
}

function quoted(text: string): string {
  return JSON.stringify(text);
}

function lines(all: readonly string[]): string {
  return `${all.join('\n')}\n`;
}
