import { describe, expect, it } from 'vitest';
import { composeSnapshot, readFile, type SnapshotFile } from '../../../../reconciler/core/snapshot.ts';
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
