import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { acceptPlain } from '../../../../agent/core/plain.ts';
import { emptyPart, isWhole, type Part } from '../../../../schemas/assignment.ts';
import type { PlainControl } from '../../../../schemas/seed.ts';

const self = { id: '17', name: 'plant', cluster: 'home' };
const image = 'oakctl/test:1';
const control = (
  command: PlainControl['command'],
  name: string,
  more: object = {},
  beside: object = {},
): PlainControl => ({
  command,
  job: { id: 1, name, ...more },
  ...beside,
});
const slot = (n: number, name = 'hello') => `${name}.default.${name}.default.instance.${n}`;

/** The part after these controls; fails at the first that is refused. */
function after(...controls: readonly PlainControl[]): Part {
  return controls.reduce((part, one) => {
    const verdict = acceptPlain(part, one, self);
    if (typeof verdict === 'string') throw new Error(verdict);
    return verdict.kind === 'applied' ? verdict.part : part;
  }, emptyPart);
}
/** The number behind is that of the control. */
const jobsOf = (part: Part) =>
  part.jobs.map(({ instance, copy, digest }) => `${instance} ${copy.split('.')[1]} ${part.documents[digest]?.code}`);

describe('a plain control', () => {
  test('deploys under a bare name, and under the name of an instance', () => {
    const part = after(
      control('deploy', 'hello', { image }),
      control('deploy', slot(3, 'web'), { image, port: '8080:80' }),
    );
    expect(jobsOf(part)).toEqual([`${slot(0)} 1 ${image}`, `${slot(3, 'web')} 2 ${image}`]);
    expect(Object.values(part.documents)).toContainEqual(
      expect.objectContaining({ code: image, ports: [{ host: 8080, container: 80, protocol: 'tcp' }] }),
    );
    expect(isWhole(part)).toBe(true);
  });

  test('that is said again changes nothing, and one with another image replaces', () => {
    const part = after(control('deploy', 'hello', { image }));
    expect(acceptPlain(part, control('deploy', 'hello', { image }), self)).toEqual({ kind: 'acknowledged' });
    expect(acceptPlain(part, control('deploy', 'hello'), self)).toEqual({ kind: 'acknowledged' });
    const next = after(control('deploy', 'hello', { image }), control('deploy', 'hello', { image: 'oakctl/test:2' }));
    expect(jobsOf(next)).toEqual([`${slot(0)} 2 oakctl/test:2`]);
  });

  test('replicates what is here, or what comes with an image; an instance by its name only once', () => {
    const part = after(
      control('deploy', 'hello', { image }),
      control('replicate', 'hello'),
      control('replicate', 'hello'),
    );
    expect(jobsOf(part).map((job) => job.split(' ')[0])).toEqual([slot(0), slot(1), slot(2)]);
    const named = control('replicate', slot(7), { from: slot(0), image });
    expect(jobsOf(after(named, named))).toEqual([`${slot(7)} 1 ${image}`]);
    expect(acceptPlain(emptyPart, control('replicate', 'hello'), self)).toContain('no image');
  });

  test('moves away what is here when it names another worker, and here what names this one', () => {
    const part = after(control('deploy', slot(0), { image }));
    const away = acceptPlain(part, control('move', slot(0), { image }, { worker: 'other' }), self);
    expect(away).toMatchObject({ kind: 'applied', part: { jobs: [], documents: {} } });
    const here = acceptPlain(emptyPart, control('move', slot(0), { image }, { worker: 'plant' }), self);
    expect(here).toMatchObject({ kind: 'applied', part: { jobs: [{ instance: slot(0) }] } });
    expect(acceptPlain(part, control('move', slot(0)), self)).toContain('where');
  });

  test('deletes one instance, or all of a name; and what is not here without a word', () => {
    const part = after(control('deploy', 'hello', { image }), control('replicate', 'hello'));
    expect(
      jobsOf(after(control('deploy', 'hello', { image }), control('replicate', 'hello'), control('delete', slot(0)))),
    ).toEqual([`${slot(1)} 2 ${image}`]);
    expect(acceptPlain(part, control('delete', 'hello'), self)).toMatchObject({ kind: 'applied', part: { jobs: [] } });
    expect(acceptPlain(part, control('delete', 'other'), self)).toEqual({ kind: 'acknowledged' });
  });

  test.each([
    ['another worker', control('deploy', 'hello', { image }, { worker: 'other' }), 'worker other'],
    ['another cluster', control('deploy', 'hello', { image }, { cluster: 'away' }), 'cluster away'],
    ['no image', control('deploy', 'hello'), 'no image'],
    ['a path for a name', control('deploy', '../../etc', { image }), 'no name'],
    ['a path in a full name', control('deploy', 'a/b.c.d.e.instance.0', { image }), 'no name'],
    ['an unikernel', control('deploy', 'hello', { image, technology: 'unikernel' }), 'unikernel'],
    ['a port that is none', control('deploy', 'hello', { image, port: 'x' }), 'port'],
  ])('is refused: %s', (_what, one, why) => {
    expect(acceptPlain(emptyPart, one, self)).toContain(why);
  });

  test('names copies as no other node does, for nodes may share an engine', () => {
    const copyOn = (id: string): string | undefined => {
      const verdict = acceptPlain(emptyPart, control('deploy', 'hello', { image }), { ...self, id });
      return typeof verdict !== 'string' && verdict.kind === 'applied' ? verdict.part.jobs[0]?.copy : undefined;
    };
    const copies = ['17', '18', 'aefa7853cc2814d0'].map(copyOn);
    expect(new Set(copies).size).toBe(3);
    for (const copy of copies) expect(copy).toMatch(/^[1-9][0-9]{3,9}\.1$/);
  });

  test('cannot fill the disk', () => {
    const one = after(control('deploy', 'hello', { image }));
    const jobs = one.jobs.flatMap((job) => Array.from({ length: 1_000 }, (_, n) => ({ ...job, instance: slot(n) })));
    const full = { ...one, jobs };
    expect(acceptPlain(full, control('replicate', 'hello'), self)).toContain('1000 jobs');
    expect(acceptPlain(full, control('delete', slot(7)), self)).toMatchObject({ kind: 'applied' });
  });

  test('leaves a whole ledger of a later pair, whatever comes', () => {
    const name = fc.constantFrom('hello', 'web', slot(0), slot(1), slot(0, 'web'), 'x y', 'a.b', 'a.b.c.d');
    const one = fc.record(
      {
        command: fc.constantFrom('deploy', 'delete', 'move', 'replicate'),
        job: fc.record(
          {
            name,
            image: fc.constantFrom(image, 'oakctl/test:2', ':', ''),
            from: name,
            port: fc.constantFrom('80', '-', 80),
          },
          { requiredKeys: ['name'] },
        ),
        worker: fc.constantFrom('17', 'plant', 'other'),
        cluster: fc.constantFrom('home', 'away'),
      },
      { requiredKeys: ['command', 'job'] },
    ) as fc.Arbitrary<PlainControl>;
    fc.assert(
      fc.property(fc.array(one, { maxLength: 12 }), (controls) => {
        let part = emptyPart;
        for (const next of controls) {
          const verdict = acceptPlain(part, next, self);
          if (typeof verdict === 'string' || verdict.kind !== 'applied') continue;
          const copies = verdict.part.jobs.map(({ instance }) => instance);
          expect(new Set(copies).size).toBe(copies.length);
          expect(isWhole(verdict.part)).toBe(true);
          expect(verdict.part.fence.gen).toBe(part.fence.gen + 1);
          part = verdict.part;
          const numberless = next.command === 'replicate' && !next.job.name.includes('.instance.');
          if (!numberless) expect(acceptPlain(part, next, self)).toEqual({ kind: 'acknowledged' });
        }
      }),
      { numRuns: 300 },
    );
  });
});
