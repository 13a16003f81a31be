import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { listSecrets } from '../../../cli/services/list-secrets.ts';
import { ownIdentity } from '../../../cli/services/own-identity.ts';
import { openSecret } from '../../../cli/services/sealed-secret.ts';
import { changeSecret, type NewValue, rekeySecrets, setSecret } from '../../../cli/services/set-secret.ts';
import type { SecretApi, SecretTask } from '../../../cli/services/write-secrets.ts';
import { type AgeIdentity, makeAgeIdentity } from '../../../schemas/io/age.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import type { NodeView, SourceView } from '../../../schemas/views.ts';
import { listenApi, testToken } from '../../support/api-server.ts';
import { runCommand } from '../../support/commands.ts';
import { fakeControlPlane, fakeNode } from '../../support/fake-control-plane.ts';
import { cloneRepository, type GitRepo, git } from '../../support/git-repo.ts';
import { sealedFile } from '../../support/secrets.ts';

const never = new AbortController().signal;
const canary = 'canary-hunter2';

/** The repository and its working copy as each test finds them. */
let first: string;
let bare: string;
let home: string;
let copy: GitRepo;
let said: SourceView;
let nodes: NodeView[];
let identities: Record<string, AgeIdentity>;
/** What was said, and asked. */
let told: string[];
let clock: number;

beforeAll(async () => {
  bare = await mkdtemp(join(tmpdir(), 'oakctl-bare-'));
  await git(bare, 'init', '--quiet', '--bare');
  copy = await cloneRepository(bare);
  await copy.push({ 'README.md': 'first' });
  await copy.git('config', 'user.name', 'Ada');
  await copy.git('config', 'user.email', 'ada@example.org');
  first = await mkdtemp(join(tmpdir(), 'oakctl-first-'));
  for (const folder of [bare, copy.folder]) await cp(folder, join(first, basename(folder)), { recursive: true });
});
afterAll(() => rm(first, { recursive: true, force: true }));

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'oakctl-home-'));
  for (const folder of [bare, copy.folder]) {
    await rm(folder, { recursive: true, force: true });
    await cp(join(first, basename(folder)), folder, { recursive: true });
  }
  const base = { name: 'main', url: bare, branch: 'main', path: '', state: 'synced' as const };
  said = { ...base, services: 0, ignored: 0, problems: [] };
  identities = {};
  nodes = [];
  for (const name of ['pi1', 'pi2']) await joined(name);
  told = [];
  clock = Date.parse('2026-11-21T20:00:00Z');
});
afterEach(async () => {
  for (const folder of [bare, home, copy.folder]) await rm(folder, { recursive: true, force: true });
});

async function joined(name: string, labels: Record<string, string> = {}): Promise<void> {
  const identity = await makeAgeIdentity();
  identities[name] = identity;
  nodes = [...nodes, fakeNode(name, { recipient: identity.recipient, labels })];
}

const api = (): SecretApi => ({
  status: async () => ({ ...fakeControlPlane().status(), cluster: 'edge', sources: [said] }),
  nodes: async () => nodes,
  services: async () => [],
  sync: async () => ({ sources: [said] }),
});

async function task(more: Partial<SecretTask> = {}): Promise<SecretTask> {
  return {
    asker: { actor: 'ann@desk', repository: copy.folder },
    commit: true,
    own: await ownIdentity({}, home),
    wish: {},
    say: (text) => told.push(text),
    confirm: async (question) => {
      told.push(question);
    },
    now: () => {
      clock += 1000;
      return new Date(clock);
    },
    ...more,
  };
}

const set = async (given: Partial<NewValue> = {}, more: Partial<SecretTask> = {}) =>
  setSecret(api(), { name: 'db', value: canary, ...given }, await task(more), never);
const rekey = async (names: readonly string[] = [], more: Partial<SecretTask> = {}) =>
  rekeySecrets(api(), names, await task(more), never);
const list = () => listSecrets(api(), [], { repository: copy.folder }, never);
const file = (path = 'secrets/db.yaml') => readFile(join(copy.folder, path), 'utf8');
const commits = async () => Number(await copy.git('rev-list', '--count', 'HEAD'));
/** What a node reads of it. */
const readAs = async (name: string, path = 'secrets/db.yaml', secret = 'db') => {
  const identity = identities[name] as AgeIdentity;
  const own = { identities: [identity], recipient: identity.recipient, file: name };
  const { values } = await openSecret({ name: secret, file: path, text: await file(path) }, own);
  return Object.fromEntries(values);
};

describe('oakctl secret set', () => {
  it('writes what all nodes can read, commits and pushes it, and shows it nobody', async () => {
    const note = await set();
    expect(note).toMatchObject({
      ...{ name: 'db', file: 'secrets/db.yaml', changed: true, nodes: ['pi1', 'pi2'], lack: [] },
      commit: { source: 'main', file: 'secrets/db.yaml', changed: true, commit: await copy.git('rev-parse', 'HEAD') },
    });
    expect(note.version).toMatch(/^202611212000\d\d$/);
    expect(await readAs('pi1')).toEqual({ 'db:': canary });
    expect(await readAs('pi2')).toEqual({ 'db:': canary });
    expect(await copy.git('log', '-1', '--format=%B')).toBe('Set the secret db\n\nAsked-by: ann@desk');
    expect(await copy.git('status', '--porcelain')).toBe('');
    expect(told.filter((line) => line.startsWith('db: pi'))).toHaveLength(2);
    const seen = [JSON.stringify(note), ...told, await copy.git('log', '-p'), await file()].join('\n');
    expect(seen).not.toContain(canary);
    expect(seen).not.toContain('AGE-SECRET-KEY');
  });

  it('twice is once; another value is another version', async () => {
    const first = await set();
    const again = await set();
    expect(again).toMatchObject({ changed: false, version: first.version, commit: { changed: false } });
    const other = await set({ value: 'other' });
    expect(Number(other.version)).toBeGreaterThan(Number(first.version));
    expect(await commits()).toBe(3);
  });

  it('writes over nothing that somebody changed while it asked', async () => {
    const { commit } = await set();
    for (const isCommit of [false, true]) {
      const before = `${await file()}# by hand\n`;
      const say = (text: string) => void told.push(text);
      const meanwhile = () => writeFile(join(copy.folder, 'secrets/db.yaml'), before);
      const asked = set({ value: 'other' }, { commit: isCommit, wish: { nodes: ['pi1'] }, say, confirm: meanwhile });
      await expect(asked).rejects.toMatchObject({ problem: { code: 'REFUSED', file: 'secrets/db.yaml' } });
      expect(await file()).toBe(before);
      expect(await copy.git('rev-parse', 'HEAD')).toBe(commit?.commit);
      await copy.git('checkout', '--quiet', '--', '.');
    }
  });

  it('has a version of its own after git went back', async () => {
    await set();
    const bad = await set({ value: 'bad' });
    await copy.git('revert', '--no-edit', 'HEAD');
    const good = await set({ value: 'good' });
    expect(Number(good.version)).toBeGreaterThan(Number(bad.version));
  });

  it('without --commit changes the working copy, on any branch, and nothing else', async () => {
    await copy.git('switch', '--quiet', '-c', 'feature');
    const note = await set({}, { commit: false });
    expect(note).not.toHaveProperty('commit');
    expect(await copy.git('status', '--porcelain')).toBe('?? secrets/');
    expect(await commits()).toBe(1);
    await expect(set()).rejects.toThrow(/REFUSED.*on feature/);
  });

  it('sets one of several values, and mixes the two kinds never', async () => {
    await set({ key: 'user', value: 'root' });
    await set({ key: 'password' });
    expect(await readAs('pi1')).toEqual({ 'db:user:': 'root', 'db:password:': canary });
    await expect(set()).rejects.toThrow(/REFUSED.*several values: user, password/);
    await set({ name: 'one' });
    await expect(set({ name: 'one', key: 'user' })).rejects.toThrow(/REFUSED.*without a key/);
    await expect(set({ key: 'a_unencrypted' })).rejects.toThrow(/USAGE.*no key/);
    await expect(set({ name: '../x' })).rejects.toThrow(/NAME_INVALID/);
    await expect(set({ name: 'x_unencrypted' })).rejects.toThrow(/NAME_INVALID/);
  });

  it('narrows who may read it, and that stays', async () => {
    await joined('hall', { zone: 'hall' });
    await set({}, { wish: { nodes: ['pi1'], labels: ['zone=hall'] } });
    await expect(readAs('pi2')).rejects.toThrow(/SECRET_UNREADABLE/);
    expect(await readAs('hall')).toEqual({ 'db:': canary });
    await joined('hall2', { zone: 'hall' });
    await joined('attic');
    expect((await set({ value: 'next' })).nodes).toEqual(['hall', 'hall2', 'pi1']);
    expect((await list())[0]?.readers).toEqual({ nodes: ['pi1'], labels: ['zone=hall'] });
  });

  it('does not go through links, over changes that are not committed, or for other clusters', async () => {
    await set();
    await writeFile(join(copy.folder, 'secrets/db.yaml'), `${await file()}# mine\n`);
    await expect(set({ value: 'x' })).rejects.toThrow(/REFUSED.*not committed/);
    await copy.git('checkout', '--quiet', '.');
    await copy.git('mv', 'secrets', 'elsewhere');
    await copy.git('commit', '--quiet', '-m', 'move');
    await symlink(tmpdir(), join(copy.folder, 'secrets'));
    await expect(set({ name: 'other' }, { commit: false })).rejects.toThrow(/REFUSED.*link/);
  });

  it('of a repository of several clusters goes to the own one; what all read is left to all', async () => {
    const mine = await ownIdentity({}, home);
    const shared = await sealedFile('db', 'theirs', [mine.recipient, (await makeAgeIdentity()).recipient]);
    await copy.push({ 'clusters/edge/a.txt': '', 'common/secrets/db.yaml': shared });
    await expect(set()).rejects.toThrow(/REFUSED.*every cluster/);
    const done = await rekey(['db']);
    expect(done.notes).toMatchObject([
      { file: 'common/secrets/db.yaml', added: ['pi1', 'pi2'], removed: [], version: '1' },
    ]);
    expect(await readAs('pi1', 'common/secrets/db.yaml')).toEqual({ 'db:': 'theirs' });
    expect((await set({ name: 'own' })).file).toBe('clusters/edge/secrets/own.yaml');
  });

  it('works in a temporary clone, where there is no working copy', async () => {
    const asker = { actor: 'ann@desk', author: 'Ada <ada@example.org>' };
    expect((await set({}, { asker })).commit).toMatchObject({ changed: true });
    await expect(set({}, { asker, commit: false })).rejects.toThrow(/REFUSED.*no working copy/);
    await copy.git('pull', '--quiet');
    expect(await readAs('pi2')).toEqual({ 'db:': canary });
  });
});

describe('oakctl secret edit', () => {
  it('changes values in place, once, also when somebody pushes meanwhile', async () => {
    const { version } = await set({ key: 'user', value: 'root' });
    let opened = 0;
    const edit = async (change: (text: string) => string) => {
      const open = async (_: string, text: string): Promise<string> => {
        opened += 1;
        return change(text);
      };
      return changeSecret(api(), 'db', open, await task(), never);
    };
    expect(await edit((text) => text)).toMatchObject({ changed: false, version });
    const other = await cloneRepository(bare);
    try {
      const asker = { actor: 'ann@desk', author: 'Ada <ada@example.org>' };
      let isPushed = false;
      const done = await changeSecret(
        api(),
        'db',
        async (_, text) => {
          opened += 1;
          if (!isPushed) await other.push({ 'more.txt': 'more' });
          isPushed = true;
          return text.replace('root', canary);
        },
        await task({ asker }),
        never,
      );
      expect(done).toMatchObject({ changed: true, commit: { changed: true } });
    } finally {
      await rm(other.folder, { recursive: true, force: true });
    }
    expect(opened).toBe(2);
    await copy.git('pull', '--quiet');
    expect(await readAs('pi1')).toEqual({ 'db:user:': canary });
    await expect(edit(() => '[')).rejects.toThrow(/USAGE/);
    await writeFile(join(copy.folder, 'secrets/db.yaml'), `${await file()}# mine\n`);
    const unasked = () => expect.unreachable('nobody edits what cannot be committed');
    await expect(edit(unasked)).rejects.toThrow(/REFUSED.*not committed/);
  });
});

describe('oakctl secret rekey', () => {
  it('lets new nodes read, in one commit, restarts nothing, and twice is once', async () => {
    await set();
    await set({ name: 'tls', key: 'private' });
    const before = await list();
    await joined('pi3');
    expect((await list()).map(({ lack }) => lack)).toEqual([['pi3'], ['pi3']]);
    told = [];
    const { notes, problems } = await rekey();
    expect(problems).toEqual([]);
    expect(notes.map(({ name, added, removed, version }) => ({ name, added, removed, version }))).toEqual(
      before.map(({ name, version }) => ({ name, version, added: ['pi3'], removed: [] })),
    );
    expect(await copy.git('log', '-1', '--format=%s')).toBe('Rekey the secrets db, tls');
    expect(await commits()).toBe(4);
    expect(told).toHaveLength(2);
    expect(await readAs('pi3')).toEqual({ 'db:': canary });
    expect((await rekey()).notes.map(({ changed }) => changed)).toEqual([false, false]);
    expect(await commits()).toBe(4);
    expect((await list()).map(({ lack }) => lack)).toEqual([[], []]);
  });

  it('gives what a node that is gone cannot read another data key, asks before, and says what is left to do', async () => {
    const { version } = await set();
    const old = await file();
    nodes = nodes.filter(({ name }) => name !== 'pi2');
    told = [];
    const no = async () => {
      throw new ProblemError(problem('REFUSED', 'nothing was done'));
    };
    await expect(rekey([], { confirm: no })).rejects.toThrow(/nothing was done/);
    expect(await file()).toBe(old);
    const { notes } = await rekey();
    expect(notes).toMatchObject([{ version, changed: true, removed: [identities['pi2']?.recipient] }]);
    expect(told.at(-1)).toMatch(/could read its value: change it \(`oakctl secret set db`\)/);
    expect(await readAs('pi1')).toEqual({ 'db:': canary });
    await expect(readAs('pi2')).rejects.toThrow(/SECRET_UNREADABLE/);
    expect((await list())[0]?.version).toBe(version);
    expect((await rekey()).notes[0]?.changed).toBe(false);
  });

  it('takes over what sops wrote, and lets nobody go whom it does not know', async () => {
    const own = await ownIdentity({}, home);
    const friend = await makeAgeIdentity();
    await copy.push({ 'secrets/db.yaml': await sealedFile('db', canary, [own.recipient, friend.recipient], 7) });
    const { notes } = await rekey();
    expect(notes).toMatchObject([{ version: '7', added: ['pi1', 'pi2'], removed: [] }]);
    expect(notes[0]?.others).toEqual([own.recipient, friend.recipient].sort());
    nodes = nodes.filter(({ name }) => name !== 'pi2');
    expect((await rekey()).notes[0]?.removed).toEqual([identities['pi2']?.recipient]);
    const away = await rekey(['db'], { wish: { remove: [friend.recipient] } });
    expect(away.notes[0]?.removed).toEqual([friend.recipient]);
  });

  it('does what it can, and says what it cannot', async () => {
    await set();
    const strange = await sealedFile('other', canary, [(await makeAgeIdentity()).recipient]);
    await copy.push({ 'secrets/other.yaml': strange, 'secrets/torn.yaml': 'torn: 1\n' });
    await symlink('db.yaml', join(copy.folder, 'secrets/link.yaml'));
    await writeFile(join(copy.folder, 'secrets/db_unencrypted.yaml'), 'no name of a secret');
    await joined('pi3');
    const { notes, problems } = await rekey();
    expect(notes).toMatchObject([{ name: 'db', added: ['pi3'] }]);
    expect(problems.map(({ code, file: where }) => `${code} ${where}`)).toEqual([
      'REFUSED secrets/link.yaml',
      'SECRET_UNREADABLE secrets/other.yaml',
      'SECRET_INVALID secrets/torn.yaml',
    ]);
    expect((await list()).find(({ name }) => name === 'torn')).toMatchObject({ problem: { code: 'SECRET_INVALID' } });
    expect((await list()).find(({ name }) => name === 'link')).toMatchObject({ problem: { code: 'REFUSED' } });
    await expect(set({ name: 'link' })).rejects.toThrow(/REFUSED.*no plain file/);
    await expect(rekey(['none'])).rejects.toThrow(/NOT_FOUND.*no secret none/);
  });

  it('leaves the files as they were when the commit is refused', async () => {
    await set();
    await joined('pi3');
    const before = await file();
    const hook = join(copy.folder, '.git/hooks/pre-commit');
    await mkdir(dirname(hook), { recursive: true });
    await writeFile(hook, '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    await expect(rekey()).rejects.toThrow(/REFUSED/);
    await expect(set({ name: 'new' })).rejects.toThrow(/REFUSED/);
    expect(await file()).toBe(before);
    expect(await copy.git('status', '--porcelain')).toBe('');
    expect(await readdir(join(copy.folder, 'secrets'))).toEqual(['db.yaml']);
  });
});

it('the commands say no value, on no stream', async () => {
  const server = await listenApi({
    status: () => ({ ...fakeControlPlane().status(), cluster: 'edge', sources: [said] }),
    nodes: () => nodes,
    sync: async () => ({ sources: [said] }),
  });
  const before = process.env['OAKCTL_HOME'];
  process.env['OAKCTL_HOME'] = home;
  try {
    await writeFile(join(home, 'token'), testToken);
    await writeFile(join(home, 'value'), canary);
    const target = ['--api', server.url, '--token-file', join(home, 'token'), '--repo', copy.folder, '-o', 'json'];
    const runs = [
      ['secret set', 'db', '--file', join(home, 'value'), '--commit', '--reason', 'new'],
      ['secret set', 'db', '--file', join(home, 'value'), '--key', 'x'],
      ['secret ls'],
      ['secret rekey', '--commit', '--yes', '--nodes', 'pi1'],
      ['secret ls', 'db'],
    ] as const;
    const done = [];
    for (const [command, ...args] of runs) done.push(await runCommand(command, [...args, ...target]));
    expect(done.map(({ code }) => code)).toEqual([0, 4, 0, 0, 0]);
    expect(done.map(({ stdout, stderr }) => stdout + stderr).join('\n')).not.toMatch(/canary|AGE-SECRET/);
    expect(JSON.parse(done[4]?.stdout ?? '')).toMatchObject({
      items: [{ name: 'db', nodes: ['pi1'], readers: { nodes: ['pi1'], labels: [] } }],
    });
    expect(done[0]?.stderr).toMatch(/Made your age identity/);
  } finally {
    if (before === undefined) delete process.env['OAKCTL_HOME'];
    else process.env['OAKCTL_HOME'] = before;
    await server.close();
  }
});
