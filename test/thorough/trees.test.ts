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
const trees = Number(process.env['OAKCTL_TREES'] ?? 100);
const only = process.env['OAKCTL_TREE'];
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

/** Keeps which blobs were asked for. */
function watched(git: Git): { readonly git: Git; readonly asked: Set<string> } {
  const asked = new Set<string>();
  const blobs: Git['blobs'] = (ids, stop) => {
    for (const id of ids) asked.add(id);
    return git.blobs(ids, stop);
  };
  return { git: { ...git, blobs }, asked };
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
  const { git, asked } = watched(createGitSource({ name: 'main', branch: 'main', repository }));
  const followed = follow(git, { cluster: 'home', path: '' });
  expect((await followed.look(signal)).names).toEqual(wanted);
  const { record } = followed;
  const kept = new Set(Object.values(record?.files ?? {}).map(({ blob }) => blob));
  let refused = 0;

  const seeds = only === undefined ? Array.from({ length: trees }, (_, n) => n + 1) : [Number(only)];
  for (const seed of seeds) {
    const tree = hostileTree(drawFrom(seed), { git: raw, outside, base });
    const told = `tree ${seed}: ${tree.story.join('; ')}`;
    raw.setBranch('main', raw.commit(tree.id, [first], `tree ${seed}`));
    asked.clear();
    const look = await followed.look(signal);
    if (look.problem) {
      expect(look.problem.code, told).toMatch(/^SOURCE_/);
      refused += 1;
    }
    expect(look.names, told).toEqual(expect.arrayContaining(wanted));
    const said = JSON.stringify([[...(look.verdict?.services.values() ?? [])], look.snapshot?.problems]);
    expect(said.includes(`${canary}:1`) || said.includes('root:x:0'), told).toBe(false);
    // A problem may end the look before its tree is known.
    const inside = new Set([...(look.tree ?? []).map(({ blob }) => blob), ...kept]);
    if (look.tree)
      expect(
        [...asked].filter((id) => !inside.has(id)),
        told,
      ).toEqual([]);
    followed.back(record);
  }
  // Both ways were taken: refused whole, and read with the hostile part left out.
  if (only === undefined) expect([refused > 0, refused < seeds.length]).toEqual([true, true]);
  raw.setBranch('main', first);
  expect((await followed.look(signal)).names).toEqual(wanted);
});
