import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { digestForm, digestOf } from '../../schemas/digest.ts';
import type { RunSpec } from '../../schemas/spec.ts';

interface Golden {
  readonly name: string;
  readonly run: RunSpec;
  readonly canonical: string;
  readonly digest: string;
}

const golden: readonly Golden[] = JSON.parse(readFileSync(new URL('digest.golden.json', import.meta.url), 'utf8'));

/** A digest that changes restarts every copy of every fleet. Add entries; never change one. */
describe('golden digests', () => {
  it('are there', () => expect(golden.length).toBeGreaterThanOrEqual(12));

  it.each(golden.map((one) => [one.name, one] as const))('%s', (_, { run, canonical, digest }) => {
    expect(digestForm(run)).toBe(canonical);
    expect(digestOf(run)).toBe(digest);
  });
});
