import * as nodeFs from 'node:fs/promises';
import { mkdtemp, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { emptyRecords, type Records } from '../../../../reconciler/core/records.ts';
import { createRecordsStore } from '../../../../reconciler/store/records-store.ts';
import { createDurableFiles, type DurableFs } from '../../../../schemas/io/durable-files.ts';
import type { Wall } from '../../../../schemas/ports.ts';
import { isProblemError } from '../../../../schemas/problem.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakctl-records-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const at = (epoch: number): Records => ({ ...emptyRecords, epoch });
const onDisk = (): Promise<Records> => createRecordsStore({ folder }).load();
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    (error: unknown) => (isProblemError(error) ? error.problem.code : String(error)),
  );

describe('the records store', () => {
  it('begins empty and gives back what was saved', async () => {
    expect(await onDisk()).toEqual(emptyRecords);
    const records: Records = {
      ...at(7),
      nodes: { aaaa: { id: 'aaaa', name: 'w1', ordinal: 0, serial: 1, joined: 1 as Wall } },
      tokens: { t: { id: 't', hash: 'f'.repeat(64), expires: 5 as Wall, uses: 1 } },
      approvals: ['x'],
    };
    await createRecordsStore({ folder }).save(records);
    expect(await onDisk()).toEqual(records);
  });

  it('keeps what a later version wrote, so that going back and forth loses nothing', async () => {
    const node = { id: 'aaaa', name: 'w1', ordinal: 0, serial: 1, joined: 1 as Wall, mood: 'good' };
    const later = { ...at(7), nodes: { aaaa: node }, pets: { cat: 1 } };
    await createRecordsStore({ folder }).save(later);
    const store = createRecordsStore({ folder });
    await store.save({ ...(await store.load()), epoch: 8 });
    expect(await onDisk()).toEqual({ ...later, epoch: 8 });
  });

  it('gives back also what is refused on the wire: texts cut in the middle of a character, names that objects have', async () => {
    const records: Records = {
      ...at(7),
      suspends: {
        cluster: { subject: 'cluster', actor: 'ann', reason: 'cut \ud83d', since: 1 as Wall, until: 2 as Wall },
      },
      sources: {
        fleet: {
          commit: 'c1',
          files: { 'a.yaml': { blob: '1', services: [], with: { prototype: '2', constructor: '3' } } },
          nodes: [],
        },
      },
    };
    await createRecordsStore({ folder }).save(records);
    expect(await onDisk()).toEqual(records);
  });

  it('saves in order; each caller hears of it when it, or something newer, is on disk', async () => {
    const store = createRecordsStore({ folder });
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        await store.save(at(index + 1));
        order.push(index + 1);
        expect((await onDisk()).epoch).toBeGreaterThanOrEqual(index + 1);
      }),
    );
    expect((await onDisk()).epoch).toBe(100);
    expect(order).toHaveLength(100);
  });

  it('writes once for all that is asked for in one turn', async () => {
    let writes = 0;
    const open: DurableFs['open'] = async (file, flags, mode) => {
      writes += flags === 'wx' ? 1 : 0;
      return nodeFs.open(file, flags, mode);
    };
    const store = createRecordsStore({ folder, fs: { ...nodeFs, open } });
    await store.save(at(1));
    writes = 0;
    const first = store.save(at(2));
    await Promise.resolve();
    await Promise.all([first, store.save(at(3))]);
    expect(writes).toBe(1);
    expect((await onDisk()).epoch).toBe(3);
  });

  it('keeps the texts of what did not change, at every level, and never those of what did', async () => {
    const store = createRecordsStore({ folder });
    const file = (blob: string) => ({ blob, services: ['a.b.c.d'], with: { './x': blob } });
    const source = (commit: string, files: Records['sources'][string]['files']) => ({ commit, files, nodes: [] });
    let records: Records = {
      ...at(1),
      homes: { 'a.b.c.d.instance.0': 'n1' },
      sources: { main: source('c1', { 'a.yaml': file('1'), '"b".yaml': file('2') }), beside: source('d1', {}) },
      rollouts: { a: { digest: '1', phase: 'settled', started: 1 as Wall, reason: undefined } as never },
    };
    for (const [n, change] of [
      (): Partial<Records> => ({}),
      () => ({ homes: { ...records.homes, other: 'n2' } }),
      () => ({ sources: { ...records.sources, beside: source('d2', { x: file('5') }) } }),
      () => {
        const { files = {} } = records.sources['main'] ?? {};
        return { sources: { ...records.sources, main: source('c2', { ...files, 'a.yaml': file('3') }) } };
      },
      () => ({ rollouts: {}, nodes: { aaaa: { id: 'aaaa', name: 'w1', ordinal: 0, serial: 1, joined: 1 as Wall } } }),
      () => ({ restored: undefined }),
    ].entries()) {
      records = { ...records, ...change(), epoch: n };
      await store.save(records);
      const text = await createDurableFiles({ folder }).read('records.json');
      expect(text).toBe(JSON.stringify(records));
    }
  });

  it('says that a save failed, to those who wait for it, and goes on', async () => {
    const store = createRecordsStore({ folder: join(folder, 'records') });
    await store.save(at(1));
    await rm(join(folder, 'records'), { recursive: true });
    await createDurableFiles({ folder }).write('records', 'a file where the folder was');
    expect(await Promise.all([codeOf(store.save(at(2))), codeOf(store.save(at(3)))])).toEqual([
      'FILE_UNWRITABLE',
      'FILE_UNWRITABLE',
    ]);
    await rm(join(folder, 'records'));
    const fresh = createRecordsStore({ folder: join(folder, 'records') });
    await fresh.save(at(4));
    expect((await fresh.load()).epoch).toBe(4);
  });

  it('uses the previous version of a torn file, and says so', async () => {
    const store = createRecordsStore({ folder });
    await store.save(at(1));
    await store.save(at(2));
    await truncate(join(folder, 'records.json'), 50);
    const told: string[] = [];
    const again = createRecordsStore({ folder, log: (level, event) => told.push(`${level} ${event}`) });
    expect((await again.load()).epoch).toBe(1);
    expect(told).toEqual([expect.stringContaining('error')]);
  });

  it.each([
    ['of a newer version', { ...emptyRecords, version: 2 }],
    ['null', null],
    ['without nodes', { ...emptyRecords, nodes: undefined }],
    ['with a wrong token hash', { ...emptyRecords, tokens: { t: { id: 't', hash: 'x', expires: 1, uses: 1 } } }],
    ['with a negative epoch', { ...emptyRecords, epoch: -1 }],
  ])('refuses records %s instead of beginning anew', async (_, value) => {
    await createDurableFiles({ folder }).write('records.json', JSON.stringify(value));
    expect(await codeOf(onDisk())).toBe('FILE_DAMAGED');
  });

  it('keeps members that it does not know', async () => {
    await createDurableFiles({ folder }).write('records.json', JSON.stringify({ ...emptyRecords, later: 1 }));
    expect(await onDisk()).toMatchObject({ later: 1 });
  });
});
