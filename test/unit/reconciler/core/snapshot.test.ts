import { describe, expect, it } from 'vitest';
import {
  composeSnapshot,
  type ReadFile,
  readFile,
  type SnapshotFile,
  type SnapshotService,
} from '../../../../reconciler/core/snapshot.ts';
import { besideReference } from '../../../../schemas/overlay.ts';
import { selectPaths } from '../../../../schemas/selection.ts';
import { descriptor, fullName } from '../../../support/descriptors.ts';

const where = { cluster: 'home', path: '' };
const paths = (files: readonly string[], at = where): string[] =>
  selectPaths(
    files.map((path) => ({ path })),
    at,
  ).map(({ path }) => path);

const file = (path: string, text: string | undefined, mode = '100644'): SnapshotFile => ({
  path,
  text,
  mode,
  blob: path,
});

const compose = (...files: readonly SnapshotFile[]) =>
  composeSnapshot({
    ...{ source: 'main', commit: 'c1', previous: undefined, before: [] },
    now: files.map((one) => ({ path: one.path, blob: one.blob, reading: readFile(one, where) })),
  });

describe('which files a cluster reads', () => {
  it('is all of them, but for dot files and dot folders', () => {
    expect(paths(['a.yaml', 'x/b.yaml', '.github/c.yaml', 'x/.d.yaml'])).toEqual(['a.yaml', 'x/b.yaml']);
  });

  it('is its own folder and the common one where there is a folder clusters/', () => {
    const all = ['a.yaml', 'clusters/home/b.yaml', 'clusters/homer/c.yaml', 'common/d.yaml', 'x/clusters/home/e.yaml'];
    expect(paths(all)).toEqual(['clusters/home/b.yaml', 'common/d.yaml']);
  });

  it('is nothing of the others where it has no folder of its own', () => {
    expect(paths(['a.yaml', 'clusters/north/b.yaml'])).toEqual([]);
  });

  it('begins below the path of the source', () => {
    const all = ['fleet/clusters/home/a.yaml', 'fleet/b.yaml', 'fleets/c.yaml', 'clusters/home/d.yaml'];
    expect(paths(all, { cluster: 'home', path: 'fleet' })).toEqual(['fleet/clusters/home/a.yaml']);
  });
});

describe('reading a file', () => {
  const text = descriptor('shop', { web: { code: 'app:1' } });

  it.each([
    ['a link', file('shop.yaml', text, '120000'), 'SOURCE_HOSTILE'],
    ['a submodule', file('shop.yaml', undefined, '160000'), 'SOURCE_HOSTILE'],
    ['a file that is too long', file('shop.yaml', undefined), 'YAML_INVALID'],
  ])('%s is invalid, not absent', (_name, one, code) => {
    expect(readFile(one, where)).toMatchObject({ kind: 'invalid', problems: [{ code, file: 'shop.yaml' }] });
  });

  it('a link or a submodule that could not hold a descriptor does not matter', () => {
    expect(readFile(file('docs/logo.png', undefined, '120000'), where).kind).toBe('ignored');
    expect(readFile(file('vendor/lib', undefined, '160000'), where).kind).toBe('ignored');
  });

  it('nodes.yaml counts by name at the root of what is read only', () => {
    const many = (path: string) => readFile(file(path, '- node:\n    hostname: pi1\n'), where).kind;
    expect([many('nodes.yaml'), many('clusters/home/nodes.yaml'), many('common/nodes.yaml')]).toEqual([
      'nodes',
      'nodes',
      'nodes',
    ]);
    expect(many('docs/nodes.yaml')).toBe('ignored');
  });
});

describe('a snapshot', () => {
  it('has the services with where they were written, and counts what it ignored', () => {
    const snapshot = compose(
      file('shop.yaml', descriptor('shop', { web: { code: 'app:1' } })),
      file('README.md', '# hello'),
      file('values.yaml', 'a: 1'),
    );
    expect(snapshot.services.get(fullName('shop', 'web'))).toMatchObject({ file: 'shop.yaml' });
    expect(snapshot).toMatchObject({ complete: true, ignored: 2, problems: [] });
    expect(snapshot.files).toEqual({ 'shop.yaml': { blob: 'shop.yaml', services: [fullName('shop', 'web')] } });
  });

  it('with one name in two files says so, keeps the first, and is not complete', () => {
    const one = descriptor('shop', { web: { code: 'app:1' } });
    const two = descriptor('shop', { web: { code: 'app:2' } });
    const snapshot = compose(file('b.yaml', two), file('a.yaml', one));
    expect(snapshot.services.get(fullName('shop', 'web'))?.spec.run.code).toBe('app:1');
    expect(snapshot.problems.map((one) => one.code)).toEqual(['NAME_TAKEN']);
    expect(snapshot.complete).toBe(false);
  });
});

describe('a patch in a snapshot', () => {
  const base = 'common/shop.yaml';
  const over = 'clusters/home/shop.yaml';
  const web = fullName('shop', 'web');
  const text = descriptor('shop', { web: { code: 'app:1' }, db: { code: 'db:1' } });
  const patchOf = (more: object): string =>
    JSON.stringify({
      patch: base,
      applications: [
        {
          application_name: 'shop',
          application_namespace: 'test',
          microservices: [{ microservice_name: 'web', microservice_namespace: 'test', ...more }],
        },
      ],
    });
  const good = patchOf({ code: 'app:2' });
  /** Readings of a base and of a patch over it, as blobs `<path> <n>`. */
  const filesOf = (patch: string | undefined, common = text, n = 1): readonly ReadFile[] => {
    const blob = (path: string): string => `${path} ${n}`;
    const one: SnapshotFile = { path: base, text: common, mode: '100644', blob: blob(base) };
    const two: SnapshotFile = {
      ...{ path: over, text: patch, mode: '100644', blob: blob(over) },
      files: { [besideReference(base)]: common },
    };
    const taken = { [besideReference(base)]: blob(base) };
    return [
      { path: base, blob: one.blob, reading: readFile(one, where) },
      ...(patch === undefined ? [] : [{ path: over, blob: two.blob, reading: readFile(two, where), with: taken }]),
    ];
  };
  const first = (now: readonly ReadFile[]) =>
    composeSnapshot({ source: 'main', commit: 'c1', previous: undefined, now, before: [] });
  /** The next commit after one that was good. */
  const after = (before: readonly ReadFile[], now: readonly ReadFile[]) =>
    composeSnapshot({
      ...{ source: 'main', commit: 'c2', now },
      previous: { commit: 'c1', files: first(before).files, nodes: [] },
      before: before.filter(({ path }) => first(before).files[path] !== undefined),
    });
  const codeOf = ({ services }: { services: ReadonlyMap<string, SnapshotService> }) => services.get(web)?.spec.run.code;

  it('stands in the place of what it patches', () => {
    const snapshot = first(filesOf(good));
    expect(codeOf(snapshot)).toBe('app:2');
    expect(snapshot).toMatchObject({ complete: true, problems: [], ignored: 0 });
    expect(Object.keys(snapshot.files)).toEqual([over]);
    expect(snapshot.files[over]).toMatchObject({ services: [web, fullName('shop', 'db')], with: expect.anything() });
  });

  it('that comes or goes removes nothing', () => {
    for (const [before, now] of [
      [undefined, good],
      [good, undefined],
    ] as const) {
      const snapshot = after(filesOf(before), filesOf(now, text, 2));
      expect(codeOf(snapshot)).toBe(now ? 'app:2' : 'app:1');
      expect([snapshot.complete, snapshot.services.size, snapshot.lastGood.size]).toEqual([true, 2, 0]);
    }
  });

  it.each([
    ['a patch that is broken', 'applications: [', text],
    ['a patch that is wrong', patchOf({ code: 7 }), text],
    ['a patch that became something else', 'just: notes', text],
    ['a base that is broken', good, 'applications: ['],
    ['a base that became something else', good, 'just: notes'],
  ])('%s keeps what was good of both', (_what, patch, common) => {
    const snapshot = after(filesOf(good), filesOf(patch, common, 2));
    expect(codeOf(snapshot)).toBe('app:2');
    expect([snapshot.complete, snapshot.services.size]).toEqual([false, 2]);
    expect(snapshot.files).toEqual(first(filesOf(good)).files);
    expect(new Set(snapshot.problems.map(({ code }) => code))).not.toContain('NAME_TAKEN');
  });

  it('that is new and wrong keeps what it would patch as it was', () => {
    const newer = text.replace('app:1', 'app:3');
    const snapshot = after(filesOf(undefined), filesOf(patchOf({ code: 7 }), newer, 2));
    expect(codeOf(snapshot)).toBe('app:1');
    expect([snapshot.complete, snapshot.services.size]).toEqual([false, 2]);
    // Nobody knows what was to hold here, and nothing held before.
    expect(first(filesOf(patchOf({ code: 7 }))).services.size).toBe(0);
  });

  it('of another cluster changes nothing here', () => {
    const elsewhere = { path: 'clusters/north/shop.yaml' };
    const entries = [{ path: base }, { path: 'clusters/home/a.yaml' }];
    expect(selectPaths([...entries, elsewhere], where)).toEqual(entries);
  });
});
