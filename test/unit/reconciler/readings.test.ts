import { expect, it } from 'vitest';
import type { Git, TreeEntry } from '../../../reconciler/ports.ts';
import { createReadings } from '../../../reconciler/readings.ts';
import { descriptor } from '../../support/descriptors.ts';

const signal = new AbortController().signal;
const where = { cluster: 'home', path: '' };
const entry = (path: string, mode = '100644'): TreeEntry => ({ path, mode, blob: `blob of ${path}`, size: 10 });

/** Whatever else a repository has, be it huge, in another repository, or not there, costs nothing and hurts nothing. */
it('asks for the texts of those files only that can count', async () => {
  const asked: string[] = [];
  const git = {
    blobs: async (ids: readonly string[]) => {
      asked.push(...ids);
      return new Map(ids.map((id) => [id, descriptor('shop', { web: { code: 'app:1' } })]));
    },
  } as Pick<Git, 'blobs'> as Git;
  const tree = [
    entry('shop.yaml'),
    entry('photo.png'),
    entry('README.md'),
    entry('vendor', '160000'),
    entry('module.yaml', '160000'),
    entry('link.yaml', '120000'),
  ];
  const files = tree.map((one) => ({ ...one, key: one.path }));
  const found = await createReadings().read({ name: 'main', git }, where, files, tree, signal);
  expect(asked).toEqual(['blob of shop.yaml']);
  expect(Object.fromEntries(found.map(({ path, reading }) => [path, reading.kind]))).toEqual({
    'shop.yaml': 'descriptor',
    'photo.png': 'ignored',
    'README.md': 'ignored',
    vendor: 'ignored',
    'module.yaml': 'invalid',
    'link.yaml': 'invalid',
  });
});
