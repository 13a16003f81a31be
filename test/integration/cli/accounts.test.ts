import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { changeContexts, endpointOf, resolveTarget } from '../../../cli/contexts.ts';
import { type Session, withLogin } from '../../../cli/sessions.ts';
import { createAuditDesk } from '../../../reconciler/api/audit.ts';
import { createAuditLog } from '../../../reconciler/store/audit-log.ts';
import type { AuditEntry } from '../../../schemas/audit.ts';
import { createAccountsClient } from '../../../schemas/io/accounts-client.ts';
import { listenApi, type TestApi, testToken } from '../../support/api-server.ts';
import { type CommandRun, runCommand } from '../../support/commands.ts';
import { type MemoryAccounts, memoryAccounts, owner } from '../../support/memory-accounts.ts';

const minute = 60_000;
const day = 24 * 60 * minute;
const never = new AbortController().signal;
const passwordOf = (name: string) => `of ${name} 0123456789`;

let memory: MemoryAccounts;
let api: TestApi;
let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'oakctl-login-'));
  process.env['OAKCTL_HOME'] = home;
  memory = memoryAccounts();
  const { accounts, clock } = memory;
  await accounts.add({ name: 'ann', role: 'admin', password: passwordOf('ann') }, owner);
  await accounts.add({ name: 'eve', role: 'viewer', password: passwordOf('eve') }, owner);
  const log = createAuditLog({ folder: join(home, 'audit'), log: () => {} });
  api = await listenApi({}, {}, undefined, undefined, { accounts, audit: createAuditDesk({ log, clock }) });
  await changeContexts(home, () => ({ current: 'far', contexts: { far: { api: api.url } } }));
});
afterEach(async () => {
  delete process.env['OAKCTL_HOME'];
  await api.close();
  await rm(home, { recursive: true, force: true });
});

/** A command line, with what is piped in. */
async function run(line: string, input?: string): Promise<CommandRun> {
  const words = line.split(' ');
  const length = ['users token', 'users', 'contexts'].find((topic) => line.startsWith(`${topic} `))?.split(' ').length;
  const at = (length ?? 0) + 1;
  const piped = input === undefined ? undefined : vi.spyOn(process, 'stdin', 'get');
  piped?.mockReturnValue(Readable.from([input]) as never);
  try {
    return await runCommand(words.slice(0, at).join(' '), words.slice(at));
  } finally {
    piped?.mockRestore();
  }
}

const login = (name: string) => run(`login --user ${name} --password-stdin`, `${passwordOf(name)}\n`);
const file = () => join(home, 'sessions', 'far.json');
const session = async () => JSON.parse(await readFile(file(), 'utf8')) as Session;

describe('a login', () => {
  it('is who commands call as, until logout, and lies in a file of its owner', async () => {
    expect(await run('whoami')).toMatchObject({ code: 4, stderr: expect.stringContaining('oakctl login') });
    const { code, stdout } = await login('ann');
    expect({ code, stdout }).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^ann is logged in at far, as admin/),
    });
    expect((await stat(file())).mode & 0o777).toBe(0o600);
    expect((await stat(join(home, 'sessions'))).mode & 0o777).toBe(0o700);
    expect(await readFile(file(), 'utf8')).not.toContain(passwordOf('ann'));
    expect((await run('whoami')).stdout).toBe('ann at far, as admin, by a login\n');
    expect(JSON.parse((await run('contexts ls -o json')).stdout).items).toEqual([
      { name: 'far', current: true, kind: 'context', api: api.url, user: 'ann', role: 'admin' },
    ]);
    const { token } = await session();
    expect((await run('logout')).stdout).toBe('ann is logged out of far\n');
    await expect(memory.accounts.callerOf(token)).rejects.toThrow('session that ended');
    expect(await run('logout')).toMatchObject({ code: 0, stdout: 'nobody is logged in at far\n' });
    expect((await run('whoami')).code).toBe(4);
  });

  it('gives way to a token file that is named, and takes the place of the one of the context', async () => {
    const tokenFile = join(home, 'token');
    await writeFile(tokenFile, testToken);
    await changeContexts(home, (contexts) => ({ ...contexts, contexts: { far: { api: api.url, tokenFile } } }));
    await login('eve');
    expect((await run('whoami -o name')).stdout).toBe('eve\n');
    expect((await run(`whoami -o name --token-file ${tokenFile}`)).stdout).toBe('api\n');
    await run('logout');
    expect((await run('whoami -o name')).stdout).toBe('api\n');
  });

  it('that takes the place of another ends it, and what goes on with that', async () => {
    await login('ann');
    const { token } = await session();
    const going = createAccountsClient(endpointOf(await withLogin(await resolveTarget({}, {}, home), {}, {}, home)));
    expect((await going.whoami(never)).name).toBe('ann');
    await login('eve');
    await expect(going.whoami(never)).rejects.toThrow('eve logged in at far while this was going on as ann');
    await expect(memory.accounts.callerOf(token)).rejects.toThrow('session that ended');
    expect((await run('whoami -o name')).stdout).toBe('eve\n');
  });

  it('that takes the place of one whose token is too old ends that one, too', async () => {
    await login('ann');
    const { refresh_token } = await session();
    await memory.clock.advance(20 * minute);
    await login('eve');
    await expect(memory.accounts.refresh(refresh_token)).rejects.toThrow('session that ended');
    expect((await run('whoami -o name')).stdout).toBe('eve\n');
  });

  it('goes on over the end of its tokens, also for many at once, and is over after seven days', async () => {
    await login('ann');
    const first = await session();
    for (const pause of [11 * minute, 20 * minute, day]) {
      await memory.clock.advance(pause);
      const asked = Array.from({ length: 5 }, async () => {
        const target = await withLogin(await resolveTarget({}, {}, home), {}, {}, home);
        return createAccountsClient(endpointOf(target)).whoami(new AbortController().signal);
      });
      expect((await Promise.all(asked)).map(({ name }) => name)).toEqual(Array(5).fill('ann'));
    }
    // One exchange each time, whoever came first.
    expect(Object.values(memory.records().sessions ?? {}).map(({ turn }) => turn)).toEqual([3]);
    expect((await session()).refresh_token).not.toBe(first.refresh_token);
    expect(memory.events.map(({ kind }) => kind)).not.toContain('session_reused');
    await memory.clock.advance(7 * day);
    const over = await run('status');
    expect(over).toMatchObject({ code: 4, stderr: expect.stringContaining('the login of ann at far is over') });
    expect(over.stderr).toContain('oakctl login --context far --user ann');
    expect((await run('logout')).code).toBe(0);
  });

  it('keeps what it was exchanged for when the command ends meanwhile', async () => {
    await login('ann');
    const first = await session();
    // Older than its tokens last, by the clock of this machine.
    await writeFile(file(), JSON.stringify({ ...first, since: 0 }));
    const target = await withLogin(await resolveTarget({}, {}, home), {}, {}, home);
    const abort = new AbortController();
    const asked = createAccountsClient(endpointOf(target)).whoami(abort.signal);
    abort.abort(new Error('Ctrl-C'));
    await expect(asked).rejects.toThrow('Ctrl-C');
    expect((await session()).refresh_token).not.toBe(first.refresh_token);
    await memory.clock.advance(minute);
    expect((await run('whoami -o name')).stdout).toBe('ann\n');
    expect(Object.values(memory.records().sessions ?? {}).map(({ turn }) => turn)).toEqual([1]);
  });

  it('is told to the cluster that it was made at, and to no other', async () => {
    await login('ann');
    const other = await listenApi();
    await changeContexts(home, (contexts) => ({ ...contexts, contexts: { far: { api: other.url } } }));
    expect((await resolveTarget({}, {}, home)).api).toBe(other.url);
    expect(await run('whoami')).toMatchObject({ code: 4, stderr: expect.stringContaining('needs a token') });
    await other.close();
  });

  it('is forgotten where the cluster does not answer', async () => {
    await login('ann');
    await api.close();
    const { code, stderr } = await run('logout');
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('could not be told') });
    await expect(stat(file())).rejects.toThrow('ENOENT');
  });

  it('that others could read does not count, until logout took it away', async () => {
    await login('ann');
    await chmod(file(), 0o644);
    expect(await run('whoami')).toMatchObject({ code: 1, stderr: expect.stringContaining('mode 0644') });
    expect((await run('logout')).code).toBe(0);
    expect((await run('whoami')).stderr).toContain('needs a token');
  });

  it('never goes in the open, and never by an argument', async () => {
    const open = await run('login --api http://192.0.2.1:1 --user ann --password-stdin', 'secret\n');
    expect(open).toMatchObject({ code: 4, stderr: expect.stringContaining('the password would be readable') });
    expect((await run('login --user ann --password secret')).code).toBe(2);
    expect(await run('login --user ann --password-stdin', '')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('standard input holds no password'),
    });
    const wrong = await run('login --user ann --password-stdin', 'wrong\n');
    expect(wrong).toMatchObject({ code: 4, stderr: expect.stringContaining('name or password is wrong') });
    await expect(stat(file())).rejects.toThrow('ENOENT');
  });
});

describe('users', () => {
  it('are made, changed, and gone; a password is told once', async () => {
    await login('ann');
    const { stdout } = await run('users add bob --role viewer');
    expect(stdout).toMatch(/^([a-z2-9]{4}-){4}[a-z2-9]{4}\n$/);
    expect(await memory.accounts.login('bob', stdout.trim(), '::1')).toMatchObject({ role: 'viewer' });
    expect((await run('users role bob admin')).stdout).toBe('bob is admin\n');
    expect((await run('users ls -o name')).stdout).toBe('ann\nbob\neve\n');
    expect((await run('users passwd bob --password-stdin', 'another one 42\n')).code).toBe(0);
    expect(await memory.accounts.login('bob', 'another one 42', '::1')).toMatchObject({ role: 'admin' });
    const { stdout: token } = await run('users token create bob --app shop.default --ttl 1h');
    expect(await memory.accounts.callerOf(token.trim())).toMatchObject({ name: 'bob', apps: ['shop.default'] });
    const id = (await run('users token ls -o name')).stdout.trim();
    expect((await run(`users token revoke ${id}`)).code).toBe(0);
    await expect(memory.accounts.callerOf(token.trim())).rejects.toThrow('was revoked');
    expect((await run('users rm bob --yes')).stdout).toBe('bob is removed\n');
    expect((await run('users rm bob --yes')).stderr).toContain('oakctl users ls');
  });

  it('change their own password with the old one, and stay logged in', async () => {
    await login('eve');
    const elsewhere = await memory.accounts.login('eve', passwordOf('eve'), '::1');
    const wrong = await run('users passwd --password-stdin', 'not the old one\nanother one 42\n');
    expect(wrong).toMatchObject({ code: 4, stderr: expect.stringContaining('name or password is wrong') });
    expect((await run('users passwd --password-stdin', `${passwordOf('eve')}\nanother one 42\n`)).code).toBe(0);
    expect((await run('whoami -o name')).stdout).toBe('eve\n');
    const { stdout } = await run(`audit --last 3 -o json --token-file ${await ownersFile()}`);
    expect(JSON.parse(stdout).items.map(({ who, outcome }: AuditEntry) => [who, outcome])).toEqual([
      ['eve', 'refused'],
      ['eve', 'done'],
      ['eve', 'done'],
    ]);
    await expect(memory.accounts.callerOf(elsewhere.token)).rejects.toThrow('session that ended');
  });

  it('are told which right they lack', async () => {
    await login('eve');
    const { code, stderr } = await run('users ls');
    expect({ code, stderr }).toMatchObject({ code: 4, stderr: expect.stringContaining('the right `admin`') });
    expect(stderr).toContain('eve calls as viewer');
    expect(stderr).toContain('oakctl users role');
  });

  it('have to be named by who is none', async () => {
    await writeFile(join(home, 'token'), testToken);
    const owned = `--token-file ${join(home, 'token')}`;
    expect(await run(`users passwd --generate ${owned}`)).toMatchObject({ code: 2 });
    expect(await run(`users token create ${owned}`)).toMatchObject({ code: 2 });
    expect((await run(`users passwd eve --generate ${owned}`)).code).toBe(0);
  });
});

describe('the audit log', () => {
  it('says who did what, and what was refused to whom; never a password or a token', async () => {
    await run('login --user ann --password-stdin', 'wrong password\n');
    await login('eve');
    await run('users ls');
    await login('ann');
    const { stdout: password } = await run('users add bob --role viewer');
    await run('users rm nobody --yes');
    const items = JSON.parse((await run('audit -o json')).stdout).items as Record<string, unknown>[];
    expect(items.map(({ who, by, action, subject, outcome }) => [who, by, action, subject, outcome])).toEqual([
      ['ann', 'nobody', 'POST /v1/login', 'ann', 'refused'],
      ['eve', 'login', 'POST /v1/login', 'eve', 'done'],
      ['eve', 'login', 'GET /v1/users', undefined, 'refused'],
      ['ann', 'login', 'POST /v1/login', 'ann', 'done'],
      ['eve', 'login', 'POST /v1/logout', undefined, 'done'],
      ['ann', 'login', 'POST /v1/users', 'bob viewer', 'done'],
      ['ann', 'login', 'POST /v1/users/:name/remove', 'nobody', 'failed'],
    ]);
    expect(items[2]).toMatchObject({ role: 'viewer', status: 403, address: '127.0.0.1' });
    const text = await readFile(join(home, 'audit', 'log.jsonl'), 'utf8');
    const { token, refresh_token } = await session();
    for (const secret of [passwordOf('ann'), 'wrong password', password.trim(), token, refresh_token])
      expect(text).not.toContain(secret);
    const refused = await run('audit --user eve --outcome refused');
    expect(refused.stdout.trim().split('\n')).toHaveLength(2);
    expect((await run('audit --last 1 -o json')).stdout).toContain('nobody');
  });

  it('tells of sessions inside instances, too', async () => {
    await login('eve');
    expect((await run('exec shop -- true')).code).toBe(4);
    const items = JSON.parse((await run(`audit -o json --token-file ${await ownersFile()}`)).stdout).items;
    expect(items.at(-1)).toMatchObject({ who: 'eve', action: 'GET /v1/instances/:name/exec', outcome: 'refused' });
  });
});

async function ownersFile(): Promise<string> {
  await writeFile(join(home, 'owner'), testToken);
  return join(home, 'owner');
}
