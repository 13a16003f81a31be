import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changePart, emptyPart, normalisePart, type Part, type PartChange } from '../../../schemas/assignment.ts';
import type { Job } from '../../../schemas/messages.ts';
import { compareCopyIds, compareFence, parseCopyId } from '../../../schemas/names.ts';
import type { RunSpec } from '../../../schemas/spec.ts';

const documents: Readonly<Record<string, RunSpec>> = Object.fromEntries(
  ['1:b', '1:a', '1:c'].map((digest) => [digest, { virtualization: 'container', code: digest }]),
);
const job: fc.Arbitrary<Job> = fc.record({
  instance: fc.constantFrom('b.x.y.z.instance.0', 'a.x.y.z.instance.10', 'a.x.y.z.instance.2'),
  copy: fc.constantFrom('1.2', '1.10', '2.1'),
  want: fc.constantFrom('run', 'prepared', 'stopped'),
  digest: fc.constantFrom(...Object.keys(documents)),
  runtime: fc.constant('docker'),
  source: fc.constant({ name: 'main' }),
});
const change: fc.Arbitrary<PartChange> = fc.oneof(
  job.map((one) => ({ kind: 'upsert' as const, job: one, document: documents[one.digest] as RunSpec })),
  job.map(({ instance, copy }) => ({ kind: 'drop' as const, instance, copy })),
);

/** The change, said in full. */
function changed(part: Part, one: PartChange): Part {
  const { instance, copy } = one.kind === 'upsert' ? one.job : one;
  const others = part.jobs.filter((other) => other.instance !== instance || other.copy !== copy);
  if (one.kind === 'drop') return normalisePart({ ...part, jobs: others });
  const all = { ...part.documents, [one.job.digest]: one.document };
  return normalisePart({ fence: part.fence, jobs: [...others, one.job], documents: all });
}

describe('a part', () => {
  it('keeps its normal shape through any change', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
        let part: Part = emptyPart;
        for (const one of changes) {
          const expected = changed(part, one);
          part = changePart(part, one, part.fence);
          expect(JSON.stringify(part)).toBe(JSON.stringify(expected));
        }
      }),
    );
  });
});

describe('ids of copies', () => {
  const number = fc.oneof(
    fc.nat(12).map(String),
    fc.constantFrom('007', '', '-1', '999999999999999', '1234567890123456'),
  );
  const id = fc.oneof(
    fc.tuple(number, number).map((both) => both.join('.')),
    fc.constantFrom('', '.', '7', '1.2.3', 'a.1', '1.b', ' 1.1'),
  );

  it('compare as the pairs that they are, and what is none is older than any', () => {
    const none = { epoch: -1, gen: -1 };
    fc.assert(
      fc.property(id, id, (a, b) => {
        const expected = compareFence(parseCopyId(a) ?? none, parseCopyId(b) ?? none);
        expect(Math.sign(compareCopyIds(a, b))).toBe(Math.sign(expected));
      }),
      { numRuns: 2_000 },
    );
  });
});
