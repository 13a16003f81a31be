import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { maxBlobBytes } from '../../../reconciler/git/mirror.ts';
import { createGitRepository } from '../../../reconciler/git/repository.ts';
import { createGitSource } from '../../../reconciler/git/source.ts';
import type { Git } from '../../../reconciler/ports.ts';
import { isProblemError, type Problem } from '../../../schemas/problem.ts';
import { eventually, steadily } from '../../support/eventually.ts';
import { cloneRepository, type GitRepo, git as runGit } from '../../support/git-repo.ts';
import { timely } from '../../support/machine.ts';

const signal = new AbortController().signal;
const made: string[] = [];
let remote: string;
let user: GitRepo;
let folder: string;
let source: Git;

const open = ({ url = remote, branch = 'main' } = {}): Git =>
  createGitSource({ name: 'main', branch, repository: createGitRepository({ name: 'main', url, folder }) });

/** The one problem that a call fails with. */
async function problemOf(work: Promise<unknown>): Promise<Problem> {
  const error = await work.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (!isProblemError(error)) throw new Error(`no problem but ${String(error)}`);
  return error.problem;
}
/** Everything below a path, as the loop reads it. */
async function read(git: Git, path = ''): Promise<Record<string, string | undefined>> {
  const head = await git.head(signal);
  await git.fetch(head, signal);
  const tree = await git.tree(head, path, signal);
  const texts = await git.blobs(
    tree.map((entry) => entry.blob),
    signal,
  );
  return Object.fromEntries(tree.map((entry) => [entry.path, texts.get(entry.blob)]));
}
const packs = join('mirror.git', 'objects', 'pack');

beforeEach(async () => {
  remote = await mkdtemp(join(tmpdir(), 'oakctl-remote-'));
  await runGit(remote, 'init', '--bare', '--quiet', '.');
  user = await cloneRepository(remote);
  folder = await mkdtemp(join(tmpdir(), 'oakctl-mirror-'));
  made.push(remote, user.folder, folder);
  source = open();
});
afterEach(() => signal.throwIfAborted());
afterAll(async () => {
  for (const one of made) await rm(one, { recursive: true, force: true });
});

describe('reading', () => {
  it('reads files of a commit by object id, sorted, below a path', async () => {
    const commit = await user.push({
      'b.yaml': 'b: 1\n',
      'apps/ä b.yaml': 'ünï: 2\n',
      'apps/x/c.yaml': '',
      README: 'hello',
    });
    expect(await source.head(signal)).toBe(commit);
    expect(await read(source)).toEqual({
      README: 'hello',
      'apps/x/c.yaml': '',
      'apps/ä b.yaml': 'ünï: 2\n',
      'b.yaml': 'b: 1\n',
    });
    expect(Object.keys(await read(source, '/apps/'))).toEqual(['apps/x/c.yaml', 'apps/ä b.yaml']);
    const [first] = await source.tree(commit, '', signal);
    expect(first).toMatchObject({ path: 'README', mode: '100644', size: 5 });
    expect(await source.describe(commit, signal)).toEqual({ author: 'Test', subject: 'change' });
  });

  it('cuts no character of a long title in half', async () => {
    const commit = await user.push({ 'a.yaml': 'a: 1\n' }, `${'x'.repeat(254)}🚀 and more`);
    await source.head(signal);
    await read(source);
    const { subject } = await source.describe(commit, signal);
    expect([subject.length, subject.isWellFormed()]).toEqual([255, true]);
  });

  it('reads an old commit after the branch moved on, and after it was replaced by force', async () => {
    const first = await user.push({ 'a.yaml': '1' });
    await read(source);
    const second = await user.push({ 'a.yaml': '2' });
    await read(source);
    await user.git('reset', '--quiet', '--hard', first);
    const forced = await user.push({ 'a.yaml': '3' });
    expect(await read(source)).toEqual({ 'a.yaml': '3' });
    expect(await source.isAncestor(first, forced, signal)).toBe(true);
    expect(await source.isAncestor(second, forced, signal)).toBe(false);
    expect(await source.isAncestor('f'.repeat(40), forced, signal)).toBe(false);
    const [entry] = await source.tree(second, '', signal);
    expect([...(await source.blobs([entry?.blob ?? ''], signal)).values()]).toEqual(['2']);
  });

  it('reads a repository of SHA-256, also one that took the place of another', async () => {
    await user.push({ 'a.yaml': '1' });
    expect(await read(source)).toEqual({ 'a.yaml': '1' });
    for (const place of [remote, user.folder]) {
      await rm(place, { recursive: true });
      await mkdir(place);
      const isBare = place === remote;
      await runGit(place, 'init', '--quiet', '--object-format=sha256', ...(isBare ? ['--bare'] : []), '.');
    }
    await user.git('remote', 'add', 'origin', remote);
    const first = await user.push({ 'b.yaml': '2', 'apps/c.yaml': '3' });
    expect(first).toHaveLength(64);
    expect(await read(source)).toEqual({ 'apps/c.yaml': '3', 'b.yaml': '2' });
    const second = await user.push({ 'b.yaml': '4' });
    expect(await read(source, 'apps')).toEqual({ 'apps/c.yaml': '3' });
    expect(await source.isAncestor(first, second, signal)).toBe(true);
  });

  it('leaves out older versions of files that no mirror and no remote has any more, and makes one new mirror for them', async () => {
    await user.push({ 'a.yaml': 'gone\n' });
    const head = await source.head(signal);
    await read(source);
    const [old] = await source.tree(head, '', signal);
    await user.git('checkout', '--quiet', '--orphan', 'rewritten');
    await user.push({ 'a.yaml': '1\n' });
    await user.push({ 'a.yaml': '2\n' });
    await rm(folder, { recursive: true });
    source = open();
    expect(await read(source)).toEqual({ 'a.yaml': '2\n' });
    const before = 'd00491fd7e5bb6fa28c517a0bb32b8b506539d4d';
    const lost = old?.blob ?? '';
    const texts = () => source.oldBlobs([lost, before], signal).then((found) => [...found.values()]);
    expect(await texts()).toEqual(['1\n']);
    const { ino } = await stat(join(folder, 'mirror.git'));
    expect(await texts()).toEqual(['1\n']);
    expect((await stat(join(folder, 'mirror.git'))).ino).toBe(ino);
    expect(await problemOf(source.blobs([lost], signal))).toMatchObject({ code: 'SOURCE_DAMAGED' });
  });

  it('reads trailers of the commits since another one, and of nothing else', async () => {
    const key = 'Oak-Allow-Prune';
    const first = await user.push({ 'a.yaml': '1' }, `one\n\n${key}: 9`);
    await read(source);
    await user.push({ 'a.yaml': '2' }, `two\n\n${key}: 4\nReviewed-by: Ann`);
    await user.push(
      { 'a.yaml': '3' },
      `${key}: 7 is no trailer in a first line\n\nnor here:\n\n${key}: 6\n\nmore text`,
    );
    const last = await user.push({ 'a.yaml': '4' }, `four\n\noak-allow-prune: 3`);
    await read(source);
    expect(await source.isAncestor(first, last, signal)).toBe(true);
    expect(await source.trailers(key, first, last, signal)).toEqual(['3', '4']);
    expect(await source.trailers(key, last, last, signal)).toEqual([]);
    expect(await source.trailers(key, 'f'.repeat(40), last, signal)).toEqual([]);
  });

  it('follows a tag (also an annotated one) and a commit', async () => {
    const first = await user.push({ 'a.yaml': '1' });
    await user.git('-c', 'user.name=T', '-c', 'user.email=t@example.org', 'tag', '-a', 'v1', '-m', 'one');
    await user.git('push', '--quiet', 'origin', 'v1');
    await user.push({ 'a.yaml': '2' });
    expect(await open({ branch: 'v1' }).head(signal)).toBe(first);
    expect(await read(open({ branch: first }))).toEqual({ 'a.yaml': '1' });
  });

  it('returns links and submodules by their mode, never what they point to', async () => {
    await symlink('/etc/passwd', join(user.folder, 'link.yaml'));
    const commit = await user.push({ 'a.yaml': '1' });
    const cacheinfo = ['update-index', '--add', '--cacheinfo', `160000,${commit},module`];
    await user.git(...cacheinfo);
    await user.git('commit', '--quiet', '-m', 'module');
    await user.git('push', '--quiet', 'origin', 'HEAD:main');
    const head = await source.head(signal);
    await source.fetch(head, signal);
    const modes = (await source.tree(head, '', signal)).map((entry) => [entry.path, entry.mode]);
    expect(modes).toEqual([
      ['a.yaml', '100644'],
      ['link.yaml', '120000'],
      ['module', '160000'],
    ]);
  });

  it('refuses a tree with a file name that deceives', async () => {
    const commit = await user.push({ 'a.yaml': '1', 'b\u202elmay.exe': '2' });
    await source.fetch(commit, signal);
    expect((await problemOf(source.tree(commit, '', signal))).code).toBe('SOURCE_HOSTILE');
  });

  it('leaves out the content of a file that is too long for a descriptor', async () => {
    await user.push({ 'big.yaml': 'x'.repeat(maxBlobBytes + 1), 'edge.yaml': 'y'.repeat(maxBlobBytes) });
    const all = await read(source);
    expect(all['big.yaml']).toBeUndefined();
    expect(all['edge.yaml']).toHaveLength(maxBlobBytes);
  });

  it('is not led astray by what the machine or the repository configures', async () => {
    await user.push({ 'a.yaml': '1' });
    const hook = join(remote, 'hooks', 'post-checkout');
    await writeFile(hook, '#!/bin/sh\ntouch /tmp/oakctl-hook-ran\n');
    await chmod(hook, 0o755);
    process.env['GIT_DIR'] = '/nonexistent';
    process.env['GIT_CONFIG_COUNT'] = 'nonsense';
    try {
      expect(await read(source)).toEqual({ 'a.yaml': '1' });
    } finally {
      delete process.env['GIT_DIR'];
      delete process.env['GIT_CONFIG_COUNT'];
    }
    await expect(stat('/tmp/oakctl-hook-ran')).rejects.toThrow();
  });
});

describe('what is missing', () => {
  it('names a branch, a path and a remote that are not there', async () => {
    expect(await problemOf(source.head(signal))).toMatchObject({ code: 'SOURCE_REF_MISSING', disposition: 'retry' });
    const commit = await user.push({ 'a.yaml': '1' });
    expect((await problemOf(open({ branch: 'other' }).head(signal))).message).toContain('other');
    await source.fetch(commit, signal);
    expect((await problemOf(source.tree(commit, 'deploy', signal))).code).toBe('SOURCE_REF_MISSING');
    expect((await problemOf(source.tree(commit, 'a.yaml', signal))).code).toBe('SOURCE_REF_MISSING');
    expect((await problemOf(source.tree(commit, '../x', signal))).code).toBe('SOURCE_REF_MISSING');
    await rename(remote, `${remote}.away`);
    made.push(`${remote}.away`);
    expect(await problemOf(source.head(signal))).toMatchObject({ code: 'SOURCE_UNREACHABLE', disposition: 'retry' });
    expect(await source.tree(commit, '', signal)).toHaveLength(1);
    const unknown = await problemOf(source.fetch('e'.repeat(40), signal));
    expect(unknown.code).toBe('SOURCE_UNREACHABLE');
  });

  it('says that a commit is not at the remote', async () => {
    await user.push({ 'a.yaml': '1' });
    await read(source);
    expect((await problemOf(source.fetch('e'.repeat(40), signal))).code).toBe('SOURCE_REF_MISSING');
    expect(await read(source)).toEqual({ 'a.yaml': '1' });
  });

  it('hides the password of a URL in its messages', async () => {
    const secret = open({ url: 'https://robot:hunter2@localhost:1/x.git' });
    const found = await problemOf(secret.head(signal));
    expect(found.code).toBe('SOURCE_UNREACHABLE');
    expect(JSON.stringify(found)).not.toContain('hunter2');
  });

  it('stops when asked to', async () => {
    const controller = new AbortController();
    const asked = source.head(controller.signal);
    controller.abort(new Error('enough'));
    await expect(asked).rejects.toThrow('enough');
  });
});

describe('a damaged mirror', () => {
  const damages: [string, () => Promise<void>][] = [
    [
      'a truncated pack',
      async () => {
        const directory = join(folder, packs);
        for (const name of await readdir(directory)) {
          if (!name.endsWith('.pack')) continue;
          await chmod(join(directory, name), 0o600);
          await truncate(join(directory, name), 40);
        }
      },
    ],
    ['no objects', () => rm(join(folder, 'mirror.git', 'objects'), { recursive: true })],
    ['an empty HEAD', () => writeFile(join(folder, 'mirror.git', 'HEAD'), '')],
    [
      'a file in its place',
      async () => {
        await rm(join(folder, 'mirror.git'), { recursive: true });
        await writeFile(join(folder, 'mirror.git'), 'nonsense');
      },
    ],
    [
      'the lock of a git that was killed',
      () => writeFile(join(folder, 'mirror.git', 'refs', 'oakctl', 'head.lock'), ''),
    ],
    ['nothing at all', () => rm(folder, { recursive: true })],
  ];
  const many = Object.fromEntries(Array.from({ length: 120 }, (_, n) => [`f${n}.yaml`, `content ${n}\n`.repeat(50)]));

  it.each(damages)('is made anew when it has %s', async (_, damage) => {
    await user.push(many);
    await read(source);
    await user.push({ 'new.yaml': '1' });
    await read(source);
    await damage();
    expect(await read(source)).toEqual({ ...many, 'new.yaml': '1' });
    const left = (await readdir(folder)).filter((name) => name.includes('~'));
    expect(left).toEqual([]);
  });

  it.each(damages)('fetches the next push with %s', async (_, damage) => {
    await user.push(many);
    await read(source);
    await damage();
    const next = await user.push({ 'new.yaml': '1' });
    const again = open();
    await again.fetch(next, signal);
    expect(await read(again)).toEqual({ ...many, 'new.yaml': '1' });
  });

  it('is SOURCE_UNREACHABLE while the remote is away, and heals afterwards', async () => {
    const commit = await user.push(many);
    await read(source);
    await damages[0]?.[1]();
    await rename(remote, `${remote}.away`);
    expect((await problemOf(source.tree(commit, '', signal))).code).toBe('SOURCE_UNREACHABLE');
    await rename(`${remote}.away`, remote);
    expect(await source.tree(commit, '', signal)).toHaveLength(120);
  });

  it('does not use what a killed clone left behind', async () => {
    await user.push({ 'a.yaml': '1' });
    await runGit(tmpdir(), 'init', '--bare', '--quiet', join(folder, 'mirror.git~1234'));
    expect(await read(source)).toEqual({ 'a.yaml': '1' });
    expect((await readdir(folder)).filter((name) => name.includes('~'))).toEqual([]);
  });
});

describe('watching', () => {
  const watchFor = (git: Git): { seen: number; stop: () => void } => {
    const watch = { seen: 0, stop: (): void => undefined };
    watch.stop = git.watch(() => {
      watch.seen += 1;
    });
    return watch;
  };

  it('sees a push at once', async () => {
    await user.push({ 'a.yaml': '1' });
    const watch = watchFor(source);
    await user.push({ 'a.yaml': '2' });
    await timely({ what: 'the notice of a push', work: 100 }, () => eventually(() => watch.seen > 0, { interval: 5 }));
    watch.stop();
    const before = watch.seen;
    await user.push({ 'a.yaml': '3' });
    await steadily(() => watch.seen === before, 300);
  });

  it('sees the first push of a branch in a folder, and a repository that is made, removed and made again', async () => {
    await rm(remote, { recursive: true });
    const watch = watchFor(open({ branch: 'feature/new' }));
    for (const round of [1, 2]) {
      await runGit(tmpdir(), 'init', '--bare', '--quiet', remote);
      await user.push({ 'a.yaml': String(round) });
      const before = watch.seen;
      await user.git('push', '--quiet', '--force', 'origin', 'HEAD:feature/new');
      await eventually(() => watch.seen > before, { what: `push of round ${round}` });
      await rm(remote, { recursive: true });
    }
    watch.stop();
  });

  it('does nothing for a remote elsewhere', () => {
    open({ url: 'https://example.org/x.git' }).watch(() => undefined)();
  });
});
