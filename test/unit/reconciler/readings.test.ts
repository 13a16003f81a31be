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

/** A push changes a few of a thousand files: what the others say is known, however many files it takes to know it. */
it('reads nothing again that did not change, of a patch of a file that takes another one in either', async () => {
  const files = [{ path: '/www/index.html', from: './index.html' }];
  const web = { microservice_name: 'web', microservice_namespace: 'test', memory: 65 };
  const applications = [{ application_name: 'shop', application_namespace: 'test', microservices: [web] }];
  const texts: Readonly<Record<string, string>> = {
    'blob of common/shop.yaml': descriptor('shop', { web: { code: 'app:1', files } }),
    'blob of common/index.html': 'hello',
    'blob of clusters/home/shop.yaml': JSON.stringify({ patch: 'common/shop.yaml', applications }),
  };
  const asked: string[] = [];
  const git = {
    blobs: async (ids: readonly string[]) => {
      asked.push(...ids);
      return new Map(ids.map((id) => [id, texts[id] ?? '']));
    },
  } as Pick<Git, 'blobs'> as Git;
  const tree = ['clusters/home/shop.yaml', 'common/index.html', 'common/shop.yaml'].map((path) => entry(path));
  const versions = tree.map((one) => ({ ...one, key: one.path }));
  const readings = createReadings();
  const read = () => readings.read({ name: 'main', git }, where, versions, tree, signal);
  const found = await read();
  expect(found[0]).toMatchObject({
    reading: { kind: 'descriptor' },
    with: {
      'patch:common/shop.yaml': 'blob of common/shop.yaml',
      'patch:common/index.html': 'blob of common/index.html',
    },
  });
  readings.keep('main', found);
  asked.length = 0;
  expect(await read()).toEqual(found);
  expect(asked).toEqual([]);
});

it('lets others have a turn while it reads many, each time after at most fifty texts, and ends when nobody wants them any more', async () => {
  const count = 220;
  const git = {
    blobs: async (ids: readonly string[]) => new Map(ids.map((id) => [id, `a: ${id}`])),
  } as Pick<Git, 'blobs'> as Git;
  const tree = Array.from({ length: count }, (_, n) => entry(`${n}.yaml`));
  const files = tree.map((one) => ({ ...one, key: one.path }));
  const abort = new AbortController();
  let pauses = 0;
  const readings = createReadings(async () => {
    pauses += 1;
    if (pauses === 6) abort.abort(new Error('enough'));
  });
  const read = (name: string) => readings.read({ name, git }, where, files, tree, abort.signal);
  expect(await read('main')).toHaveLength(count);
  expect(pauses).toBe(4);
  // What is known takes no time.
  await read('main');
  expect(pauses).toBe(4);
  await expect(read('other')).rejects.toThrow('enough');
  expect(pauses).toBe(6);
});
