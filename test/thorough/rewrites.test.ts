import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createGitRepository } from '../../reconciler/git/repository.ts';
import { createGitSource } from '../../reconciler/git/source.ts';
import type { Git } from '../../reconciler/ports.ts';
import { descriptor, fullName } from '../support/descriptors.ts';
import { follow } from '../support/followed.ts';
import { type Draw, drawFrom } from '../support/hostile-trees.ts';
import { type RawGit, writeRawGit } from '../support/raw-git.ts';

/** `npm run chaos:trees` plays more. */
const rewrites = Number(process.env['OAKCTL_REWRITES'] ?? 200);
const signal = new AbortController().signal;
const apps = ['a', 'b', 'c', 'd', 'e'];
const names = apps.map((app) => fullName(app, 'web'));

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'oakctl-rewrites-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** A history that begins at the root: ids, the oldest first. */
type History = readonly string[];

interface Push {
  readonly said: string;
  readonly history: History;
  /** It goes on from what was accepted. */
  readonly descends: boolean;
}

/** What somebody may push where `history` was accepted. */
function pushOver(history: History, draw: Draw, grow: (from: History, by: number) => History, raw: RawGit): Push {
  const accepted = history.at(-1) as string;
  const by = 1 + draw(4);
  const older = history.slice(0, draw(history.length));
  switch (draw(14)) {
    case 0:
      return { said: 'commits on top', history: grow(history, by), descends: true };
    case 1: {
      const side = grow(older, by);
      const merge = raw.commit(raw.tree([]), [side.at(-1) as string, accepted]);
      return { said: 'a merge, second parent', history: grow([...side, merge], 1), descends: true };
    }
    case 2:
    case 3:
      return { said: 'an amended commit', history: grow(history.slice(0, -1), 1), descends: false };
    case 4:
    case 5:
    case 6:
      return older.length > 0
        ? { said: 'back to an older commit', history: older, descends: false }
        : { said: 'a new beginning', history: grow([], 1), descends: false };
    case 7:
    case 8:
    case 9:
      return { said: 'a rebase', history: grow(older, by + 1), descends: false };
    case 10:
    case 11:
      return { said: 'a new beginning with more', history: grow([], by + 1), descends: false };
    default: {
      const stranger = grow([], 1);
      const merge = raw.commit(raw.tree([]), [...older.slice(-1), ...stranger]);
      return { said: 'a merge of others', history: grow([...stranger, merge], 1), descends: false };
    }
  }
}

it(`${rewrites} rewritten histories: none is applied without approval, and nothing is removed`, {
  timeout: 60_000 + rewrites * 2_000,
}, async () => {
  const remote = join(root, 'remote.git');
  execFileSync('git', ['init', '--quiet', '--bare', '--initial-branch=main', remote]);
  const raw = writeRawGit(remote);
  let version = 0;
  /** One more commit, with another version of everything; rewritten ones may leave out all but one. */
  const commitOn = (parents: readonly string[], some: readonly string[]): string => {
    version += 1;
    const files = some.map((app) => {
      const text = descriptor(app, { web: { code: `app:${version}` } });
      return { mode: '100644', name: `${app}.yaml`, id: raw.blob(text) };
    });
    return raw.commit(raw.tree(files), parents, `version ${version}`);
  };
  const growWith =
    (some: readonly string[]) =>
    (from: History, by: number): History => {
      const grown = [...from];
      for (let n = 0; n < by; n += 1) grown.push(commitOn(grown.slice(-1), some));
      return grown;
    };
  let mirrors = 0;
  let git: Git;
  const freshMirror = (): void => {
    mirrors += 1;
    const repository = createGitRepository({ name: 'main', url: remote, folder: join(root, `mirror-${mirrors}`) });
    git = createGitSource({ name: 'main', branch: 'main', repository });
  };
  freshMirror();
  let head = '';
  const push = (commit: string): void => {
    head = commit;
    raw.setBranch('main', commit);
  };
  // Another mirror is the same source.
  const source = new Proxy({} as Git, {
    get: (_, key: keyof Git) => (key === 'head' ? async () => head : git[key]),
  });
  const followed = follow(source, { cluster: 'home', path: '' });
  let accepted = growWith(apps)([], 3);
  push(accepted.at(-1) as string);
  expect((await followed.look(signal)).names).toEqual(names);
  const counts = { refused: 0, approved: 0, accepted: 0 };

  for (let seed = 1; counts.refused < rewrites; seed += 1) {
    const draw = drawFrom(seed);
    // What is let pass keeps all names, or the guard of removals would have its say, too.
    const isApproved = draw(4) === 0;
    const isWhole = isApproved || draw(2) === 0;
    const made = pushOver(accepted, draw, growWith(isWhole ? apps : apps.slice(0, 1)), raw);
    const told = `push ${seed}: ${made.said}`;
    push(made.history.at(-1) as string);
    // A mirror that is gone knows less, and must not believe more.
    if (draw(20) === 0) freshMirror();
    const before = followed.record;
    const look = await followed.look(signal);
    expect(look.problem, told).toBeUndefined();
    expect(look.names, told).toEqual(names);
    if (made.descends) {
      expect(look.holds, told).toEqual([]);
      expect(followed.record?.commit, told).toBe(head);
      counts.accepted += 1;
      accepted = made.history;
      continue;
    }
    expect(
      look.holds.map(({ code }) => code),
      told,
    ).toEqual(['HISTORY_REWRITTEN']);
    expect(followed.record, told).toBe(before);
    counts.refused += 1;
    if (!isApproved) continue;
    followed.approve(look.holds);
    expect(await followed.look(signal), told).toMatchObject({ names, holds: [] });
    expect(followed.record?.commit, told).toBe(head);
    counts.approved += 1;
    accepted = made.history;
  }
  for (const count of Object.values(counts)) expect(count).toBeGreaterThan(rewrites / 20);
});
