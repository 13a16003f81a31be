import { describe, expect, it } from 'vitest';
import type { Rollout } from '../../../../reconciler/core/model.ts';
import {
  ended,
  lastGood,
  mostRevisions,
  type Revision,
  rejectedHold,
  remembered,
  told,
} from '../../../../reconciler/core/revisions.ts';
import type { Wall } from '../../../../schemas/ports.ts';
import { aService, wanted } from '../../../support/builders.ts';

const at = (wall: number): Wall => wall as Wall;
const web = 'shop.default.web.default';
const revision = (commit: string, more: Partial<Revision> = {}): Revision => ({
  commit,
  author: 'Ann',
  title: 'a change',
  at: at(10),
  changes: { added: 1, changed: 0, removed: 0 },
  services: [web],
  ...more,
});

describe('the memory of revisions', () => {
  it('is bounded, newest first, and ends what a newer one overtakes', () => {
    let history: readonly Revision[] = [];
    for (let i = 0; i < mostRevisions + 5; i += 1) history = remembered(history, revision(`c${i}`, { at: at(i) }));
    expect(history).toHaveLength(mostRevisions);
    expect(history[0]).toMatchObject({ commit: `c${mostRevisions + 4}` });
    expect(history[0]?.outcome).toBeUndefined();
    expect(history[1]).toMatchObject({ outcome: 'superseded', ended: mostRevisions + 4 });
  });

  it('keeps the outcome that one had before it was overtaken', () => {
    const [, before] = remembered([revision('a', { outcome: 'failed', reason: 'r' })], revision('b'));
    expect(before).toMatchObject({ outcome: 'failed', reason: 'r' });
  });

  describe('learns the outcome by the rollouts of its services', () => {
    const desired = wanted(aService({ name: web }));
    const view = { desired: new Map([[web, desired]]) };
    const { digest } = desired.spec;
    const outcome = (rollout: Pick<Rollout, 'digest' | 'phase'> & Partial<Rollout>) =>
      told(revision('a'), view, { [web]: { started: at(10), ...rollout } }, at(99));

    it.each([
      ['settled', { digest, phase: 'settled', ended: at(20) }, { outcome: 'settled', ended: 20 }],
      ['failed', { digest, phase: 'failed', ended: at(20), reason: 'x' }, { outcome: 'failed', reason: `${web}: x` }],
      ['rolled back', { digest, phase: 'rolled_back' }, { outcome: 'failed', ended: 99 }],
    ] as const)('%s', (_name, rollout, expected) => {
      expect(outcome(rollout)).toMatchObject(expected);
    });

    it.each([
      ['under way', { digest, phase: 'progressing' }],
      ['paused', { digest, phase: 'paused' }],
      ['not begun', { digest: 'another', phase: 'settled' }],
    ] as const)('%s: none yet', (_name, rollout) => {
      expect(outcome(rollout).outcome).toBeUndefined();
    });

    it('nothing to roll out: settled', () => {
      expect(told(revision('a', { services: [] }), view, {}, at(99))).toMatchObject({ outcome: 'settled', ended: 10 });
    });

    it('a service that left since says nothing', () => {
      expect(told(revision('a'), { desired: new Map() }, {}, at(99)).outcome).toBe('settled');
    });
  });

  it('keeps few names once the outcome is known', () => {
    const names = Array.from({ length: 50 }, (_, i) => `s${i}`);
    expect(ended(revision('a', { services: names }), 'settled', at(1)).services).toHaveLength(10);
  });

  it('rejects a head that failed or was gone back from, until somebody wants it again', () => {
    const failed = revision('a'.repeat(40), { outcome: 'failed', reason: 'web: no image' });
    const hold = rejectedHold('fleet', [failed], failed.commit);
    expect(hold).toMatchObject({ code: 'REVISION_REJECTED', commit: failed.commit, subject: 'source/fleet' });
    expect(hold?.message).toContain('web: no image');
    expect(rejectedHold('fleet', [{ ...failed, outcome: 'rolled_back' }], failed.commit)).toBeDefined();
    expect(rejectedHold('fleet', [{ ...failed, again: true }], failed.commit)).toBeUndefined();
    expect(rejectedHold('fleet', [{ ...failed, outcome: 'settled' }, failed], failed.commit)).toBeUndefined();
    expect(rejectedHold('fleet', [failed], 'b'.repeat(40))).toBeUndefined();
  });

  it('goes back to the last one before that was well', () => {
    const history = [
      revision('d', { outcome: 'failed' }),
      revision('c', { outcome: 'superseded' }),
      revision('b', { outcome: 'settled' }),
      revision('a', { outcome: 'settled' }),
    ];
    expect(lastGood(history, 'd')?.commit).toBe('b');
    expect(lastGood(history, 'b')?.commit).toBe('a');
    expect(lastGood(history, 'a')).toBeUndefined();
  });
});
