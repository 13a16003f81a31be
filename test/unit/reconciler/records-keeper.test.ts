import { describe, expect, it } from 'vitest';
import type { ReconcilerDeps } from '../../../reconciler/context.ts';
import { emptyRecords, type Records } from '../../../reconciler/core/records.ts';
import {
  answeredOnceSaved,
  onceSaved,
  openRecords,
  withEntries,
  withEntry,
} from '../../../reconciler/records-keeper.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';

function aDisk(records: Records = emptyRecords) {
  const disk = {
    records,
    saves: 0,
    full: false,
    load: () => Promise.resolve(disk.records),
    async save(next: Records) {
      await Promise.resolve();
      if (disk.full) throw new ProblemError(problem('FILE_UNWRITABLE', 'no space left'));
      disk.saves += 1;
      disk.records = next;
    },
  };
  return disk;
}

describe('records in memory', () => {
  it('raise the epoch on disk before anything else, and fill in what older ones lack', async () => {
    const { approvals: _none, ...older } = { ...emptyRecords, epoch: 6 };
    const disk = aDisk(older as Records);
    const keeper = await openRecords(disk);
    expect(disk.records.epoch).toBe(7);
    expect(keeper.now.approvals).toEqual([]);
  });

  it('do not open when they cannot be written', async () => {
    const disk = aDisk();
    disk.full = true;
    await expect(openRecords(disk)).rejects.toThrow(/no space/);
  });

  it('are on disk before anybody hears that there was nothing to change', async () => {
    const disk = aDisk();
    const keeper = await openRecords(disk);
    const ask = answeredOnceSaved(keeper, (changed: boolean) => Promise.resolve({ changed }));
    keeper.change({ approvals: ['another request'] });
    disk.full = true;
    await expect(ask(false)).rejects.toThrow(/no space/);
    // What it changed itself it has saved itself.
    expect(await ask(true)).toEqual({ changed: true });
    disk.full = false;
    expect(await ask(false)).toEqual({ changed: false });
    expect(disk.records.approvals).toEqual(['another request']);
  });

  it('are in no trouble once everything is on disk, though an earlier save fails after that', async () => {
    const disk = aDisk();
    const keeper = await openRecords(disk);
    const write = disk.save;
    let refuse = (): void => undefined;
    disk.save = () =>
      new Promise((_, reject) => {
        refuse = () => reject(new ProblemError(problem('FILE_UNWRITABLE', 'no space left')));
      });
    keeper.change({ approvals: ['a'] });
    const first = keeper.saved();
    disk.save = write;
    await keeper.saved();
    refuse();
    await expect(first).rejects.toThrow(/no space/);
    expect(keeper.trouble).toBeUndefined();
  });

  it('are written once for all changes so far, and not at all without one', async () => {
    const disk = aDisk();
    const keeper = await openRecords(disk);
    const before = disk.saves;
    await keeper.saved();
    expect(disk.saves).toBe(before);
    keeper.change({ approvals: ['a'] });
    keeper.change({ nextOrdinal: 3 });
    await keeper.saved();
    await keeper.saved();
    expect(disk.saves).toBe(before + 1);
    expect(disk.records).toMatchObject({ approvals: ['a'], nextOrdinal: 3 });
  });

  it('are not durable by a write that began before the change', async () => {
    const disk = aDisk();
    const keeper = await openRecords(disk);
    keeper.change({ approvals: ['a'] });
    const first = keeper.saved();
    keeper.change({ approvals: ['a', 'b'] });
    await first;
    await keeper.saved();
    expect(disk.records.approvals).toEqual(['a', 'b']);
  });

  it('are tried again after a failed write', async () => {
    const disk = aDisk();
    const keeper = await openRecords(disk);
    keeper.change({ approvals: ['a'] });
    disk.full = true;
    await expect(keeper.saved()).rejects.toThrow(/no space/);
    disk.full = false;
    await keeper.saved();
    expect(disk.records.approvals).toEqual(['a']);
  });

  it('let wait what must not be said before they are on disk, however long that takes', async () => {
    const disk = aDisk();
    const clock = createVirtualClock();
    const keeper = await openRecords(disk);
    const fatal: Error[] = [];
    const deps = {
      clock,
      log: () => undefined,
      fatal: (error: Error) => void fatal.push(error),
    } as unknown as ReconcilerDeps;
    let said = 0;
    keeper.change({ epoch: 9 });
    disk.full = true;
    onceSaved({ keeper, deps }, () => {
      said += 1;
    });
    await clock.advance(10_000);
    expect(said).toBe(0);
    disk.full = false;
    await clock.advance(2_000);
    expect(said).toBe(1);
    expect(disk.records.epoch).toBe(9);
    onceSaved({ keeper, deps }, () => {
      throw new TypeError('a bug');
    });
    await clock.settle();
    expect(fatal.map(String)).toEqual(['TypeError: a bug']);
  });

  it('withEntry sets and removes without a trace', () => {
    const map = { a: 1, b: 2 };
    expect(withEntry(map, 'a', undefined)).toEqual({ b: 2 });
    expect(withEntry(map, 'c', 3)).toEqual({ a: 1, b: 2, c: 3 });
    const many: [string, number | undefined][] = [
      ['a', undefined],
      ['c', 3],
      ['b', 4],
      ['d', undefined],
    ];
    expect(withEntries(map, many)).toEqual({ b: 4, c: 3 });
    expect(map).toEqual({ a: 1, b: 2 });
  });
});
