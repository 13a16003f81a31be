/** Trees that somebody made who wants the reconciler to read, run or remove what it must not; made from a seed. */
import { descriptor } from './descriptors.ts';
import type { RawEntry, RawGit } from './raw-git.ts';

export interface HostileTree {
  readonly id: string;
  /** What was done, for the message of a failed test. */
  readonly story: readonly string[];
}

export type Draw = (below: number) => number;

export interface Surroundings {
  readonly git: RawGit;
  /** An absolute path outside of every repository: a descriptor that nobody may read. */
  readonly outside: string;
  /** The files of the good commit, all in its root. */
  readonly base: Readonly<Record<string, string>>;
}

/** A number below the given one, the same ones from the same seed. */
export function drawFrom(seed: number): Draw {
  let state = (seed * 2_654_435_761 + 1) >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const missing = 'dead'.repeat(10);

/** No descriptor that could be read: whoever finds one of these in the place of a good file knows nothing. */
const unreadable: readonly (string | Buffer)[] = [
  'applications: [',
  'applications: [\n  {"application_name": ',
  'sla_versoin: v2.0\napplicatoins: []\n',
  `applications: &a [*a]\n`,
  `applications: ${'['.repeat(5_000)}`,
  'applications:\n  - application_name: a\u202eb\n    microservices: []\n',
  'applications: []\napplications: []\n',
  '__proto__: {}\napplications: []\n',
  'a: \0',
  Buffer.from([0xff, 0xfe, 0x00, 0x61, 0x00, 0x70]),
  '<<<<<<< HEAD\napplications:\n=======\napplications: x\n>>>>>>> b\n',
  'version https://git-lfs.github.com/spec/v1\noid sha256:00\napplications: 1\nsize 1\n',
  `applications: "${'x'.repeat(300 * 1024)}"`,
  '',
  'just: notes\n',
];

/** Git itself refuses a tree with one of these. */
const refusedNames: readonly (string | Buffer)[] = [
  '..',
  '.',
  '.git',
  '.GIT',
  'git~1',
  '.gitmodules',
  '',
  'a/b.yaml',
  '../up.yaml',
  '/etc/passwd.yaml',
];

const names: readonly (string | Buffer)[] = [
  'a\\b.yaml',
  'bell\u0007.yaml',
  'line\nbreak.yaml',
  'esc\u001b[2J.yaml',
  'a\u202elmay.yaml',
  'zero\u200bwidth.yaml',
  'mark\u200f.yaml',
  '-rf.yaml',
  '--upload-pack=touch.yaml',
  ':(glob)**.yaml',
  '"quoted".yaml',
  'ünïcödé.yaml',
  'nul.yaml',
  'nodes.yaml',
  'oakctl.yaml',
  'secrets',
  'clusters',
  'common',
  `${'l'.repeat(4_000)}.yaml`,
  Buffer.from([0x62, 0xff, 0xfe, 0x2e, 0x79, 0x61, 0x6d, 0x6c]),
];

/**
 * A tree that has all of the good commit, or something unreadable in the place of some of it, and whatever else comes to mind. `torn`:
 * also what git would not carry: objects that are missing or of another kind, names and modes that it refuses.
 */
export function hostileTree(draw: Draw, around: Surroundings, torn: boolean): HostileTree {
  const { git, base, outside } = around;
  const story: string[] = [];
  const entries = new Map<string, RawEntry>();
  const put = (entry: RawEntry): void => void entries.set(Buffer.from(entry.name).toString('latin1'), entry);
  for (const [name, text] of Object.entries(base)) put({ mode: '100644', name, id: git.blob(text) });
  for (let changes = 1 + draw(4); changes > 0; changes -= 1) {
    const [entry, said] = tornOrNot(draw, around, torn);
    story.push(said);
    put(entry);
  }
  if (draw(60) === 0) {
    story.push('10,001 files');
    const id = git.blob(`a: ${draw(5)}\n`);
    const many = Array.from({ length: 10_001 }, (_, n) => ({ mode: '100644', name: `f${n}.yaml`, id }));
    put({ mode: '40000', name: 'many', id: git.tree(many) });
  }
  if (draw(10) === 0) {
    story.push('a fleet beside it');
    put({ mode: '40000', name: 'clusters', id: fleetOf(draw, git, outside) });
  }
  return { id: git.tree([...entries.values()]), story };
}

function tornOrNot(draw: Draw, around: Surroundings, torn: boolean): Change {
  if (torn && draw(2) === 0) return tornEntry(draw, around);
  return draw(3) === 0 ? spoilt(draw, around) : added(draw, around);
}

/** An entry, and what it is. */
type Change = [entry: RawEntry, said: string];

/** What git does not carry, or not as it is. */
function tornEntry(draw: Draw, { git, base }: Surroundings): Change {
  const paths = Object.keys(base);
  const good = paths[draw(paths.length)] as string;
  const name = refusedNames[draw(refusedNames.length)] as string;
  const shown = JSON.stringify(name);
  switch (draw(5)) {
    case 0:
      return [{ mode: '100644', name: good, id: missing }, `${good} is not there`];
    case 1:
      return [{ mode: '40000', name: good, id: git.blob('a: 1\n') }, `${good} is a folder that is a file`];
    case 2:
      return [
        { mode: ['100600', '100664', '000000', '140000'][draw(4)] as string, name: good, id: git.blob('a: 1\n') },
        `${good} has a mode of its own`,
      ];
    case 3:
      return [{ mode: '120000', name, id: git.blob('a.yaml') }, `a link ${shown}`];
    default:
      return [{ mode: '100644', name, id: git.blob('a: 1\n') }, `a file ${shown}`];
  }
}

/** Something unreadable, or no file at all, where a good one was. */
function spoilt(draw: Draw, { git, base, outside }: Surroundings): Change {
  const paths = Object.keys(base);
  const name = paths[draw(paths.length)] as string;
  const kind = draw(4);
  if (kind === 0) return [{ mode: '120000', name, id: git.blob(targetOf(draw, outside)) }, `${name} is a link`];
  if (kind === 1) return [{ mode: '160000', name, id: missing }, `${name} is a submodule`];
  const which = draw(unreadable.length);
  return [{ mode: '100644', name, id: git.blob(unreadable[which] as string) }, `${name} is unreadable (${which})`];
}

function added(draw: Draw, { git, outside }: Surroundings): Change {
  const odd = names[draw(names.length)] as string;
  const plain = `x${draw(5)}.yaml`;
  const name = draw(2) === 0 ? odd : plain;
  const shown = JSON.stringify(Buffer.from(name).toString('latin1').slice(0, 30));
  switch (draw(6)) {
    case 0:
      return [{ mode: '120000', name, id: git.blob(targetOf(draw, outside)) }, `a link ${shown}`];
    case 1:
      return [{ mode: '160000', name, id: missing }, `a submodule ${shown}`];
    case 2:
      return [
        { mode: '40000', name, id: git.tree([{ mode: '100644', name: odd, id: git.blob('a: 1\n') }]) },
        `a folder ${shown}`,
      ];
    case 3:
      return [{ mode: '100644', name, id: git.blob(Buffer.alloc(2 * 1024 * 1024, 'a: b\n')) }, `a huge file ${shown}`];
    case 4: {
      const which = draw(unreadable.length);
      return [{ mode: '100644', name, id: git.blob(unreadable[which] as string) }, `unreadable (${which}) ${shown}`];
    }
    default:
      return [{ mode: '100755', name: plain, id: git.blob(greedy(draw, outside)) }, `a greedy descriptor ${plain}`];
  }
}

/** Where a link, or a descriptor, would like to lead. */
function targetOf(draw: Draw, outside: string): string {
  const targets = [
    outside,
    `../../../../../../../..${outside}`,
    '..',
    '.',
    '/etc/passwd',
    '/proc/self/environ',
    'a.yaml',
  ];
  return targets[draw(targets.length)] as string;
}

/** A descriptor that takes in what it must not. */
function greedy(draw: Draw, outside: string): string {
  const from = draw(4) === 0 ? `./${targetOf(draw, outside)}` : targetOf(draw, outside);
  if (draw(3) === 0) return JSON.stringify({ patch: from, applications: [] });
  return descriptor(`greedy${draw(9)}`, {
    web: { code: 'app:1', files: [{ path: '/etc/taken', from }], secrets: ['../x'] },
  });
}

/** Folders of clusters, ours among them, with patches of what is not theirs. */
function fleetOf(draw: Draw, git: RawGit, outside: string): string {
  const patch = JSON.stringify({
    patch: ['../a.yaml', `common/../..${outside}`, 'common/a.yaml', outside][draw(4)],
    applications: [{ application_name: 'shop', microservices: [] }],
  });
  const ours = git.tree([
    { mode: '100644', name: 'patch.yaml', id: git.blob(patch) },
    { mode: '120000', name: 'up.yaml', id: git.blob('../../a.yaml') },
  ]);
  return git.tree([{ mode: '40000', name: draw(2) === 0 ? 'home' : 'other', id: ours }]);
}
