import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, digestOf, withoutEmpty } from '../../../schemas/digest.ts';
import type { RunSpec } from '../../../schemas/spec.ts';

/** The same value with the keys of every object in another order. */
function shuffled(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shuffled);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).reverse();
  return Object.fromEntries(members.map(([key, member]) => [key, shuffled(member)]));
}

describe('canonical JSON (RFC 8785)', () => {
  it('prints the examples of the RFC', () => {
    const input = {
      numbers: [333333333.3333333, 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
      string: '\u20ac$\u000F\u000aA\'\u0042\u0022\u005c\\"/',
      literals: [null, true, false],
    };
    expect(canonicalJson(input)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
    const keys = { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\ud83d\ude00': 5, '\u0080': 6, '\u00f6': 7 };
    expect(canonicalJson(keys)).toBe('{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"\ud83d\ude00":5,"\ufb33":3}');
    expect(canonicalJson([-0, 1e21, 123456789012345680000])).toBe('[0,1e+21,123456789012345680000]');
  });

  it('does not know the order of keys, and reads back', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const json = JSON.parse(JSON.stringify(value));
        expect(canonicalJson(shuffled(json))).toBe(canonicalJson(json));
        expect(JSON.parse(canonicalJson(json))).toEqual(json);
      }),
    );
  });

  it('refuses what JSON cannot say', () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, '\ud800', () => 1, 1n, undefined]) {
      expect(() => canonicalJson(value)).toThrow(TypeError);
    }
  });
});

const amount = fc.option(fc.constantFrom(0, 1, 64), { nil: undefined });
const runs: fc.Arbitrary<RunSpec> = fc
  .record({
    virtualization: fc.constantFrom('container' as const, 'process' as const),
    code: fc.string({ minLength: 1 }),
    cmd: fc.option(fc.array(fc.string(), { maxLength: 3 }), { nil: undefined }),
    environment: fc.option(fc.array(fc.string(), { maxLength: 3 }), { nil: undefined }),
    memory: amount,
    vcpus: amount,
    limits: fc.option(fc.record({ memory: amount, vcpus: amount }), { nil: undefined }),
    restart: fc.constantFrom(undefined, 'always' as const, 'never' as const),
    one_shot: fc.constantFrom(undefined, true, false),
    stop_grace: fc.option(fc.integer({ min: 0, max: 9 }), { nil: undefined }),
  })
  .map((run) => run as RunSpec);

describe('digests', () => {
  it('do not know the order of keys, nor what is absent or empty', () => {
    fc.assert(
      fc.property(runs, (run) => {
        const digest = digestOf(run);
        expect(digest).toMatch(/^1:[0-9a-f]{64}$/);
        expect(digestOf(shuffled(run) as RunSpec)).toBe(digest);
        expect(digestOf(withoutEmpty(run))).toBe(digest);
        expect(digestOf(JSON.parse(JSON.stringify(run)))).toBe(digest);
        const noise = { cmd: [], environment: [], ports: [], memory: 0, vcpus: 0, limits: { memory: 0 } };
        const written = Object.entries(run).filter(([, value]) => value !== undefined);
        expect(digestOf({ ...noise, ...Object.fromEntries(written) } as unknown as RunSpec)).toBe(digest);
      }),
    );
  });

  it('differ when anything that a runtime needs differs', () => {
    fc.assert(
      fc.property(runs, runs, (a, b) => {
        const same = canonicalJson(withoutEmpty(a)) === canonicalJson(withoutEmpty(b));
        expect(digestOf(a) === digestOf(b)).toBe(same);
      }),
    );
    const run: RunSpec = { virtualization: 'container', code: 'a' };
    const others: readonly RunSpec[] = [
      { ...run, code: 'b' },
      { ...run, virtualization: 'process' },
      { ...run, cmd: ['a', 'b'] },
      { ...run, cmd: ['b', 'a'] },
      { ...run, restart: 'always' },
      { ...run, one_shot: false },
      { ...run, stop_grace: 0 },
      { ...run, memory: 1 },
      { ...run, limits: { memory: 1 } },
    ];
    expect(new Set([run, ...others].map(digestOf)).size).toBe(others.length + 1);
  });

  it('do not depend on the prototype', () => {
    const bare: RunSpec = Object.assign(Object.create(null), { virtualization: 'container', code: 'a' });
    expect(digestOf(bare)).toBe(digestOf({ virtualization: 'container', code: 'a' }));
  });
});
