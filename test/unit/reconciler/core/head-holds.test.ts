import { describe, expect, it } from 'vitest';
import {
  type HeadQuestion,
  historyHold,
  isEmpty,
  signatureHold,
  strictHold,
} from '../../../../reconciler/core/head-holds.ts';
import { problem } from '../../../../schemas/problem.ts';

const a = 'a'.repeat(40);
const b = 'b'.repeat(40);
const main = { url: 'https://git.example.org/fleet.git', branch: 'main' };
const asked = (more: Partial<HeadQuestion>): HeadQuestion => ({
  source: 'fleet',
  head: b,
  followed: main,
  accepted: { commit: a, followed: main },
  descends: false,
  ...more,
});

describe('historyHold', () => {
  it.each<[string, Partial<HeadQuestion>]>([
    ['goes on from what was accepted', { descends: true }],
    ['is the one that was accepted', { head: a }],
    ['was named as a commit in cluster.yaml', { followed: { ...main, branch: b } }],
  ])('passes a head that %s', (_name, more) => {
    expect(historyHold(asked(more))).toBeUndefined();
  });

  it('passes the first head of all', () => {
    const { accepted: _none, ...first } = asked({ descends: undefined });
    expect(historyHold(first)).toBeUndefined();
  });

  it('holds what does not go on from it, with both commits and how to go on', () => {
    const hold = historyHold(asked({}));
    expect(hold).toMatchObject({ code: 'HISTORY_REWRITTEN', subject: 'source/fleet', commit: b });
    expect(hold?.message).toContain(a.slice(0, 10));
    expect(hold?.message).toContain(b.slice(0, 10));
    expect(hold?.hint).toContain(`oakctl approve ${hold?.id}`);
  });

  it('asks, and never guesses, when that cannot be told', () => {
    expect(historyHold(asked({ descends: undefined }))).toMatchObject({ code: 'HISTORY_UNKNOWN', commit: b });
  });

  it('says that cluster.yaml follows something else now', () => {
    const hold = historyHold(asked({ followed: { ...main, branch: 'release' } }));
    expect(hold?.message).toContain('cluster.yaml says branch release instead of main');
    expect(hold?.message).not.toContain('rewritten');
  });

  it('holds a commit id that another record names already: nobody named it anew', () => {
    const named = { ...main, branch: b };
    expect(historyHold(asked({ accepted: { commit: a, followed: named }, followed: named }))).toBeDefined();
    expect(historyHold(asked({ accepted: { commit: a }, followed: named }))).toBeDefined();
  });

  it('gives each pair of commits an id of its own', () => {
    const ids = [asked({}), asked({ head: 'c'.repeat(40) }), asked({ accepted: { commit: 'd'.repeat(40) } })];
    expect(new Set(ids.map((one) => historyHold(one)?.id)).size).toBe(3);
  });
});

it('a record is empty while no service is in force', () => {
  const nodes = { 'nodes.yaml': { blob: b, services: [] } };
  expect(isEmpty({ files: {} })).toBe(true);
  expect(isEmpty({ files: nodes })).toBe(true);
  expect(isEmpty({ files: { ...nodes, 'app.yaml': { blob: a, services: ['x.default.web.default'] } } })).toBe(false);
});

describe('a strict source', () => {
  const snapshot = { source: 'main', commit: 'a'.repeat(40), complete: true, problems: [] };
  const bad = (file: string, severity?: 'warning') => ({
    ...problem('YAML_INVALID', 'm', { file }),
    ...(severity && { severity }),
  });

  it('lets a commit pass that is whole', () => {
    expect(strictHold(snapshot, [])).toBeUndefined();
    expect(strictHold({ ...snapshot, problems: [bad('a.yaml', 'warning')] }, [])).toBeUndefined();
  });

  it('holds it for any file that cannot be read, and names a few', () => {
    const problems = ['d.yaml', 'a.yaml', 'b.yaml', 'c.yaml', 'a.yaml'].map((file) => bad(file));
    expect(strictHold({ ...snapshot, complete: false, problems }, [])).toMatchObject({
      code: 'SOURCE_STRICT',
      subject: 'source/main',
      message: `nothing of ${'a'.repeat(10)} is carried out: a.yaml, b.yaml, c.yaml and 1 more cannot be read, and the source is strict`,
    });
  });

  it('holds it for any change that waits, with what frees that', () => {
    const held = [
      { code: 'REMOVAL_GUARD', subject: 'source/main', message: 'm', id: 'ab', hint: 'oakctl approve ab' },
    ] as const;
    expect(strictHold(snapshot, held)).toMatchObject({ hint: 'oakctl approve ab' });
  });
});

describe('signatures', () => {
  it('let a head pass that is signed, and nothing of which that cannot be told', () => {
    expect(signatureHold('fleet', a, [])).toBeUndefined();
    expect(signatureHold('fleet', a, [a])).toMatchObject({
      code: 'COMMIT_UNSIGNED',
      commit: a,
      message: `${a.slice(0, 10)} is not signed by an allowed signer`,
    });
    expect(signatureHold('fleet', a, [a, b])?.message).toContain('are not signed');
    expect(signatureHold('fleet', a, undefined)?.message).toContain('cannot be told');
  });

  it('are asked of each head anew', () => {
    expect(signatureHold('fleet', a, [a])?.id).not.toBe(signatureHold('fleet', b, [a])?.id);
    expect(signatureHold('fleet', a, [a])?.id).not.toBe(signatureHold('other', a, [a])?.id);
  });
});
