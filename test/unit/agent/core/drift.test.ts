import { describe, expect, it } from 'vitest';
import type { ActualCopy } from '../../../../agent/core/copy.ts';
import {
  compared,
  type Drift,
  drifted,
  looked,
  overtaken,
  restarted,
  runsAgain,
} from '../../../../agent/core/drift.ts';
import { blankMemory, type CopyMemory, observed, stepDone } from '../../../../agent/core/memory.ts';
import type { Mono } from '../../../../schemas/ports.ts';
import { container } from '../support.ts';

const at = (ms: number) => ms as Mono;
const key = { instance: 'a.default.s.default.instance.0', copy: '1.1', runtime: 'docker' as const };
const copy = (state: ActualCopy['state']): ActualCopy => ({ ...key, digest: 'd', state, handle: 'h', addresses: [] });
const after = (kind: Drift['kind']): CopyMemory => ({
  ...blankMemory,
  runningSince: at(0),
  drift: { kind, ...(kind === 'changed' && { what: 'paused' }), at: at(1_000) },
});

describe('what people did to a copy', () => {
  it.each([
    ['stopped', true],
    ['removed', true],
    ['changed', false],
  ] as const)('%s: a start of ours, or of theirs, mends it: %s', (kind, mends) => {
    const { runningSince: _since, ...memory } = after(kind);
    const start = { kind: 'start' as const, ...key, digest: 'd', run: container('web:1') };
    expect(drifted(stepDone(memory, start, at(2_000))) === undefined).toBe(mends);
    expect(drifted(looked(memory, copy('exited'), copy('running'), at(2_000))) === undefined).toBe(mends);
    expect(drifted(runsAgain(memory)) === undefined).toBe(mends);
  });

  it.each([
    ['stopped', 0],
    ['removed', 0],
    ['changed', 1],
  ] as const)('%s: how many crashes its end is: %i', (kind, crashes) => {
    expect(observed(after(kind), copy('exited'), at(2_000)).crashes).toBe(crashes);
  });

  it('is taken down before it is changed, where that is kept', () => {
    for (const kind of ['stopped', 'removed'] as const) {
      expect(compared(after(kind), ['paused'], at(2_000), true)).toEqual(after(kind));
      expect(drifted(compared(after(kind), ['paused'], at(2_000), false))?.kind).toBe('changed');
    }
    expect(drifted(compared(blankMemory, ['paused'], at(2_000), true))).toEqual({
      kind: 'changed',
      what: 'paused',
      at: 2_000,
    });
  });

  it('is over when something else is wanted of it, but for what was changed', () => {
    for (const kind of ['stopped', 'removed'] as const) {
      expect(overtaken(after(kind))).toMatchObject({ stopAsked: true, drift: { kind, healed: true } });
    }
    expect(overtaken(after('changed'))).toEqual(after('changed'));
    expect(overtaken(blankMemory)).toEqual(blankMemory);
  });

  it('is looked at again after its engine was silent: it may have been changed back', () => {
    const unsure = restarted(after('changed'));
    expect(unsure.drift).toMatchObject({ kind: 'changed', unsure: true });
    expect(compared(unsure, ['paused'], at(2_000), false)).toEqual(after('changed'));
    expect(compared(unsure, [], at(2_000), false).drift?.healed).toBe(true);
  });

  it('is mended when nothing is other than it was, and as old as it is when nothing else is', () => {
    expect(compared(after('changed'), ['paused'], at(2_000), true)).toEqual(after('changed'));
    expect(compared(after('changed'), [], at(2_000), false).drift?.healed).toBe(true);
    expect(compared(after('stopped'), [], at(2_000), false)).toEqual(after('stopped'));
  });
});
