import { describe, expect, test } from 'vitest';
import { createLedger } from '../../../agent/ledger.ts';
import { emptyPart, hashPart } from '../../../schemas/assignment.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import { createMemoryFiles } from '../../support/memory-files.ts';
import { container, jobOf, partOf } from './support.ts';

const run = container('web:1');
const part = partOf({ epoch: 2, gen: 3, by: 'x' }, [[jobOf('a.default.s.default.instance.0', '2.3', run), run]]);

describe('the ledger', () => {
  test('of a new node is known to be empty', async () => {
    const ledger = createLedger(createMemoryFiles());
    expect(ledger.known()).toBe(false);
    expect(await ledger.load()).toBeUndefined();
    expect([ledger.known(), ledger.part(), ledger.hash()]).toEqual([true, emptyPart, hashPart(emptyPart)]);
  });

  test('is read back as it was written', async () => {
    const files = createMemoryFiles();
    const first = createLedger(files);
    await first.load();
    await first.save(part);
    const second = createLedger(files);
    expect(await second.load()).toBeUndefined();
    expect([second.part(), second.hash()]).toEqual([part, hashPart(part)]);
  });

  test.each([
    ['no JSON', () => '{"v":1'],
    ['a later version', (text: string) => text.replace('"v":1', '"v":9'), 'VERSION_SKEW'],
    ['another want than was hashed', (text: string) => text.replace('"want":"run"', '"want":"stopped"')],
    ['a run spec that is not what its digest says', (text: string) => text.replace('web:1', 'web:2')],
    ['null', () => 'null'],
  ])('that holds %s is unknown, not empty', async (_name, damage, code = 'FILE_DAMAGED') => {
    const files = createMemoryFiles();
    const first = createLedger(files);
    await first.load();
    await first.save(part);
    files.content.set('ledger-0', damage(files.content.get('ledger-0') ?? ''));
    const second = createLedger(files);
    expect(await second.load()).toMatchObject({ code });
    expect([second.known(), second.hash()]).toEqual([false, '']);
    await second.save(part);
    expect([second.known(), second.part()]).toEqual([true, part]);
  });

  test('that no version of is whole is unknown', async () => {
    const files = {
      ...createMemoryFiles(),
      read: () => Promise.reject(new ProblemError(problem('FILE_DAMAGED', 'torn'))),
    };
    const ledger = createLedger(files);
    expect(await ledger.load()).toMatchObject({ code: 'FILE_DAMAGED' });
    expect(ledger.known()).toBe(false);
  });

  test('does not go back, and stays what it was when it cannot be written', async () => {
    const files = createMemoryFiles();
    const ledger = createLedger(files);
    await ledger.load();
    await ledger.save(part);
    for (const gen of [2, 3]) {
      await expect(ledger.save({ ...emptyPart, fence: { epoch: 2, gen, by: 'y' } })).rejects.toThrow(TypeError);
    }
    files.write = () => Promise.reject(new ProblemError(problem('FILE_UNWRITABLE', 'the disk is full')));
    await expect(ledger.save({ ...emptyPart, fence: { epoch: 2, gen: 4, by: 'y' } })).rejects.toThrow('disk is full');
    expect(ledger.part()).toEqual(part);
  });
});
