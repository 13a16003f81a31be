import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Node } from '../../../../reconciler/core/model.ts';
import { presenceOf } from '../../../../reconciler/core/presence.ts';
import { createSigns, massLoss, noteSigns, silence } from '../../../../reconciler/core/signs.ts';
import { emptyPart } from '../../../../schemas/assignment.ts';
import type { Wall } from '../../../../schemas/ports.ts';
import { aNodeRecord, aPolicy, at, information } from '../../../support/builders.ts';

const policy = aPolicy();

function node(changes: Partial<Node> = {}): Node {
  return {
    record: aNodeRecord(1),
    aliases: [],
    part: emptyPart,
    adopted: true,
    information: information(1, 1),
    heard: at(0).mono,
    ...changes,
  };
}

describe('presence', () => {
  it('is online for two beats and a half, suspect until lost_after, then lost', () => {
    const states = [0, 12_499, 12_500, 14_999, 15_000].map((ms) => presenceOf(node(), policy, at(ms)).state);
    expect(states).toEqual(['online', 'online', 'suspect', 'suspect', 'lost']);
  });

  it('says when silence would change it', () => {
    expect(presenceOf(node(), policy, at(0)).changesAt).toBe(at(12_500).mono);
    expect(presenceOf(node(), policy, at(13_000)).changesAt).toBe(at(15_000).mono);
    expect(presenceOf(node(), policy, at(99_000))).toEqual({ state: 'lost' });
  });

  it('is suspect at once after a will, and lost no sooner for it', () => {
    const gone = node({ gone: { at: at(100).mono } });
    expect(presenceOf(gone, policy, at(100))).toEqual({ state: 'suspect', changesAt: at(15_000).mono });
  });

  it('is never lost before the grace ends', () => {
    const graceful = aPolicy({ graceUntil: at(60_000).mono });
    expect(presenceOf(node(), graceful, at(59_999)).state).toBe('suspect');
    expect(presenceOf(node(), graceful, at(60_000)).state).toBe('lost');
  });

  it('goes by the class of its pool, else by that of the cluster', () => {
    const pooled = aPolicy({ pools: { press: { class: 'fast' }, odd: {} } });
    const listed = (pool: string): Node =>
      node({ listing: { name: 'pi1', labels: {}, pool }, gone: { at: at(0).mono } });
    expect(presenceOf(listed('press'), pooled, at(2_000)).state).toBe('lost');
    for (const pool of ['odd', 'unknown', 'toString']) {
      expect(presenceOf(listed(pool), pooled, at(14_999)).state).toBe('suspect');
    }
  });

  it('of a node never heard is suspect until it joined lost_after ago', () => {
    const { heard: _heard, ...fresh } = node();
    expect(presenceOf(fresh, policy, at(14_999)).state).toBe('suspect');
    expect(presenceOf(fresh, policy, at(15_000)).state).toBe('lost');
  });

  it('of a node never heard does not begin anew when the wall clock goes back', () => {
    const { heard: _heard, ...fresh } = node();
    const graceful = aPolicy({ graceUntil: at(20_000).mono });
    const later = (ms: number, jump: number) => ({ ...at(ms), wall: (at(ms).wall + jump) as Wall });
    expect(presenceOf(fresh, graceful, later(19_999, -86_400_000)).state).toBe('suspect');
    expect(presenceOf(fresh, graceful, later(20_000, -86_400_000)).state).toBe('lost');
  });
});

describe('mass loss', () => {
  const nodes = (silent: number, online: number) => {
    const all = [...Array(silent).fill(at(0).mono), ...Array(online).fill(at(50_000).mono)];
    const view = { nodes: new Map(all.map((heard, n) => [`node${n}`, node({ heard })])), signs: createSigns() };
    for (const id of view.nodes.keys()) noteSigns(view, id);
    return view;
  };
  it.each([
    [1, 1, false],
    [2, 0, false],
    [1, 2, false],
    [2, 1, true],
    [2, 2, false],
    [3, 2, true],
  ])('%i silent and %i online: %s', (silent, online, expected) => {
    expect(massLoss(nodes(silent, online), policy, at(50_000))).toBe(expected);
  });

  it('counts what a look at all nodes counts, at any moment and whatever is heard', () => {
    const life = fc.record({
      id: fc.integer({ min: 1, max: 9 }).map((n) => `node${n}`),
      heard: fc.option(fc.nat(30_000), { nil: undefined }),
      gone: fc.option(fc.nat(30_000), { nil: undefined }),
      beat: fc.constantFrom(500, 5_000),
      isForgotten: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(life, { maxLength: 60 }), fc.array(fc.nat(60_000), { minLength: 1 }), (lives, moments) => {
        const view = { nodes: new Map<string, Node>(), signs: createSigns() };
        for (const { id, heard, gone, beat, isForgotten } of lives) {
          const { heard: _heard, ...base } = node({ information: information(1, 1, { beat }) });
          const sign = heard === undefined ? {} : { heard: at(heard).mono };
          if (isForgotten) view.nodes.delete(id);
          else view.nodes.set(id, { ...base, ...sign, ...(gone === undefined ? {} : { gone: { at: at(gone).mono } }) });
          noteSigns(view, id);
        }
        for (const ms of moments) {
          const online = [...view.nodes.values()].filter((one) => presenceOf(one, policy, at(ms)).state === 'online');
          expect(silence(view, at(ms))).toEqual({ silent: view.nodes.size - online.length, known: view.nodes.size });
        }
      }),
    );
  });
});
