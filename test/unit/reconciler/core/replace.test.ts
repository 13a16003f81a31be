import { describe, expect, it } from 'vitest';
import type { Override, OverrideChange } from '../../../../reconciler/core/deviations.ts';
import { isMember, reseat, reseatOverride, withoutDrain } from '../../../../reconciler/core/replace.ts';
import type { Wall } from '../../../../schemas/ports.ts';

const override = (change: OverrideChange): Override => {
  return { id: 'a', service: 'a.a.b.b', change, actor: 'ann', since: 0 as Wall, base: '' };
};

describe('the place of a node', () => {
  it('is told to whoever takes it, with all that it means', () => {
    const seats = { 0: { to: 'old', keep: true }, 1: { to: 'other' }, 2: { command: 'replicate' } } as const;
    expect(reseat(seats, 'old', 'new')).toEqual({ ...seats, 0: { to: 'new', keep: true } });
    expect(reseat(seats, 'none', 'new')).toBeUndefined();
    expect(reseat(undefined, 'old', 'new')).toBeUndefined();
  });

  it('is that of overrides, too', () => {
    const seat = { to: 'old', command: 'move', origin: 'other' } as const;
    const moved = reseatOverride(override({ kind: 'move', slot: 1, seat }), 'old', 'new');
    expect(moved?.change).toEqual({ kind: 'move', slot: 1, seat: { ...seat, to: 'new' } });
    const scale = { kind: 'scale', slots: [0, 1], counter: 2, seats: { 1: { to: 'old' } } } as const;
    expect(reseatOverride(override(scale), 'old', 'new')?.change).toEqual({ ...scale, seats: { 1: { to: 'new' } } });
    expect(reseatOverride(override({ kind: 'stop' }), 'old', 'new')).toBeUndefined();
    expect(reseatOverride(override({ ...scale, seats: {} }), 'old', 'new')).toBeUndefined();
  });

  it('keeps its cordon, and nothing of what was to move away', () => {
    expect(withoutDrain({ cause: 'by ann', actor: 'ann', drain: { stays: {} } })).toEqual({
      cause: 'by ann',
      actor: 'ann',
    });
  });

  it('is not that of who waits for it, or who is gone', () => {
    const record = { id: 'a', name: 'a', ordinal: 0, serial: 1, joined: 0 as Wall };
    expect(isMember(record)).toBe(true);
    expect(isMember({ ...record, replaces: 'b' })).toBe(false);
    expect(isMember({ ...record, revoked: 1 as Wall })).toBe(false);
  });
});
