import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createGitRepository } from '../../reconciler/git/repository.ts';
import { createGitSource } from '../../reconciler/git/source.ts';
import type { Git } from '../../reconciler/ports.ts';
import { descriptor, fullName } from '../support/descriptors.ts';
import { follow } from '../support/followed.ts';
import { drawFrom, hostileTree } from '../support/hostile-trees.ts';
import { writeRawGit } from '../support/raw-git.ts';

/** `npm run chaos:trees` plays 5,000; OAKCTL_TREE plays one again. */
const trees = Number(process.env['OAKCTL_TREES'] ?? 500);
const only = process.env['OAKCTL_TREE'];
/** One in so many is a tree that git itself does not carry. */
const tornEvery = 16;
/** The others come in folders of one commit. */
const perCommit = 25;
const signal = new AbortController().signal;
const canary = 'canary-4711';
const base = Object.fromEntries(
  ['a', 'b', 'c', 'd', 'e'].map((name) => [`${name}.yaml`, descriptor(name, { web: { code: 'app:1' } })]),
);
const wanted = Object.keys(base).map((file) => fullName(file.replace('.yaml', ''), 'web'));

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'oakctl-trees-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** What a test looks at, and says to the source that it follows. */
interface Stage {
  readonly git: Git;
  /** Blobs that were asked for. */
  readonly asked: Set<string>;
  head: string;
  /** The folder that stands for the whole tree; empty: the root. */
  folder: string;
}

function stageOf(git: Git): Stage {
  const stage: Stage = {
    asked: new Set(),
    head: '',
    folder: '',
    git: {
      ...git,
      head: async () => stage.head,
      blobs(ids, stop) {
        for (const id of ids) stage.asked.add(id);
        return git.blobs(ids, stop);
      },
      async tree(commit, _path, stop) {
        const entries = await git.tree(commit, stage.folder, stop);
        const below = stage.folder === '' ? 0 : stage.folder.length + 1;
        return entries.map((entry) => ({ ...entry, path: entry.path.slice(below) }));
      },
    },
  };
  return stage;
}

it(`${only ? `tree ${only}` : `${trees} hostile trees`}: nothing outside of a tree is read, and nothing is removed`, {
  timeout: 60_000 + trees * 2_000,
}, async () => {
  const remote = join(root, 'remote.git');
  execFileSync('git', ['init', '--quiet', '--bare', '--initial-branch=main', remote]);
  const outside = join(root, 'outside.yaml');
  await writeFile(outside, descriptor(canary, { web: { code: `${canary}:1` } }));
  const raw = writeRawGit(remote);
  const good = raw.tree(Object.entries(base).map(([name, text]) => ({ mode: '100644', name, id: raw.blob(text) })));
  const first = raw.commit(good, []);
  raw.setBranch('main', first);
  const repository = createGitRepository({ name: 'main', url: remote, folder: join(root, 'mirror') });
  const stage = stageOf(createGitSource({ name: 'main', branch: 'main', repository }));
  stage.head = first;
  const followed = follow(stage.git, { cluster: 'home', path: '' });
  expect((await followed.look(signal)).names).toEqual(wanted);
  const { record } = followed;
  const kept = new Set(Object.values(record?.files ?? {}).map(({ blob }) => blob));
  const counts = { refused: 0, held: 0, read: 0 };

  const isTorn = (seed: number): boolean => seed % tornEvery === 0;
  const treeOf = (seed: number) => hostileTree(drawFrom(seed), { git: raw, outside, base }, isTorn(seed));
  /** A commit on top of the good one becomes the head. */
  const commit = (tree: string): void => {
    stage.head = raw.commit(tree, [first]);
    raw.setBranch('main', stage.head);
  };
  const play = async (seed: number, story: readonly string[]): Promise<void> => {
    const told = `tree ${seed}: ${story.join('; ')}`;
    stage.asked.clear();
    const look = await followed.look(signal);
    if (look.problem) expect(look.problem.code, told).toMatch(/^SOURCE_/);
    expect(look.names, told).toEqual(expect.arrayContaining(wanted));
    const said = JSON.stringify([[...(look.verdict?.services.values() ?? [])], look.snapshot?.problems]);
    expect(said.includes(`${canary}:1`) || said.includes('root:x:0'), told).toBe(false);
    const inside = new Set([...(look.tree ?? []).map(({ blob }) => blob), ...kept]);
    const strange = [...stage.asked].filter((id) => !inside.has(id));
    // A problem may end the look before its tree is known.
    if (look.tree) expect(strange, told).toEqual([]);
    counts[look.problem ? 'refused' : look.verdict?.holds.length ? 'held' : 'read'] += 1;
    followed.back(record);
  };

  const seeds = only === undefined ? Array.from({ length: trees }, (_, n) => n + 1) : [Number(only)];
  for (const seed of seeds.filter(isTorn)) {
    const { id, story } = treeOf(seed);
    commit(id);
    await play(seed, story);
  }
  const whole = seeds.filter((seed) => !isTorn(seed));
  for (let at = 0; at < whole.length; at += perCommit) {
    const made = whole.slice(at, at + perCommit).map((seed) => ({ seed, ...treeOf(seed) }));
    commit(raw.tree(made.map(({ seed, id }) => ({ mode: '40000', name: `t${seed}`, id }))));
    for (const { seed, story } of made) {
      stage.folder = `t${seed}`;
      await play(seed, story);
    }
    stage.folder = '';
  }
  // Refused whole, held, and read with the hostile part left out: all of it happened.
  if (only === undefined) for (const count of Object.values(counts)) expect(count).toBeGreaterThan(trees / 100);
  stage.head = first;
  raw.setBranch('main', first);
  expect((await followed.look(signal)).names).toEqual(wanted);
});
