import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { SourceReport } from '../../../reconciler/core/source-report.ts';
import { createGitRepository } from '../../../reconciler/git/repository.ts';
import { createStatusRef } from '../../../reconciler/git/status-ref.ts';
import { cloneRepository, type GitRepo, git } from '../../support/git-repo.ts';

let root: string;
let bare: string;
let copy: GitRepo;
let head: string;
const { signal } = new AbortController();

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'oakctl-status-'));
  bare = join(root, 'bare.git');
  await git(root, 'init', '--quiet', '--bare', bare);
  copy = await cloneRepository(bare);
  head = await copy.push({ 'app.yaml': 'a' });
});

afterEach(async () => {
  for (const folder of [root, copy.folder]) await rm(folder, { recursive: true, force: true });
});

const report = (value: number): SourceReport => ({
  commit: head,
  state: 'success',
  description: `number ${value}`,
  document: { value },
});

/** A cluster that writes back. */
function clusterOf(name: string) {
  const repository = createGitRepository({ name, url: bare, folder: join(root, name) });
  return createStatusRef({ cluster: name, now: () => 1_000, repository });
}
const show = (what: string) => git(bare, 'show', what);

it('two clusters write at once, each to its own ref, and nothing else changes', async () => {
  const clusters = [clusterOf('home'), clusterOf('shop')];
  const before = await git(bare, 'for-each-ref', 'refs/heads', 'refs/tags');
  await Promise.all(clusters.map((sinkOf, index) => sinkOf('main').send(report(index), undefined, signal)));
  expect(JSON.parse(await show('refs/oakctl/status/home:main.json'))).toEqual({ value: 0 });
  expect(JSON.parse(await show('refs/oakctl/status/shop:main.json'))).toEqual({ value: 1 });
  expect(await git(bare, 'for-each-ref', 'refs/heads', 'refs/tags')).toBe(before);
  expect(await git(bare, 'rev-parse', 'main')).toBe(head);
});

it('the status reaches a repository of SHA-256', async () => {
  await rm(bare, { recursive: true });
  await git(root, 'init', '--quiet', '--bare', '--object-format=sha256', bare);
  head = 'f'.repeat(64);
  await clusterOf('home')('apps').send(report(1), undefined, signal);
  expect(JSON.parse(await show('refs/oakctl/status/home:apps.json'))).toEqual({ value: 1 });
});

it('the status of a cluster is one commit, with a file for each source', async () => {
  const sinkOf = clusterOf('home');
  await sinkOf('apps').send(report(1), undefined, signal);
  await sinkOf('apps').send(report(2), undefined, signal);
  await sinkOf('other').send(report(3), undefined, signal);
  const ref = 'refs/oakctl/status/home';
  expect(await git(bare, 'ls-tree', '--name-only', ref)).toBe('apps.json\nother.json');
  expect(JSON.parse(await show(`${ref}:apps.json`))).toEqual({ value: 2 });
  expect(await git(bare, 'rev-list', '--count', ref)).toBe('1');
  expect(await readdir(join(root, 'home'))).toEqual(['gitconfig']);
  expect(await git(bare, 'log', '-1', '--format=%an %at %s', ref)).toBe('oakctl 1 home: other: number 3');
});

it.each<[what: string, refuse: () => Promise<unknown>]>([
  [
    'a hook',
    async () => {
      await mkdir(join(bare, 'own'));
      await writeFile(join(bare, 'own/pre-receive'), '#!/bin/sh\necho no status here\nexit 1\n', { mode: 0o755 });
      await git(bare, 'config', 'core.hooksPath', 'own');
    },
  ],
  ['a rule of the ref', () => git(bare, 'config', 'receive.hideRefs', 'refs/oakctl')],
])('a remote that answers and refuses is not one that is away: %s', async (_what, refuse) => {
  await refuse();
  await expect(clusterOf('home')('main').send(report(1), undefined, signal)).rejects.toMatchObject({
    problem: { code: 'PUSH_REFUSED', subject: 'source/main', disposition: 'retry' },
  });
});

it('a remote that does not take it is named', async () => {
  const sinkOf = clusterOf('home');
  await rm(bare, { recursive: true });
  await expect(sinkOf('main').send(report(1), undefined, signal)).rejects.toThrow(
    `SOURCE_UNREACHABLE source/main: ${bare} does not take refs/oakctl/status/home: `,
  );
});

it('a disk that refuses is told as such, and not as a fault of ours', async () => {
  await writeFile(join(root, 'home'), 'in the way');
  const sent = clusterOf('home')('main').send(report(1), undefined, signal);
  await expect(sent).rejects.toMatchObject({ problem: { code: 'FILE_UNWRITABLE', subject: 'source/main' } });
});
