import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { admit } from '../../../reconciler/core/admit.ts';
import type { SourceRecord } from '../../../reconciler/core/records.ts';
import { composeSnapshot, pathOfKey, type Where } from '../../../reconciler/core/snapshot.ts';
import type { Git, TreeEntry } from '../../../reconciler/ports.ts';
import { createReadings, type Readings } from '../../../reconciler/readings.ts';
import { selectPaths } from '../../../schemas/selection.ts';
import { descriptor } from '../../support/descriptors.ts';

const signal = new AbortController().signal;
const idOf = (text: string): string => createHash('sha1').update(text).digest('hex');
const shop = (image: string) => descriptor('shop', { web: { code: `app:${image}` }, db: { code: 'db:1' } });
const patch = (code: string) => {
  const microservices = [{ microservice_name: 'web', microservice_namespace: 'test', code }];
  const applications = [{ application_name: 'shop', application_namespace: 'test', microservices }];
  return JSON.stringify({ patch: 'common/shop.yaml', applications });
};
const files = (from: string) => descriptor('files', { web: { code: 'app:1', files: [{ path: '/etc/a', from }] } });
const plain = (app: string) => descriptor(app, { web: { code: 'app:1' } });

/** Of the cluster: what it says depends on where it is read. */
const tier = `\${cluster.label.tier}`;

/** What people write at these places, right and wrong. */
const texts: Readonly<Record<string, readonly string[]>> = {
  'common/shop.yaml': [shop('1'), shop('2'), shop(tier), 'applications: [', 'a: note', plain('a')],
  'clusters/home/shop.yaml': [patch('app:3'), patch(`app:${tier}`), 'patch: [', plain('a'), shop('9')],
  'clusters/home/files.yaml': [files('./a.conf'), files('./b.conf'), files('common/a.conf')],
  'clusters/home/a.conf': ['a', 'b', plain('a')],
  'clusters/home/b.conf': ['a', 'c'],
  'common/a.conf': ['x', 'y'],
  'clusters/home/nodes.yaml': [
    '- node: {hostname: n1}\n- node: {hostname: n2, IP: 10.0.0.2}\n',
    '- node: {hostname: n1}\n',
    '- node: [',
  ],
  'clusters/home/oakctl.yaml': ['poll: 30s\n', 'poll: never\n'],
  'clusters/other/a.yaml': [plain('other')],
  'clusters/home/a.yaml': [plain('a'), plain('b'), plain('a').replace('app:1', 'app:2')],
  'clusters/home/b.yaml': [plain('a'), plain('b'), 'a: b'],
  'common/c.yaml': [plain('c'), plain('d'), plain('c').replace('"app:1"', '""')],
  'lonely.yaml': [plain('lonely')],
};
const paths = Object.keys(texts);
const modes = ['100644', '100644', '100644', '100755', '120000', '160000'];

const edit = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('write' as const), path: fc.nat(), text: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), path: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('rename' as const), path: fc.nat(), to: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('mode' as const), path: fc.nat(), mode: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('label' as const), tier: fc.constantFrom('1', '2') }) },
);
type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never;

/** The text stays, and is none any more; and the other way round. */
const turnsIntoLink: Edit[][] = [
  [{ kind: 'write', path: paths.indexOf('clusters/home/a.yaml'), text: 0 }],
  [{ kind: 'mode', path: paths.indexOf('clusters/home/a.yaml'), mode: modes.indexOf('120000') }],
  [{ kind: 'mode', path: paths.indexOf('clusters/home/a.yaml'), mode: modes.indexOf('160000') }],
  [{ kind: 'mode', path: paths.indexOf('clusters/home/a.yaml'), mode: modes.indexOf('100755') }],
];

const write = (path: string, text: number): Edit => ({ kind: 'write', path: paths.indexOf(path), text });
const remove = (path: string): Edit => ({ kind: 'remove', path: paths.indexOf(path) });

/** A bit of everything that the test has to be about, whatever chance adds. */
const everything: Edit[][] = [
  [write('common/shop.yaml', 0), write('clusters/home/shop.yaml', 0)],
  [write('clusters/home/files.yaml', 0), write('clusters/home/a.conf', 0), write('common/c.yaml', 0)],
  [{ kind: 'label', tier: '2' }],
  [write('common/shop.yaml', 3)],
  [write('common/shop.yaml', 1)],
  ['common/shop.yaml', 'clusters/home/shop.yaml', 'clusters/home/files.yaml', 'common/c.yaml'].map(remove),
];

interface File {
  readonly text: string;
  readonly mode: string;
}

function applyTo(tree: Map<string, File>, change: Exclude<Edit, { kind: 'label' }>): void {
  const path = paths[change.path % paths.length] ?? '';
  const choices = texts[path] ?? [];
  const old = tree.get(path);
  if (change.kind === 'write') tree.set(path, { text: choices[change.text % choices.length] ?? '', mode: '100644' });
  else if (change.kind === 'remove') tree.delete(path);
  else if (old && change.kind === 'mode') tree.set(path, { ...old, mode: modes[change.mode % modes.length] ?? '' });
  else if (old && change.kind === 'rename') {
    tree.delete(path);
    tree.set(paths[change.to % paths.length] ?? '', old);
  }
}

/** As the reconciler does: the files of the commit and of the record, the snapshot of both, and what the guards say. */
async function judged(
  readings: Readings,
  git: Git,
  where: Where,
  commit: string,
  tree: readonly TreeEntry[],
  previous?: SourceRecord,
) {
  const source = { name: 'main', git };
  const kept = Object.entries(previous?.files ?? {}).map(([key, { services: _names, ...file }]) => {
    return { ...file, key, path: pathOfKey(key), mode: '100644' };
  });
  const before = await readings.readKept(source, where, kept, signal);
  const chosen = selectPaths(tree, where).map(({ path, blob, mode }) => ({ key: path, path, blob, mode }));
  const now = await readings.read(source, where, chosen, tree, signal);
  readings.keep('main', [...now, ...before]);
  const snapshot = composeSnapshot({ source: 'main', commit, previous, now, before });
  const guard = { count: 2, share: 0.3 };
  return {
    now,
    before,
    snapshot,
    verdict: admit(previous, snapshot, { guard, approvals: new Set(), owners: new Map() }),
  };
}

/** Whatever came before: who remembers what was read says the same as who reads everything. */
it('a reading of what changed is one of everything, after any commits', async () => {
  const seen = { invalid: 0, patched: 0, held: 0, taken: 0, label: 0 };
  const commits = fc.array(fc.array(edit, { minLength: 1, maxLength: 4 }), { minLength: 2, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(commits, async (history) => {
      const blobs = new Map<string, string>();
      const textsOf = async (ids: readonly string[]) => new Map(ids.flatMap((id) => [[id, blobs.get(id) ?? '']]));
      const git = { blobs: textsOf, oldBlobs: textsOf } as Pick<Git, 'blobs' | 'oldBlobs'> as Git;
      const remembering = createReadings();
      const tree = new Map<string, File>();
      let where: Where = { cluster: 'home', path: '', labels: { tier: '1' } };
      let previous: SourceRecord | undefined;
      for (const [n, edits] of history.entries()) {
        for (const one of edits) {
          if (one.kind === 'label') where = { ...where, labels: { tier: one.tier } };
          else applyTo(tree, one);
          seen.label += one.kind === 'label' ? 1 : 0;
        }
        for (const { text } of tree.values()) blobs.set(idOf(text), text);
        const entries = [...tree].map(([path, { text, mode }]) => ({
          path,
          mode,
          blob: idOf(text),
          size: text.length,
        }));
        entries.sort((a, b) => (a.path < b.path ? -1 : 1));
        const quick = await judged(remembering, git, where, `c${n}`, entries, previous);
        const full = await judged(createReadings(), git, where, `c${n}`, entries, previous);
        expect(quick).toEqual(full);
        previous = quick.verdict.record;
        seen.invalid += quick.now.some(({ reading }) => reading.kind === 'invalid') ? 1 : 0;
        seen.patched += quick.now.some(({ reading }) => reading.patches) ? 1 : 0;
        seen.taken += quick.now.some((file) => file.with) ? 1 : 0;
        seen.held += quick.verdict.holds.length > 0 ? 1 : 0;
      }
    }),
    { numRuns: 15, examples: [[turnsIntoLink], [everything]] },
  );
  // It is about something.
  for (const [what, count] of Object.entries(seen)) expect(count, what).toBeGreaterThan(0);
});
