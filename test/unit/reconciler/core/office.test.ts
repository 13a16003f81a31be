import { describe, expect, it } from 'vitest';
import {
  type Claim,
  connected,
  disconnected,
  heard,
  lookFirst,
  mayChange,
  type Next,
  type Office,
  officeBeat,
  openOffice,
  waited,
} from '../../../../reconciler/core/office.ts';
import type { Mono } from '../../../../schemas/ports.ts';

const at = (ms: number): Mono => ms as Mono;
const patience = 3 * officeBeat;
const claim = (change: Partial<Claim> = {}): Claim => ({
  ...{ by: 'other', user: 'reconciler-2', epoch: 4, url: 'http://other', beat: officeBeat },
  ...{ state: 'running', ran: true, session: 1, own: true },
  ...change,
});
const fresh = (held = false): Office => openOffice({ by: 'me', user: 'reconciler', epoch: 4, held });
const candidate = (held = false): Office => connected(fresh(held), at(0)).office;
const running = (): Office => waited(candidate(true), at(lookFirst)).office;
/** As after a cut of its connection. */
const returned = (): Office => connected(disconnected(running()), at(10_000)).office;
const ends = ({ effects }: Next): (string | undefined)[] =>
  effects.map((one) => (one.kind === 'end' ? one.why : undefined));

describe('a candidate', () => {
  it('announces itself, and runs after three beats, not before', () => {
    const { office, effects } = connected(fresh(), at(0));
    expect(effects).toEqual([{ kind: 'announce' }]);
    expect(waited(office, at(patience - 1)).office.phase).toBe('candidate');
    expect(waited(office, at(patience))).toMatchObject({
      office: { phase: 'running', epoch: 4 },
      effects: [{ kind: 'run' }],
    });
    expect([mayChange(office), mayChange(waited(office, at(patience)).office)]).toEqual([false, true]);
  });

  it('runs soon where nobody but its own records held the office', () => {
    expect(waited(candidate(true), at(lookFirst)).office.phase).toBe('running');
    const own = heard(candidate(true), claim({ by: 'before', user: 'reconciler', state: 'gone' }), true, at(1)).office;
    expect(waited(own, at(1)).office.phase).toBe('running');
  });

  it('yields to a running beat for as long as it is heard, then runs above its epoch', () => {
    let next = heard(candidate(), claim({ epoch: 9 }), false, at(1_000));
    expect(next.effects).toMatchObject([{ kind: 'stand_by' }]);
    for (let ms = 6_000; ms < 60_000; ms += officeBeat) {
      next = heard(next.office, claim({ epoch: 9 }), false, at(ms));
      expect(next.effects).toEqual([]);
      expect(waited(next.office, at(ms + officeBeat)).office.phase).toBe('candidate');
    }
    expect(waited(next.office, at(56_000 + patience))).toMatchObject({ office: { phase: 'running', epoch: 10 } });
  });

  it('waits for the whole time when the row is by somebody else, whatever its records remember', () => {
    for (const state of ['running', 'gone'] as const) {
      const { office } = heard(candidate(true), claim({ state }), true, at(500));
      expect(waited(office, at(lookFirst)).office.phase).toBe('candidate');
      expect(waited(office, at(500 + patience)).office).toMatchObject({ phase: 'running', epoch: 5 });
    }
  });

  it('yields to a candidate with a smaller by, and to no greater one', () => {
    const state = 'candidate';
    const yielded = heard(candidate(), claim({ by: 'a', state }), false, at(9_000)).office;
    expect(waited(yielded, at(patience)).office.phase).toBe('candidate');
    const stays = heard(candidate(), claim({ by: 'z', state }), false, at(9_000)).office;
    expect(waited(stays, at(patience)).office.phase).toBe('running');
    const held = heard(candidate(true), claim({ by: 'a', state }), false, at(500)).office;
    expect(waited(held, at(lookFirst)).office.phase).toBe('running');
  });

  it('refuses where a reconciler with another key runs, and is not moved by what one left', () => {
    expect(ends(heard(candidate(), claim({ own: false }), false, at(1)))).toEqual(['key']);
    const { office } = heard(candidate(), claim({ own: false, epoch: 99 }), true, at(1));
    expect(waited(office, at(1 + patience)).office).toMatchObject({ phase: 'running', epoch: 4 });
  });

  it('refuses where another process takes turns with it under its own user name', () => {
    const twin = claim({ user: 'reconciler', state: 'gone' });
    const first = heard(candidate(), twin, true, at(1)).office;
    const again = connected(disconnected(first), at(1_000)).office;
    expect(heard(again, twin, true, at(1_001)).effects).toEqual([]);
    expect(ends(heard(again, { ...twin, session: 2 }, true, at(1_001)))).toEqual(['user']);
    expect(ends(heard(again, { ...twin, by: 'third' }, true, at(1_001)))).toEqual(['user']);
  });
});

describe('who runs', () => {
  it('answers candidates at once, and puts its row back after those who go', () => {
    for (const state of ['candidate', 'gone'] as const)
      expect(heard(running(), claim({ state }), false, at(2_000)).effects.map(({ kind }) => kind)).toEqual([
        'announce',
        'heard',
      ]);
  });

  it('ends when another one runs with a higher pair, and otherwise lets the other one know', () => {
    for (const [change, why] of [
      [{ epoch: 5 }, ['running']],
      [{ epoch: 4, by: 'a' }, ['running']],
      [{ epoch: 4, by: 'z' }, [undefined, undefined]],
      [{ epoch: 3, by: 'a' }, [undefined, undefined]],
      // Two keys: nobody can judge.
      [{ epoch: 5, own: false }, [undefined]],
    ] as const)
      expect(ends(heard(running(), claim(change), false, at(2_000)))).toEqual(why);
    const ended = heard(running(), claim({ epoch: 5 }), false, at(2_000)).office;
    expect([ended.phase, mayChange(ended), connected(ended, at(9_000)).office.phase]).toEqual([
      'ended',
      false,
      'ended',
    ]);
  });

  it('goes on soon after a cut, unless another one took over: then it ends when that one speaks', () => {
    expect(waited(returned(), at(10_000 + lookFirst)).office).toMatchObject({ phase: 'running', epoch: 4 });
    const own = heard(returned(), claim({ by: 'me', user: 'reconciler', state: 'gone' }), true, at(10_010)).office;
    expect(waited(own, at(10_010)).office.phase).toBe('running');

    const taken = heard(returned(), claim({ epoch: 5 }), true, at(10_010)).office;
    expect(waited(taken, at(10_000 + lookFirst)).office.phase).toBe('candidate');
    expect(mayChange(taken)).toBe(false);
    expect(ends(heard(taken, claim({ epoch: 5 }), false, at(12_000)))).toEqual(['running']);
    // It left only its row: the office is free again, and nothing may be below what it said.
    expect(waited(taken, at(10_010 + patience)).office).toMatchObject({ phase: 'running', epoch: 6 });
    // One that is below hears us at once, and ends.
    expect(waited(heard(taken, claim({ epoch: 3 }), false, at(12_000)).office, at(12_000)).office.phase).toBe(
      'running',
    );
  });

  it('takes the connection back from a process with its user name, unless that one ran later', () => {
    const twin = claim({ user: 'reconciler', state: 'gone', ran: false, epoch: 5 });
    const back = heard(returned(), twin, true, at(10_010)).office;
    expect(waited(back, at(10_010)).office.phase).toBe('running');
    expect(ends(heard(returned(), { ...twin, ran: true }, true, at(10_010)))).toEqual(['user']);
    expect(ends(heard(returned(), { ...twin, ran: true, epoch: 3 }, true, at(10_010)))).toEqual([]);
  });
});
