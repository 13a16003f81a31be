import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGitRepository } from '../../reconciler/git/repository.ts';
import { createGitSource } from '../../reconciler/git/source.ts';
import type { SourceAccess } from '../../schemas/settings-source.ts';
import { descriptor, fullName } from '../support/descriptors.ts';
import { type Followed, follow } from '../support/followed.ts';
import { cloneRepository, type GitRepo, git as runGit } from '../support/git-repo.ts';
import { type GitServer, serveGit } from '../support/git-server.ts';
import { serveSsh, sshAnswers } from '../support/ssh-server.ts';

const signal = new AbortController().signal;
const apps = ['a', 'b', 'c', 'd'];
const good = Object.fromEntries(
  apps.map((name) => [`fleet/${name}.yaml`, descriptor(name, { web: { code: 'app:1' } })]),
);
const names = apps.map((name) => fullName(name, 'web'));

interface Way {
  readonly url: string;
  readonly access?: SourceAccess;
  /** The remote breaks, in one of two ways, until it is told otherwise. */
  readonly fail: (how: 'gone' | 'cut' | undefined) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** The other side ends in the middle of what it sends when it comes upon a tree that is not there. */
async function overSsh(root: string): Promise<Way> {
  const server = await serveSsh(root);
  const remote = join(root, 'served', 'fleet.git');
  let moved: readonly [from: string, to: string] | undefined;
  const move = async (from: string, to: string): Promise<void> => {
    await rename(from, to);
    moved = [from, to];
  };
  return {
    url: `${server.url}${remote}`,
    access: { keyFile: server.key, knownHosts: server.knownHosts },
    async fail(how) {
      if (moved) await rename(moved[1], moved[0]);
      moved = undefined;
      if (how === 'gone') await move(remote, `${remote}.away`);
      if (how !== 'cut') return;
      const tree = await runGit(remote, 'rev-parse', 'main^{tree}');
      await move(join(remote, 'objects', tree.slice(0, 2), tree.slice(2)), join(root, 'tree.away'));
    },
    close: () => server.close(),
  };
}

async function overHttp(root: string): Promise<Way> {
  const server: GitServer = await serveGit(join(root, 'served'));
  return {
    url: `${server.url}/fleet.git`,
    async fail(how) {
      if (how === undefined) server.fault = undefined;
      else server.fault = how === 'gone' ? { kind: 'status', status: 500 } : { kind: 'truncated', after: 300 };
    },
    close: () => server.close(),
  };
}

/** What is in a tree does not depend on how it came. */
const trees = [
  ['an empty tree', { 'fleet/README.md': 'nothing' }, undefined],
  ['a path that is gone', { 'other/a.yaml': 'a: 1' }, 'SOURCE_REF_MISSING'],
  ['a file that cannot be parsed', { ...good, 'fleet/a.yaml': 'applications: [' }, undefined],
  ['only a file that cannot be parsed', { 'fleet/a.yaml': 'applications: [' }, undefined],
] as const;

/** G1: whatever cannot be read, reached or parsed removes nothing, however the remote is reached. */
describe.each([
  ['http', overHttp, true, true],
  ['ssh', overSsh, await sshAnswers(), false],
] as const)('over %s', (_name, open, isPossible, isWhole) => {
  describe.skipIf(!isPossible)('a source', () => {
    let root: string;
    let way: Way;
    let user: GitRepo;
    let followed: Followed;
    let made = 0;

    const source = (branch = 'main', path = 'fleet'): Followed => {
      made += 1;
      const { url, access = {} } = way;
      const repository = createGitRepository({ name: 'main', url, access, folder: join(root, `mirror-${made}`) });
      const next = follow(createGitSource({ name: 'main', branch, repository }), { cluster: 'home', path });
      next.back(made === 1 ? undefined : followed.record);
      return next;
    };

    beforeAll(async () => {
      root = await mkdtemp(join(tmpdir(), 'oakctl-git-removals-'));
      await mkdir(join(root, 'served'));
      await runGit(root, 'init', '--bare', '--quiet', join('served', 'fleet.git'));
      user = await cloneRepository(join(root, 'served', 'fleet.git'));
      await user.push(good);
      way = await open(root);
      followed = source();
      expect((await followed.look(signal)).names).toEqual(names);
    });
    afterAll(async () => {
      await way.close();
      await rm(root, { recursive: true, force: true });
      await rm(user.folder, { recursive: true, force: true });
    });

    const mended = async (): Promise<void> => {
      await way.fail(undefined);
      await user.replace(good);
      expect(await followed.look(signal)).toMatchObject({ names });
    };

    it.each(isWhole ? trees : trees.slice(-1))('with %s keeps everything', async (_what, files, code) => {
      await user.replace(files);
      const look = await followed.look(signal);
      expect(look.names).toEqual(names);
      expect(look.problem?.code).toBe(code);
      if (code === undefined)
        expect(look.snapshot?.complete === false || look.verdict?.holds.length === 1, JSON.stringify(look)).toBe(true);
      await mended();
    });

    it('whose branch is another one keeps everything', async () => {
      const look = await source('nowhere').look(signal);
      expect(look).toMatchObject({ names, problem: { code: 'SOURCE_REF_MISSING' } });
    });

    it.each(['gone', 'cut'] as const)('whose remote is %s keeps everything, with a mirror and without', async (how) => {
      await user.replace({ 'fleet/README.md': 'nothing' });
      await way.fail(how);
      for (const one of [followed, source()]) {
        const look = await one.look(signal);
        expect(look.names).toEqual(names);
        expect(look.problem?.code).toMatch(/^SOURCE_/);
      }
      await mended();
    });
  });
});
