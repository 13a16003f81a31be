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
import type { DriftRow } from '../../cli/render/drift.ts';
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
import type { ApiTokenAnswer, ApiTokenView, UserAnswer, UserView } from '../../schemas/accounts.ts';
import type { CordonAnswer, LoginAnswer, SuspendAnswer, SyncAnswer } from '../../schemas/api.ts';
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
  PlanView,
  RegistryView,
  RevisionView,
  ServiceView,
  TokenView,
} from '../../schemas/views.ts';
import { listenApi, type TestApi, testToken } from '../support/api-server.ts';
import { closed } from '../support/closed-schema.ts';
import { commandNames, runCommand } from '../support/commands.ts';
import { curlApplication } from '../support/descriptors.ts';
import { fakeEvent } from '../support/fake-control-plane.ts';
import { imageTar } from '../support/image-tar.ts';
import { memoryAccounts, owner } from '../support/memory-accounts.ts';
import { web, wholeAudit, wholeControl, wholeNotifier, wholeShelf } from '../support/whole-control-plane.ts';

const folder = new URL('../../schemas/json/', import.meta.url);
/** They run until they are ended, or print texts for other programs. */
const withoutOutput = ['agent', 'completion', 'exec', 'reconciler', 'systemd'];
/** Made by `up` on a real machine: their types are compared below, and the e2e level runs them. */
const local = ['agent install', 'agent uninstall', 'backup', 'down', 'ps', 'restore', 'stop', 'up'];
/** Need a repository: the integration level runs them. */
const inGit = ['adopt', 'secret edit', 'secret ls', 'secret rekey', 'secret set'];
/** Need a cluster that speaks TLS. */
const overTls = ['ca export', 'ca show'];
const passwordOfAnn = 'of ann 0123456789';

const schemas = Object.fromEntries(
  Object.values(outputSchemas()).map((text) => {
    const schema = JSON.parse(text) as { title: string };
    return [schema.title.split(' ').slice(1, -2).join(' '), schema];
  }),
);

function expectFits(command: string, value: unknown): void {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  const validate = ajv.compile(closed(schemas[command]) as object);
  validate(value);
  expect(validate.errors ?? [], `${command}: ${JSON.stringify(value)}`).toEqual([]);
}

let api: TestApi;
let home: string;
let apiTokenId: string;
beforeAll(async () => {
  const { accounts } = memoryAccounts();
  await accounts.add({ name: 'ann', role: 'admin', password: passwordOfAnn }, owner);
  const wish = { apps: ['shop.default'], purpose: 'p' };
  apiTokenId = (await accounts.tokens.create(accounts.required('ann'), wish, owner)).view.id;
  api = await listenApi(wholeControl, {}, wholeShelf, wholeNotifier, { accounts, audit: wholeAudit });
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
  ['drift', '--all'],
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
  ['undelete', 'shop'],
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

  it('nodes add names the secrets that the new node cannot read, and those that somebody has to put there', async () => {
    const target = ['--api', api.url, '--token-file', join(home, 'token')];
    const { stderr } = await runCommand('nodes add', ['pi2', '--address', '10.0.0.1', ...target]);
    expect(stderr).toContain(
      'It cannot read 2 secrets db, tls yet: once it has joined, `oakctl secret rekey --commit`.',
    );
    expect(stderr).toContain('It does not have the secret modem: services take');
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

  expectTypeOf<Output<'drift'>>().toEqualTypeOf<Items<DriftRow>>();
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
  expectTypeOf<Output<'adopt'>>().toEqualTypeOf<Frozen<VerbResult>>();
  expectTypeOf<Output<'scale'>>().toEqualTypeOf<Frozen<VerbResult>>();
  expectTypeOf<Output<'overrides ls'>>().toEqualTypeOf<Items<OverrideView>>();
  expectTypeOf<Output<'stop'>>().toEqualTypeOf<Frozen<StopReport> | Frozen<VerbResult>>();
  expectTypeOf<Output<'sync'>>().toEqualTypeOf<Frozen<SyncAnswer>>();
  expectTypeOf<Output<'up'>>().toEqualTypeOf<Frozen<UpReport>>();
  expectTypeOf<Output<'why'>>().toEqualTypeOf<Frozen<Cause>>();
  expectTypeOf<Output<'version'>>().toEqualTypeOf<Versions>();
});
