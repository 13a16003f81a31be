/** A control plane that has one of everything, with all members: for tests of what is told about it. */
import type { AuditDesk } from '../../reconciler/api/audit.ts';
import type { ControlPlane } from '../../reconciler/control-plane.ts';
import type { Notifier } from '../../reconciler/notifier.ts';
import type { Shelf } from '../../reconciler/packages/shelf.ts';
import { savePlanning } from '../../reconciler/saved-planning.ts';
import type { VerbAnswer } from '../../schemas/api.ts';
import type { KeyView } from '../../schemas/keys.ts';
import type { ReceiverView } from '../../schemas/notifications.ts';
import type {
  InstanceView,
  OverrideView,
  PinView,
  PlacementView,
  RevisionView,
  ServiceView,
  SuspendView,
} from '../../schemas/views.ts';
import { aPolicy, at } from './builders.ts';
import { fakeControlPlane, fakeEvent, fakeInstance, fakeNode, fakeService } from './fake-control-plane.ts';
import { aFleet } from './fleet.ts';

const packed = {
  arch: 'amd64',
  file: 'f',
  version: '0.1.0',
  node: 'v20',
  bytes: 1,
  unpacked: 2,
  sha256: 'ab',
} as const;

/** The service that there is. */
export const web = 'shop.default.web.default';
const hold = {
  id: 'ab12',
  code: 'REMOVAL_GUARD',
  subject: 'source/git',
  message: 'm',
  subjects: [web],
  hint: 'h',
} as const;
const wrong = {
  code: 'SOURCE_DAMAGED',
  message: 'm',
  file: 'a',
  line: 1,
  column: 2,
  hint: 'h',
  disposition: 'retry',
} as const;
const suspended: SuspendView = { subject: 'shop.default', actor: 'ann', reason: 'r', since: 1, until: 2 };
const pin: PinView = { source: 'git', commit: 'a1', actor: 'ann', reason: 'r', since: 1, until: 2 };
const source = {
  name: 'git',
  url: 'file:///r',
  branch: 'main',
  path: '',
  accepted: 'a1',
  head: 'b2',
  state: 'synced',
  pin,
  checked: 10,
  services: 1,
  ignored: 0,
  problems: [wrong],
} as const;
const instance: InstanceView = {
  ...fakeInstance(`${web}.instance.0`),
  copy: '3.4',
  node: 'pi1',
  want: 'run',
  digest: `1:${'0'.repeat(64)}`,
  age: 5,
  seen: 6,
  addresses: ['127.0.0.11:8080'],
  handle: 'abc',
  drift: { kind: 'changed', what: 'paused', age: 3, healed: true },
  reason: { code: 'SETTLING', message: 'm' },
};
const key: KeyView = {
  kind: 'cluster',
  id: 'ab12',
  state: 'used',
  since: 1,
  trusted: 'all nodes',
  taken: 1,
  nodes: 2,
  waits: [],
};
const revision: RevisionView = {
  source: 'git',
  commit: 'a1',
  author: 'Ann',
  title: 't',
  at: 1,
  changes: { added: 1, changed: 2, removed: 0 },
  services: [web],
};
const override: OverrideView = {
  id: 'ab12',
  subject: web,
  kind: 'scale',
  change: '3 instances',
  replicas: 3,
  actor: 'ann',
  reason: 'r',
  since: 1,
  until: 2,
};
const service: ServiceView = {
  ...fakeService(web),
  source: 'git',
  commit: 'a1',
  file: 'shop.yaml',
  line: 3,
  secrets: ['db', 'tls'],
  node_secrets: ['modem'],
  holds: [hold],
  overrides: [override],
  suspended,
  instances: [instance],
};
const verb: VerbAnswer = { service: web, digest: service.digest, changed: true, instances: [instance.name] };
const node = fakeNode('pi1', {
  id: 'aabbccddeeff0011',
  aliases: ['10.0.0.1'],
  cordoned: { cause: 'c', actor: 'ann', reason: 'r', since: 1 },
  drain: { left: [{ instance: 'a', message: 'm', stuck: true }], apart: [{ instance: 'b', message: 'm' }] },
  suspended: { ...suspended, subject: 'node/pi1' },
  ip: '10.0.0.1',
  labels: { zone: 'a' },
  location: 'hall',
  capacity: { cpu: 4, memory: 8000 },
  used: { cpu: 0.5, memory: 100 },
  usage: { cpu: 3.5, memory: 50.1 },
  arch: 'arm64',
  version: '0.1.0',
  recipient: `age1${'q'.repeat(58)}`,
  secrets: ['modem'],
  seen: 12,
  problems: [{ code: 'X', message: 'm' }],
});

const receiver: ReceiverView = { name: 'ops', kind: 'ntfy', host: 'h', after: 1, remind: 0 };
const score = { spread: [{ label: 'zone', value: 'a', instances: 1 }], instances: 1, promised: 12.5, free: 800 };
const placement: PlacementView = {
  score,
  others: { fit: 2, next: { node: 'pi2', score }, unfit: [{ code: 'NODES_CORDONED', nodes: 1, message: 'm' }] },
};
const snapshot = savePlanning(
  { world: aFleet(1).world, policy: aPolicy(), now: at(0), limits: 'none', direct: {}, sources: [] },
  'ab'.repeat(32),
);

export const wholeControl: Partial<ControlPlane> = {
  status: () => ({
    ...fakeControlPlane().status(),
    sources: [source],
    holds: [hold],
    suspended: [suspended],
    conditions: [wrong],
  }),
  apps: () => [
    { name: 'shop.default', source: 'git', services: 1, healthy: 1, instances: 1, outcome: 'settled', suspended },
  ],
  services: () => [service],
  instances: () => [instance],
  nodes: () => [node],
  deploy: async () => ({
    services: [{ name: web, digest: service.digest, change: 'created' }],
    warnings: [{ ...wrong, severity: 'warning' }],
  }),
  remove: async () => ({ services: ['blog.default.web.default'] }),
  plan: async () => ({
    changes: [{ action: 'start', subject: instance.name, node: 'pi1', detail: 'd', placement }],
    holds: [hold],
    settled: 2,
    problems: [{ ...wrong, severity: 'warning' }],
  }),
  snapshot: async () => snapshot,
  move: async (name) => ({ instance: name, node: 'pi1' }),
  replicate: async (name) => ({ instance: name }),
  approve: async (id) => ({ approved: id }),
  sync: async () => ({ sources: [source] }),
  history: () => [revision, { ...revision, outcome: 'failed', ended: 2, reason: 'r', actor: 'ann', current: true }],
  rollback: async () => pin,
  unpin: async () => pin,
  undelete: async () => ({ ...verb, override: { ...override, kind: 'undelete' } }),
  suspend: async () => ({ subject: 'shop.default', changed: true, suspended }),
  resume: async () => ({ subject: 'shop.default', changed: true }),
  tokens: () => [
    { id: 'a', state: 'valid', name: 'pi2', uses: 1, expires: 2, created: 1, by: 'ann@desk' },
    { id: 'b', state: 'used', uses: 0, expires: 2 },
  ],
  revokeToken: async (id) => ({ revoked: id }),
  keys: () => [key, { ...key, kind: 'node', node: 'pi1', id: '2', state: 'announced', ends: 3, waits: ['pi1'] }],
  rotateKeys: async ({ kind, nodes = [] }) => ({
    kind,
    ...(kind === 'node' ? { nodes } : { id: 'ab', ends: 4, nodes: [] }),
    skipped: [{ node: 'pi2', why: 'it cannot' }],
    tokens: [{ node: 'pi1', token: 'oak1.a' }],
    revoked: ['b'],
  }),
  overrides: () => [override],
  registries: async () => [{ registry: 'r:5000', username: 'fleet', mirrors: ['m'], plain_http: true }],
  login: async (registry) => ({ registry, changed: true, unchecked: 'no answer' }),
  logout: async (registry) => ({ registry, changed: false }),
  removeOverride: async (id) => ({ removed: id }),
  scale: async () => ({ ...verb, override }),
  start: async () => verb,
  stop: async () => ({ ...verb, override }),
  restart: async () => ({ ...verb, after: '1.2' }),
  cordon: async (node) => ({ node, changed: true, cordoned: { cause: 'by ann', actor: 'ann', since: 1 } }),
  drain: async () => ({ node: 'pi1', changed: true, cordoned: { cause: 'by ann' } }),
  uncordon: async (node) => ({ node, changed: false }),
  removeNode: async (name) => ({ removed: name }),
  createToken: async () => ({ token: 'oak1.a.b.c', id: 'a', expires: 1 }),
  revoke: async (name) => ({ revoked: name }),
  identity: () => ({
    ...{ cluster: 'test', fingerprint: 'ab'.repeat(32), kid: 'ab', key: 'k', sig: 's' },
    wire: { least: 1, most: 1 },
  }),
  join: async ({ name }) => ({
    ...{ id: 'aabbccddeeff0011', name, cluster: 'test', fingerprint: 'ab'.repeat(32), ordinal: 1 },
    mqtt: { host: 'h', port: 1883, tls: true, url: 'mqtts://h', ca: 'PEM', username: 'u', password: 'p' },
    keys: { ab: 'k' },
  }),
  register: async () => ({ id: '1', MQTT_BROKER_PORT: '10003', username: 'u', password: 'p' }),
  renewCredential: async () => ({ serial: 2, password: 'p' }),
  pullSources: async (_node, host) => [{ host, username: 'u', password: 'p', plainHttp: true, note: 'n' }],
  calculate: (job) => ({ workers: ['pi1'], job }),
  async *logs() {
    yield 'a\nb\n';
  },
  async *events() {
    yield fakeEvent(1);
  },
};

export const wholeShelf: Shelf = {
  stock: async () => ({ items: [packed], folder: '/p', installer: 'cd' }),
  installer: async () => '',
  open: () => undefined,
};

export const wholeNotifier: Pick<Notifier, 'views' | 'test'> = {
  views: () => [receiver],
  test: async () => [{ ...receiver, delivered: 1, problem: 'm' }],
};

export const wholeAudit: AuditDesk = {
  record() {},
  read: async () => [
    {
      at: 1,
      who: 'ann',
      by: 'login',
      role: 'admin',
      address: '::1',
      action: 'POST /v1/sync',
      subject: 's',
      outcome: 'refused',
      status: 409,
      unwritten: 2,
    },
  ],
};
