import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createGitRepository } from '../../../reconciler/git/repository.ts';
import { createGitSource } from '../../../reconciler/git/source.ts';
import { type Git, RemoteRefusal } from '../../../reconciler/ports.ts';
import { isProblemError, type Problem } from '../../../schemas/problem.ts';
import type { SourceAccess } from '../../../schemas/settings-source.ts';
import { localCertificate, testAuthority } from '../../support/certificates.ts';
import { eventually } from '../../support/eventually.ts';
import { cloneRepository, type GitRepo, git as runGit } from '../../support/git-repo.ts';
import { type GitServer, serveGit } from '../../support/git-server.ts';

const signal = new AbortController().signal;
const token = 'canary-4711-token';
let root: string;
let server: GitServer;
let user: GitRepo;
let tokenFile: string;
let made = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'oakctl-git-remote-'));
  await mkdir(join(root, 'served'));
  await runGit(root, 'init', '--bare', '--quiet', join('served', 'fleet.git'));
  await runGit(join(root, 'served', 'fleet.git'), 'config', 'uploadpack.allowFilter', 'true');
  user = await cloneRepository(join(root, 'served', 'fleet.git'));
  server = await serveGit(join(root, 'served'));
  tokenFile = join(root, 'token');
  await writeFile(tokenFile, `${token}\n`, { mode: 0o600 });
});
beforeEach(() => {
  server.password = undefined;
  server.fault = undefined;
  server.forget();
});
afterAll(async () => {
  await server.close();
  await rm(root, { recursive: true, force: true });
  await rm(user.folder, { recursive: true, force: true });
});

/** A source with a mirror of its own. */
function open({
  url = `${server.url}/fleet.git`,
  branch = 'main',
  access = {} as SourceAccess,
} = {}): Git & { folder: string } {
  made += 1;
  const folder = join(root, `mirror-${made}`);
  const repository = createGitRepository({ name: 'main', url, access, folder });
  return { ...createGitSource({ name: 'main', branch, repository }), folder };
}
async function failureOf(work: Promise<unknown>): Promise<{ error: unknown; problem: Problem }> {
  const error = await work.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (!isProblemError(error)) throw new Error(`no problem but ${String(error)}`);
  return { error, problem: error.problem };
}
async function read(git: Git): Promise<Record<string, string | undefined>> {
  const head = await git.head(signal);
  await git.fetch(head, signal);
  const tree = await git.tree(head, '', signal);
  const texts = await git.blobs(
    tree.map((entry) => entry.blob),
    signal,
  );
  return Object.fromEntries(tree.map((entry) => [entry.path, texts.get(entry.blob)]));
}
/** Text of all files below a folder. */
async function everything(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return (await Promise.all(files.map((entry) => readFile(join(entry.parentPath, entry.name), 'latin1')))).join('\n');
}

describe('a token', () => {
  it('comes from its file, in the one request that a poll is, and is left nowhere', async () => {
    server.password = `x-access-token:${token}`;
    await user.push({ 'a.yaml': '1' });
    const git = open({ access: { tokenFile } });
    expect(await read(git)).toMatchObject({ 'a.yaml': '1' });
    server.forget();
    await git.head(signal);
    expect(server.requests).toHaveLength(1);
    const kept = await everything(git.folder);
    expect(kept).not.toContain(token);
    expect(kept).not.toContain(Buffer.from(`x-access-token:${token}`).toString('base64'));
  });

  it('is seen by no command line and no environment of git while it runs', async () => {
    server.fault = { kind: 'stalled' };
    const git = open({ access: { tokenFile, username: 'robot' } });
    const stop = new AbortController();
    const asked = git.head(stop.signal);
    await eventually(() => server.requests.length === 1);
    expect(server.requests[0]?.authorization).toBe(`Basic ${Buffer.from(`robot:${token}`).toString('base64')}`);
    const seen = await gitProcesses(server.url);
    expect(seen.map(({ line }) => line).join()).toContain('ls-remote');
    const secrets = [token, Buffer.from(`robot:${token}`).toString('base64')];
    // Only whether: environments are nothing to print.
    const isSeen = seen.some(({ line, environment }) => secrets.some((one) => (line + environment).includes(one)));
    expect(isSeen).toBe(false);
    stop.abort(new Error('enough'));
    await expect(asked).rejects.toThrow('enough');
  });

  it('that is wrong, or whose file is open to others, is said without saying it', async () => {
    server.password = 'x-access-token:another';
    const wrong = await failureOf(open({ access: { tokenFile } }).head(signal));
    expect(wrong.problem).toMatchObject({ code: 'SOURCE_DENIED', disposition: 'retry' });
    expect(wrong.error).toBeInstanceOf(RemoteRefusal);
    expect(JSON.stringify(wrong.problem)).not.toContain(token);
    const open644 = join(root, 'open-token');
    await writeFile(open644, token);
    await chmod(open644, 0o644);
    server.forget();
    const readable = await failureOf(open({ access: { tokenFile: open644 } }).head(signal));
    expect(readable.problem).toMatchObject({ code: 'SOURCE_DENIED', file: open644, hint: `chmod 600 ${open644}` });
    const missing = await failureOf(open({ access: { tokenFile: join(root, 'nothing') } }).head(signal));
    expect(missing.problem.message).toContain('not there');
    expect(server.requests).toEqual([]);
  });

  it('may be changed while it is in use, and be mounted as a link', async () => {
    const link = join(root, 'link-token');
    const target = join(root, 'target-token');
    await writeFile(target, 'old', { mode: 0o600 });
    await symlink(target, link);
    server.password = `x-access-token:${token}`;
    const git = open({ access: { tokenFile: link } });
    await failureOf(git.head(signal));
    await writeFile(target, token);
    await git.head(signal);
  });

  it('in a URL is used, and shown by nobody', async () => {
    server.password = `robot:${token}`;
    const url = `${server.url}/fleet.git`.replace('//', `//robot:${token}@`);
    await read(open({ url }));
    server.password = 'robot:another';
    const { problem } = await failureOf(open({ url }).head(signal));
    expect(JSON.stringify(problem)).not.toContain(token);
  });
});

describe('a server', () => {
  it('over TLS is trusted by the root of its file, and by no other', async () => {
    const authority = testAuthority();
    const issued = localCertificate(authority);
    const secure = await serveGit(join(root, 'served'), { tls: { cert: issued.cert, key: issued.key } });
    try {
      const ca = join(root, 'ca.pem');
      await writeFile(ca, authority.certificate, { mode: 0o644 });
      await user.push({ 'a.yaml': 'tls' });
      const url = `${secure.url}/fleet.git`;
      expect(await read(open({ url, access: { ca } }))).toMatchObject({ 'a.yaml': 'tls' });
      expect((await failureOf(open({ url }).head(signal))).problem.code).toBe('SOURCE_UNREACHABLE');
    } finally {
      await secure.close();
    }
  });

  it.each([
    [{ kind: 'status', status: 401 }, 'SOURCE_DENIED'],
    [{ kind: 'status', status: 403 }, 'SOURCE_DENIED'],
    [{ kind: 'status', status: 429 }, 'SOURCE_LIMITED'],
    [{ kind: 'status', status: 500 }, 'SOURCE_UNREACHABLE'],
    [
      { kind: 'status', status: 301, headers: { location: 'http://127.0.0.1:1/x.git/info/refs' } },
      'SOURCE_UNREACHABLE',
    ],
    [{ kind: 'truncated', after: 30 }, 'SOURCE_UNREACHABLE'],
  ] as const)('that answers %j is one problem, in one request', async (fault, code) => {
    server.fault = fault;
    const { problem, error } = await failureOf(open().head(signal));
    expect(problem).toMatchObject({ code, disposition: 'retry', subject: 'source/main' });
    expect(error instanceof RemoteRefusal).toBe(code !== 'SOURCE_UNREACHABLE');
    expect(server.requests.length).toBe(1);
  });

  it('is taken at its word about when to ask again', async () => {
    server.fault = { kind: 'status', status: 429, headers: { 'retry-after': '120' } };
    const { error, problem } = await failureOf(open().head(signal));
    expect((error as RemoteRefusal).rest).toBe(120_000);
    expect(problem.message).toContain('120 s');
    server.fault = { kind: 'status', status: 503, headers: { 'retry-after': '7' } };
    expect(((await failureOf(open().head(signal))).error as RemoteRefusal).rest).toBe(7_000);
  });

  it('that breaks off in the middle of a fetch leaves the mirror as it was', async () => {
    const before = await user.push({ 'a.yaml': 'before' });
    const git = open();
    await read(git);
    const after = await user.push({ 'a.yaml': 'after' });
    server.fault = { kind: 'truncated', after: 200 };
    expect((await failureOf(git.fetch(after, signal))).problem.code).toBe('SOURCE_UNREACHABLE');
    server.fault = undefined;
    expect(await git.tree(before, '', signal)).toHaveLength((await git.tree(before, '', signal)).length);
    expect(await read(git)).toMatchObject({ 'a.yaml': 'after' });
  });

  it('that can only serve files gives all of them', async () => {
    await user.push({ 'a.yaml': 'dumb' });
    await runGit(join(root, 'served', 'fleet.git'), 'update-server-info');
    const files = await serveGit(join(root, 'served'), { dumb: true });
    try {
      const git = open({ url: `${files.url}/fleet.git` });
      expect(await read(git)).toMatchObject({ 'a.yaml': 'dumb' });
      expect(await git.isAncestor('f'.repeat(40), await git.head(signal), signal)).toBe(false);
    } finally {
      await files.close();
    }
  });

  it('is asked once by all who begin together, and again for who comes later', async () => {
    const repository = createGitRepository({
      name: 'a',
      url: `${server.url}/fleet.git`,
      folder: join(root, 'together'),
    });
    const sources = Array.from({ length: 50 }, (_, n) =>
      createGitSource({ name: `s${n}`, branch: 'main', repository }),
    );
    const heads = await Promise.all(sources.map((source) => source.head(new AbortController().signal)));
    expect(new Set(heads).size).toBe(1);
    expect(server.requests).toHaveLength(1);
    const first = sources[0]?.head(signal);
    await eventually(() => server.requests.length === 2);
    const pushed = await user.push({ 'later.yaml': '1' });
    expect(await sources[1]?.head(signal)).toBe(pushed);
    await first;
    expect(server.requests).toHaveLength(3);
  });

  it('is let go of only when nobody waits any more', async () => {
    server.fault = { kind: 'stalled' };
    const repository = createGitRepository({ name: 'a', url: `${server.url}/fleet.git`, folder: join(root, 'let-go') });
    const source = createGitSource({ name: 'a', branch: 'main', repository });
    const [one, two] = [new AbortController(), new AbortController()];
    const isAsking = async () => (await gitProcesses(server.url)).some(({ line }) => line.includes('ls-remote'));
    const answers = [source.head(one.signal), source.head(two.signal)];
    await eventually(() => server.requests.length === 1);
    one.abort(new Error('one'));
    await expect(answers[0]).rejects.toThrow('one');
    expect(await isAsking()).toBe(true);
    two.abort(new Error('two'));
    await expect(answers[1]).rejects.toThrow('two');
    await eventually(async () => !(await isAsking()));
  });
});

describe('a large history', () => {
  it('is left where it is, until somebody asks what came before', async () => {
    const commits: string[] = [];
    for (let n = 0; n < 6; n += 1)
      commits.push(await user.push({ 'n.yaml': `${n}`, [`pad-${n}.yaml`]: 'x'.repeat(5000) + n }));
    const [first = '', , , , before = '', head = ''] = commits;
    const git = open();
    await read(git);
    expect(await commitsOf(git.folder)).toBe(1);
    server.forget();
    // The commit itself names its parent.
    expect(await git.isAncestor(before, head, signal)).toBe(true);
    expect(server.requests).toEqual([]);
    expect(await git.isAncestor(first, head, signal)).toBe(true);
    expect(server.requests.length).toBeGreaterThan(0);
    expect(await git.isAncestor(head, first, signal)).toBe(false);
    expect(await git.isAncestor('e'.repeat(40), head, signal)).toBe(false);
  });

  it('is not asked for while it grows commit by commit', async () => {
    const first = await user.push({ 'n.yaml': 'a' });
    const git = open();
    await read(git);
    for (const text of ['b', 'c', 'd']) {
      await user.push({ 'n.yaml': text });
      await read(git);
    }
    server.forget();
    expect(await git.isAncestor(first, await git.head(signal), signal)).toBe(true);
    expect(server.requests).toHaveLength(1);
  });

  it('gives a file of an older commit to a mirror that is new', async () => {
    const old = await user.push({ 'kept.yaml': 'as it was' });
    const blob = (await user.git('rev-parse', `${old}:kept.yaml`)).trim();
    await user.push({ 'kept.yaml': 'as it is' });
    const git = open();
    await read(git);
    expect([...(await git.blobs([blob], signal)).values()]).toEqual(['as it was']);
  });
});

it('files that are too large for a descriptor do not come at all, also after a restart', async () => {
  const large = Array.from({ length: 40_000 }, () => Math.random().toString(36)).join('');
  await user.push({ 'large.bin': large, 'large.yaml': large, 'a.yaml': 'small' });
  server.forget();
  const git = open();
  const all = await read(git);
  expect(all['a.yaml']).toBe('small');
  expect(all['large.yaml']).toBeUndefined();
  expect(server.sent).toBeLessThan(100_000);
  const again = createGitSource({
    name: 'main',
    branch: 'main',
    repository: createGitRepository({ name: 'main', url: `${server.url}/fleet.git`, folder: git.folder }),
  });
  server.forget();
  expect((await read(again))['large.yaml']).toBeUndefined();
  expect(server.requests).toHaveLength(1);
  await user.push({ 'large.bin': undefined, 'large.yaml': undefined });
});

async function commitsOf(folder: string): Promise<number> {
  const shown = await runGit(join(folder, 'mirror.git'), 'rev-list', '--all', '--count');
  return Number(shown);
}

/** Processes of git that name a URL on their command line. */
async function gitProcesses(url: string): Promise<{ line: string; environment: string }[]> {
  const read = (path: string) => readFile(path, 'latin1').catch(() => '');
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const all = await Promise.all(
    ids.map(async (id) => ({
      line: await read(`/proc/${id}/cmdline`),
      environment: await read(`/proc/${id}/environ`),
    })),
  );
  return all.filter(({ line }) => line.includes(url)).map((one) => ({ ...one, line: one.line.replaceAll('\0', ' ') }));
}
