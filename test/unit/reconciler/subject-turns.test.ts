import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSubjectTurns } from '../../../reconciler/subject-turns.ts';

describe('work on subjects', () => {
  it('begins in the turn of its caller when nothing else is under way, and its failure is its own', async () => {
    const inTurn = createSubjectTurns();
    let begun = 0;
    const work = async (): Promise<number> => {
      begun += 1;
      if (begun === 1) throw new Error('no');
      return begun;
    };
    const first = inTurn(['a'], work);
    expect(begun).toBe(1);
    const second = inTurn(['a'], work);
    expect(begun).toBe(1);
    await expect(first).rejects.toThrow('no');
    await expect(second).resolves.toBe(2);
    await Promise.resolve();
    const third = inTurn(['a'], work);
    expect(begun).toBe(3);
    await third;
  });

  it('goes one after the other for each subject, in the order in which it was asked for, and beside all else', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd')), fc.nat(3), fc.boolean()), {
          maxLength: 12,
        }),
        async (all) => {
          const inTurn = createSubjectTurns();
          const busy = new Set<string>();
          const order: number[] = [];
          const done = all.map(([subjects, turns, fails], number) =>
            inTurn(subjects, async () => {
              expect(subjects.filter((subject) => busy.has(subject))).toEqual([]);
              for (const subject of subjects) busy.add(subject);
              order.push(number);
              for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
              for (const subject of subjects) busy.delete(subject);
              if (fails) throw new Error('no');
            }).then(
              () => false,
              (error: unknown) => error instanceof Error && error.message === 'no',
            ),
          );
          expect(await Promise.all(done)).toEqual(all.map(([, , fails]) => fails));
          for (const subject of ['a', 'b', 'c', 'd'] as const) {
            const mine = order.filter((number) => all[number]?.[0].includes(subject));
            expect(mine).toEqual([...mine].sort((x, y) => x - y));
          }
        },
      ),
    );
  });
});
