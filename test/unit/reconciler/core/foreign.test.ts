import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Foreign, judgeForeign } from '../../../../reconciler/core/rivals.ts';
import { eraOf, nextEra } from '../../../../schemas/endpoints.ts';

const own = { epoch: 7, by: 'us' };
const them = (epoch: number, by = 'them') => ({ epoch, by });
const judge = (found: Partial<Foreign>) => judgeForeign({ own, said: them(9), met: false, believed: false, ...found });

describe('a foreign pair', () => {
  it('that is below ours, or of this process, is none', () => {
    expect(judge({ said: them(6), shown: them(6) })).toEqual({ kind: 'ours' });
    expect(judge({ said: them(99, 'us') })).toEqual({ kind: 'ours' });
  });

  it('leads above it with a proof, once for each process; again above us, that one is alive', () => {
    expect(judge({ shown: them(9) })).toEqual({ kind: 'raise', to: 10, proven: true });
    expect(judge({ said: them(7), shown: them(7) })).toEqual({ kind: 'raise', to: 8, proven: true });
    // What it was told last is not in its ledger yet.
    expect(judge({ shown: them(12) })).toEqual({ kind: 'raise', to: 13, proven: true });
    expect(judge({ said: them(90_000), shown: them(90_000), believed: true })).toMatchObject({ to: 90_001 });
    expect(judge({ shown: them(9), met: true })).toEqual({ kind: 'rival', by: them(9) });
  });

  it('leads on without a proof once for each node, by a bounded step', () => {
    for (const shown of [undefined, them(8), them(9, 'another'), own]) {
      expect(judge({ shown })).toEqual({ kind: 'raise', to: 10, proven: false });
      expect(judge({ shown, met: true })).toEqual({ kind: 'raise', to: 10, proven: false });
      expect(judge({ shown, believed: true })).toEqual({ kind: 'unproven' });
    }
    expect(judge({ said: them(1_007) })).toMatchObject({ to: 1_008 });
    expect(judge({ said: them(1_008) })).toEqual({ kind: 'unproven' });
  });

  it('of a later era ends us with a proof, whatever is said beside it, and is out of reach without one', () => {
    const later = them(nextEra(7) + 2);
    expect(judge({ said: later, shown: later })).toEqual({ kind: 'replaced', by: later });
    expect(judge({ said: own, shown: later })).toEqual({ kind: 'replaced', by: later });
    expect(judge({ said: later })).toEqual({ kind: 'out_of_reach' });
    // Above it an era would begin.
    const last = them(nextEra(7) - 1);
    expect(judge({ said: last, shown: last })).toEqual({ kind: 'out_of_reach' });
  });

  it('ends nobody and moves little, whatever a node says that has nothing to show', () => {
    const pair = fc.record({ epoch: fc.nat(3_000_000), by: fc.constantFrom('us', 'them', 'another') });
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 50 }), fc.nat(2_000_000), (said, from) => {
        let now = { epoch: from, by: 'us' };
        let believed = false;
        for (const one of said) {
          const verdict = judgeForeign({ own: now, said: one, met: false, believed });
          expect(['ours', 'raise', 'unproven', 'out_of_reach']).toContain(verdict.kind);
          if (verdict.kind !== 'raise') continue;
          expect(verdict.proven).toBe(false);
          believed = true;
          now = { ...now, epoch: verdict.to };
        }
        expect(now.epoch - from).toBeLessThanOrEqual(1_001);
        expect(eraOf(now.epoch)).toBe(eraOf(from));
      }),
    );
  });
});
