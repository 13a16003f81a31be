import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createGitRepository } from '../../../reconciler/git/repository.ts';
import { createGitSource } from '../../../reconciler/git/source.ts';

const signal = new AbortController().signal;

it('a tree of ten thousand million files in twenty objects is refused, and not read to its end', async () => {
  const root = await mkdtemp(join(tmpdir(), 'oakctl-git-hostile-'));
  try {
    const remote = join(root, 'remote.git');
    const git = (args: readonly string[], input = ''): string =>
      execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.org', '-C', remote, ...args], { input })
        .toString()
        .trim();
    execFileSync('git', ['init', '--quiet', '--bare', remote]);
    const ten = (line: (n: number) => string): string => Array.from({ length: 10 }, (_, n) => line(n)).join('');
    const blob = git(['hash-object', '-w', '--stdin'], 'a: 1\n');
    let tree = git(
      ['mktree'],
      ten((n) => `100644 blob ${blob}\tf${n}.yaml\n`),
    );
    for (let level = 0; level < 9; level += 1) {
      const below = tree;
      tree = git(
        ['mktree'],
        ten((n) => `040000 tree ${below}\td${n}\n`),
      );
    }
    git(['update-ref', 'refs/heads/main', git(['commit-tree', tree, '-m', 'without an end'])]);
    const repository = createGitRepository({ name: 'main', url: remote, folder: join(root, 'mirror') });
    const source = createGitSource({ name: 'main', branch: 'main', repository });
    const head = await source.head(signal);
    await source.fetch(head, signal);
    await expect(source.tree(head, '', signal)).rejects.toThrow(/SOURCE_HOSTILE.*more than \d+ files/);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});
