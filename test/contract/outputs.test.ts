import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { Static } from 'typebox';
import { afterAll, beforeAll, describe, expect, expectTypeOf, it, vi } from 'vitest';
import type { InstallReport } from '../../cli/local/agent-install.ts';
import type { UninstallReport } from '../../cli/local/agent-uninstall.ts';
import type { ProcessRow } from '../../cli/local/ps.ts';
import type { DownReport, StopReport } from '../../cli/local/stop.ts';
import type { UpReport } from '../../cli/local/up.ts';
import type { Identity } from '../../cli/render/accounts.ts';
import type { AddedNode } from '../../cli/services/add-node.ts';
import type { CommitNote } from '../../cli/services/commit-edit.ts';
import type { ContextRow } from '../../cli/services/contexts.ts';
import type { Deployed } from '../../cli/services/deploy.ts';
import type { Finding } from '../../cli/services/doctor.ts';
import type { Drained } from '../../cli/services/drain.ts';
import type { SecretRow } from '../../cli/services/list-secrets.ts';
import type { LoadResult } from '../../cli/services/load-images.ts';
import type { LoggedIn, LoggedOut } from '../../cli/services/login.ts';
import type { LogLine } from '../../cli/services/logs.ts';
import type { Versions } from '../../cli/services/versions.ts';
import type { SecretNote } from '../../cli/services/write-secrets.ts';
import type { VerbResult } from '../../cli/verb-command.ts';
import type { BackupSummary, Restored } from '../../reconciler/backup-main.ts';
import { savePlanning } from '../../reconciler/saved-planning.ts';
import type { ApiTokenAnswer, ApiTokenView, UserAnswer, UserView } from '../../schemas/accounts.ts';
import type { CordonAnswer, LoginAnswer, SuspendAnswer, SyncAnswer, VerbAnswer } from '../../schemas/api.ts';
import type { AuditEntry } from '../../schemas/audit.ts';
import type { ClusterEvent } from '../../schemas/cluster-events.ts';
import type { TlsAnswer } from '../../schemas/joining.ts';
import type { KeyView, RotateAnswer } from '../../schemas/keys.ts';
import type { ReceiverView } from '../../schemas/notifications.ts';
import { outputSchemas, type outputs } from '../../schemas/output-schemas.ts';
import type { PackageView } from '../../schemas/packages.ts';
import type {
  AppView,
  Cause,
  ClusterStatus,
  InstanceView,
  NodeView,
  OverrideView,
  PinView,
  PlacementView,
  PlanView,
  RegistryView,
  RevisionView,
  ServiceView,
  SuspendView,
  TokenView,
} from '../../schemas/views.ts';
import { listenApi, type TestApi, testToken } from '../support/api-server.ts';
import { aPolicy, at } from '../support/builders.ts';
import { commandNames, runCommand } from '../support/commands.ts';
import { curlApplication } from '../support/descriptors.ts';
import { fakeControlPlane, fakeEvent, fakeInstance, fakeNode, fakeService } from '../support/fake-control-plane.ts';
import { aFleet } from '../support/fleet.ts';
import { imageTar } from '../support/image-tar.ts';
import { memoryAccounts, owner } from '../support/memory-accounts.ts';

const folder = new URL('../../schemas/json/', import.meta.url);
/** They run until they are ended, or print texts for other programs. */
const withoutOutput = ['agent', 'completion', 'exec', 'reconciler', 'systemd'];
/** Made by `up` on a real machine: their types are compared below, and the e2e level runs them. */
const local = ['agent install', 'agent uninstall', 'backup', 'down', 'ps', 'restore', 'stop', 'up'];
/** Need a repository: the integration level runs them. */
const inGit = ['secret edit', 'secret ls', 'secret rekey', 'secret set'];
/** Need a cluster that speaks TLS. */
const overTls = ['ca export', 'ca show'];
const passwordOfAnn = 'of ann 0123456789';
const packed = {
  arch: 'amd64',
  file: 'f',
  version: '0.1.0',
  node: 'v20',
  bytes: 1,
  unpacked: 2,
  sha256: 'ab',
} as const;

const schemas = Object.fromEntries(
  Object.values(outputSchemas()).map((text) => {
    const schema = JSON.parse(text) as { title: string };
    return [schema.title.split(' ').slice(1, -2).join(' '), schema];
  }),
);

/** As published, but nothing may be printed that it does not name. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  return 'properties' in inner && !('anyOf' in inner) ? { additionalProperties: false, ...inner } : inner;
}

function expectFits(command: string, value: unknown): void {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  const validate = ajv.compile(closed(schemas[command]) as object);
  validate(value);
  expect(validate.errors ?? [], `${command}: ${JSON.stringify(value)}`).toEqual([]);
}

const web = 'shop.default.web.default';
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
  { world: aFleet(1).world, policy: aPolicy(), now: at(0), limits: 'none', direct: {} },
  'ab'.repeat(32),
);

const deed: AuditEntry = {
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
};

let api: TestApi;
let home: string;
let apiTokenId: string;
beforeAll(async () => {
  const { accounts } = memoryAccounts();
  await accounts.add({ name: 'ann', role: 'admin', password: passwordOfAnn }, owner);
  const wish = { apps: ['shop.default'], purpose: 'p' };
  apiTokenId = (await accounts.tokens.create(accounts.required('ann'), wish, owner)).view.id;
  api = await listenApi(
    {
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
      restart: async () => ({ ...verb, after: '1.2' }),
      cordon: async (node) => ({ node, changed: true, cordoned: { cause: 'by ann', actor: 'ann', since: 1 } }),
      drain: async () => ({ node: 'pi1', changed: true, cordoned: { cause: 'by ann' } }),
      uncordon: async (node) => ({ node, changed: false }),
      removeNode: async (name) => ({ removed: name }),
      createToken: async () => ({ token: 'oak1.a.b.c', id: 'a', expires: 1 }),
      revoke: async (name) => ({ revoked: name }),
      async *logs() {
        yield 'a\nb\n';
      },
      async *events() {
        yield fakeEvent(1);
      },
    },
    {},
    {
      stock: async () => ({ items: [packed], folder: '/p', installer: 'cd' }),
      installer: async () => '',
      open: () => undefined,
    },
    { views: () => [receiver], test: async () => [{ ...receiver, delivered: 1, problem: 'm' }] },
    { accounts, audit: { record: () => {}, read: async () => [deed] } },
  );
  home = await mkdtemp(join(tmpdir(), 'oakctl-outputs-'));
  process.env['OAKCTL_HOME'] = home;
  await writeFile(join(home, 'token'), testToken);
  await writeFile(join(home, 'app.yaml'), curlApplication({ curl: 'a', nginx: 'b' }));
  await writeFile(join(home, 'compose.yaml'), 'services: {web: {image: i}}');
  await writeFile(join(home, 'images.tar'), imageTar([{ names: ['a:1'], content: Buffer.from('a') }]));
  await mkdir(join(home, 'clusters', 'here'), { recursive: true });
});
afterAll(async () => {
  delete process.env['OAKCTL_HOME'];
  await api.close();
  await rm(home, { recursive: true, force: true });
});

/** Standard output of `-o json`. */
async function print(command: string, ...args: string[]): Promise<string> {
  const target = command.startsWith('contexts') ? [] : ['--api', api.url, '--token-file', join(home, 'token')];
  // What is piped in.
  const piped = args.includes('--password-stdin') && vi.spyOn(process, 'stdin', 'get');
  if (piped) piped.mockReturnValue(Readable.from([`${passwordOfAnn}\n`]) as never);
  const { stdout, stderr } = await runCommand(command, [...args, '-o', 'json', ...target]);
  if (piped) piped.mockRestore();
  expect(stdout, `${command}: ${stderr}`).not.toBe('');
  return stdout;
}

/** Commands with the arguments under which they print something, in the order in which they are run. */
const runs: readonly (readonly [command: string, ...args: string[]])[] = [
  ['approve', 'ab12'],
  ['apps ls'],
  ['audit'],
  ['broker config', 'mosquitto', '--out', 'NEW'],
  ['contexts add', 'far', '--api', 'http://10.0.0.5:10100', '--token-file', 'TOKEN', '--ca-file', 'TOKEN'],
  ['contexts ls'],
  ['contexts use', 'far'],
  ['contexts current'],
  ['contexts rm', 'far'],
  ['delete', 'blog.default.web.default'],
  ['deploy', 'APP'],
  ['doctor'],
  ['events'],
  // The control plane of this test refuses: a result that failed says why.
  ['images load', 'ARCHIVE'],
  ['init', 'NEW'],
  ['import', 'COMPOSE'],
  ['instances ls'],
  ['keys ls'],
  ['keys rotate ca', '--overlap', '1h'],
  ['keys rotate cluster', '--now', '--yes'],
  ['keys rotate node', 'pi1'],
  ['login', '--user', 'ann', '--password-stdin'],
  ['logout'],
  ['move', `${web}.instance.0`, '--to', 'pi1'],
  ['nodes add', 'pi2', '--address', '10.0.0.1'],
  ['nodes cordon', 'pi1', '--reason', 'disk'],
  ['nodes drain', 'pi1', '--detach'],
  ['nodes inspect', 'pi1'],
  ['nodes ls'],
  ['nodes packages'],
  ['nodes revoke', 'pi1', '--yes'],
  ['nodes rm', 'pi1', '--yes'],
  ['nodes uncordon', 'pi1'],
  ['nodes token create'],
  ['nodes token ls'],
  ['nodes token revoke', 'a'],
  ['history'],
  ['overrides ls'],
  ['overrides rm', 'ab12'],
  ['plan'],
  ['notifications ls'],
  ['notifications test'],
  ['registries login', 'r:5000', '--username', 'fleet', '--password-stdin'],
  ['registries logout', 'r:5000'],
  ['registries ls'],
  ['replicate', `${web}.instance.0`],
  ['restart', 'shop', '--detach'],
  ['scale', 'shop', '3'],
  ['services inspect', 'shop'],
  ['services ls'],
  ['snapshot', '--out', 'SNAPSHOT'],
  ['start', 'shop'],
  ['status'],
  ['rollback', '--to', 'a1b2'],
  ['unpin'],
  ['suspend', 'shop', '--reason', 'r'],
  ['resume', 'shop'],
  ['sync'],
  ['users add', 'bob', '--role', 'viewer'],
  ['users ls'],
  ['users passwd', 'bob', '--generate'],
  ['users role', 'bob', 'admin'],
  ['users rm', 'bob', '--yes'],
  ['users token create', 'ann', '--app', 'shop.default', '--purpose', 'p'],
  ['users token ls'],
  ['users token revoke', 'APITOKEN'],
  ['render', 'FLEET', '--cluster', 'shop', '--label', 'tier=small'],
  ['validate', 'APP'],
  ['version'],
  ['whoami'],
  ['why', web],
];

describe('the output of', () => {
  it.each(runs)('%s fits its schema', async (command, ...args) => {
    const files: Record<string, string> = {
      TOKEN: join(home, 'token'),
      APP: join(home, 'app.yaml'),
      COMPOSE: join(home, 'compose.yaml'),
      NEW: join(home, 'new'),
      SNAPSHOT: join(home, 'snapshot.json'),
      ARCHIVE: join(home, 'images.tar'),
      APITOKEN: apiTokenId,
      FLEET: fileURLToPath(new URL('../../examples/fleet', import.meta.url)),
    };
    expectFits(command, JSON.parse(await print(command, ...args.map((arg) => files[arg] ?? arg))));
  });

  it('logs is one object per line', async () => {
    const lines = (await print('logs', 'shop')).trim().split('\n');
    expect(lines.map((line) => JSON.parse(line).text)).toEqual(['a', 'b']);
    for (const line of lines) expectFits('logs', JSON.parse(line));
  });

  it('every other command has a schema, and a test of it', () => {
    const tested = [...runs.map(([command]) => command), ...local, ...inGit, ...overTls, 'logs'];
    expect(commandNames.filter((name) => !withoutOutput.includes(name))).toEqual(tested.sort());
    expect(tested.filter((command) => !schemas[command])).toEqual([]);
  });

  it('watched events is one object per line', () => {
    expectFits('events watch', fakeEvent(1));
  });
});

it('the schemas in schemas/json/output are those of the sources (npm run gen)', async () => {
  const fresh = outputSchemas();
  const stored = await readdir(new URL('output/', folder));
  expect(stored.map((name) => `output/${name}`).sort()).toEqual(Object.keys(fresh).sort());
  for (const [name, text] of Object.entries(fresh))
    expect(await readFile(new URL(name, folder), 'utf8'), name).toBe(text);
});

/** Schemas make arrays that can be written, views are read only: that is no difference. */
type Frozen<T> = T extends readonly (infer Item)[]
  ? readonly Frozen<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Frozen<T[Key]> }
    : T;
type Output<Command extends keyof typeof outputs> = Frozen<Static<(typeof outputs)[Command]>>;
type Items<Row> = Frozen<{ items: readonly Row[] }>;

it('schemas and types say the same', () => {
  expectTypeOf<Output<'agent install'>>().toEqualTypeOf<Frozen<InstallReport>>();
  expectTypeOf<Output<'agent uninstall'>>().toEqualTypeOf<Frozen<UninstallReport>>();
  expectTypeOf<Output<'nodes add'>>().toEqualTypeOf<Frozen<AddedNode>>();
  expectTypeOf<Output<'nodes packages'>>().toEqualTypeOf<Items<PackageView>>();
  expectTypeOf<Output<'backup'>>().toEqualTypeOf<
    Frozen<BackupSummary & { file: string; sealed: boolean; bytes: number }>
  >();
  expectTypeOf<Output<'restore'>>().toEqualTypeOf<Frozen<Restored>>();
  expectTypeOf<Output<'apps ls'>>().toEqualTypeOf<Items<AppView>>();
  expectTypeOf<Output<'ca show'>>().toEqualTypeOf<Frozen<TlsAnswer>>();
  expectTypeOf<Output<'contexts ls'>>().toEqualTypeOf<Items<ContextRow>>();
  expectTypeOf<Output<'deploy'>>().toEqualTypeOf<Frozen<Deployed>>();
  expectTypeOf<Output<'doctor'>>().toEqualTypeOf<Items<Finding>>();
  expectTypeOf<Output<'down'>>().toEqualTypeOf<Frozen<DownReport>>();
  expectTypeOf<Output<'events'>>().toEqualTypeOf<Items<ClusterEvent>>();
  expectTypeOf<Output<'images load'>>().toEqualTypeOf<Items<LoadResult>>();

  expectTypeOf<Output<'history'>>().toEqualTypeOf<Items<RevisionView>>();
  expectTypeOf<Output<'resume'>>().toEqualTypeOf<Frozen<SuspendAnswer>>();
  expectTypeOf<Output<'suspend'>>().toEqualTypeOf<Frozen<SuspendAnswer>>();
  expectTypeOf<Output<'rollback'>>().toEqualTypeOf<Frozen<PinView>>();
  expectTypeOf<Output<'audit'>>().toEqualTypeOf<Items<AuditEntry>>();
  expectTypeOf<Output<'login'>>().toEqualTypeOf<Frozen<LoggedIn>>();
  expectTypeOf<Output<'logout'>>().toEqualTypeOf<Frozen<LoggedOut>>();
  expectTypeOf<Output<'users add'>>().toEqualTypeOf<Frozen<UserAnswer>>();
  expectTypeOf<Output<'users ls'>>().toEqualTypeOf<Items<UserView>>();
  expectTypeOf<Output<'users token create'>>().toEqualTypeOf<Frozen<ApiTokenAnswer>>();
  expectTypeOf<Output<'users token ls'>>().toEqualTypeOf<Items<ApiTokenView>>();
  expectTypeOf<Output<'whoami'>>().toEqualTypeOf<Frozen<Identity>>();
  expectTypeOf<Output<'instances ls'>>().toEqualTypeOf<Items<InstanceView>>();
  expectTypeOf<Output<'keys ls'>>().toEqualTypeOf<Items<KeyView>>();
  expectTypeOf<Output<'keys rotate node'>>().toEqualTypeOf<Frozen<RotateAnswer>>();
  expectTypeOf<Output<'logs'>>().toEqualTypeOf<LogLine>();
  expectTypeOf<Output<'nodes cordon'>>().toEqualTypeOf<Frozen<CordonAnswer & { commit?: CommitNote }>>();
  expectTypeOf<Output<'nodes drain'>>().toEqualTypeOf<Frozen<Drained>>();
  expectTypeOf<Output<'nodes inspect'>>().toEqualTypeOf<Frozen<NodeView>>();
  expectTypeOf<Output<'nodes token ls'>>().toEqualTypeOf<Items<TokenView>>();
  expectTypeOf<Output<'notifications ls'>>().toEqualTypeOf<Items<ReceiverView>>();
  expectTypeOf<Output<'registries login'>>().toEqualTypeOf<Frozen<LoginAnswer>>();
  expectTypeOf<Output<'registries ls'>>().toEqualTypeOf<Items<RegistryView>>();
  expectTypeOf<Output<'plan'>>().toEqualTypeOf<Frozen<PlanView>>();
  expectTypeOf<Output<'ps'>>().toEqualTypeOf<Items<ProcessRow>>();
  expectTypeOf<Output<'secret edit'>>().toEqualTypeOf<Frozen<SecretNote>>();
  expectTypeOf<Output<'secret ls'>>().toEqualTypeOf<Items<SecretRow>>();
  expectTypeOf<Output<'secret rekey'>>().toEqualTypeOf<Items<SecretNote>>();
  expectTypeOf<Output<'secret set'>>().toEqualTypeOf<Frozen<SecretNote>>();
  expectTypeOf<Output<'services inspect'>>().toEqualTypeOf<Frozen<ServiceView>>();
  expectTypeOf<Output<'status'>>().toEqualTypeOf<Frozen<ClusterStatus>>();
  expectTypeOf<Output<'scale'>>().toEqualTypeOf<Frozen<VerbResult>>();
  expectTypeOf<Output<'overrides ls'>>().toEqualTypeOf<Items<OverrideView>>();
  expectTypeOf<Output<'stop'>>().toEqualTypeOf<Frozen<StopReport> | Frozen<VerbResult>>();
  expectTypeOf<Output<'sync'>>().toEqualTypeOf<Frozen<SyncAnswer>>();
  expectTypeOf<Output<'up'>>().toEqualTypeOf<Frozen<UpReport>>();
  expectTypeOf<Output<'why'>>().toEqualTypeOf<Frozen<Cause>>();
  expectTypeOf<Output<'version'>>().toEqualTypeOf<Versions>();
});
