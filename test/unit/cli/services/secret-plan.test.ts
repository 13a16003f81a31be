import { describe, expect, it } from 'vitest';
import { accessOf, isReader, namesOf, type ReaderNode } from '../../../../cli/services/secret-access.ts';
import { planSecret } from '../../../../cli/services/secret-plan.ts';
import { leavesOfReaders, type Readers, readersOf } from '../../../../schemas/secret-readers.ts';
import type { SopsLeaf } from '../../../../schemas/sops.ts';

const node = (name: string, more: Partial<ReaderNode> = {}): ReaderNode => {
  return { name, state: 'online', labels: {}, recipient: `age1${name}`, ...more };
};
const nodes = [
  node('a', { labels: { zone: 'hall' } }),
  node('b', { state: 'lost' }),
  node('old', { recipient: undefined as never }),
  node('out', { state: 'revoked' }),
];
const everybody: Readers = { nodes: [], labels: [], others: ['age1me'] };

/** A secret that was opened: `keys` can read it. */
function opened(keys: readonly string[], readers: Readers, values: readonly SopsLeaf[] = [['db:', 'x']]) {
  const leaves = [...values, ...leavesOfReaders(readers)];
  const sealed = { name: 'db', version: '3', id: '', leaves, modified: '', mac: '' };
  return {
    sealed: { ...sealed, keys: Object.fromEntries(keys.map((key) => [key, 'armor'])) },
    values,
    beside: [],
    dataKey: Buffer.alloc(32),
  };
}
const plan = (given: Partial<Parameters<typeof planSecret>[0]>) =>
  planSecret({ values: [['db:', 'x']], nodes, own: 'age1me', isShared: false, wish: {}, ...given });

describe('who is to read a secret', () => {
  it('is every node that joined and was not shut out, also while it is away; and who wrote it', () => {
    const access = accessOf(nodes, everybody, { present: [], own: 'age1me', isShared: false });
    expect(access).toEqual({
      wanted: ['age1a', 'age1b', 'age1me'],
      added: ['age1a', 'age1b', 'age1me'],
      removed: [],
      others: ['age1me'],
      mute: ['old'],
    });
  });

  it('is said by names, or by all of the labels', () => {
    const is = (name: string, readers: Partial<Readers>) =>
      isReader(nodes.find((one) => one.name === name) as ReaderNode, { nodes: [], labels: [], ...readers });
    expect(is('a', { labels: ['zone=hall'] })).toBe(true);
    expect(is('a', { labels: ['zone=hall', 'more=1'] })).toBe(false);
    expect(is('b', { labels: ['zone=hall'] })).toBe(false);
    expect(is('b', { labels: ['zone=hall'], nodes: ['b'] })).toBe(true);
    expect(is('out', { nodes: ['out'] })).toBe(false);
  });

  it('is no node that is gone, unless nobody can know that it was one', () => {
    const present = ['age1a', 'age1b', 'age1gone', 'age1me', 'age1out'];
    const of = (readers: Readers, isShared = false) => accessOf(nodes, readers, { present, own: 'age1me', isShared });
    expect(of(everybody).removed).toEqual(['age1gone', 'age1out']);
    expect(of({ nodes: [], labels: [] }).removed).toEqual([]);
    expect(of({ nodes: [], labels: [] }).others).toEqual(['age1gone', 'age1me', 'age1out']);
    expect(of(everybody, true).removed).toEqual([]);
  });

  it('is called by name where it has one', () => {
    expect(namesOf(['age1b', 'age1me', 'age1a'], nodes)).toEqual(['a', 'age1me', 'b']);
  });
});

describe('what is to be done', () => {
  const all = ['age1a', 'age1b', 'age1me'];

  it('is nothing when it is so already, however often', () => {
    expect(plan({ opened: opened(all, everybody) })).toMatchObject({ work: 'none', isOther: false });
    // As sops wrote it.
    expect(plan({ opened: opened(all, { nodes: [], labels: [] }) }).work).toBe('none');
  });

  it('is no more than one more recipient for a node that is new', () => {
    expect(plan({ opened: opened(['age1a', 'age1me'], everybody) })).toMatchObject({
      work: 'add',
      access: { added: ['age1b'] },
    });
  });

  it('is another data key when somebody goes, the values change, or the file is to say for whom it is', () => {
    expect(plan({ opened: opened([...all, 'age1gone'], everybody) }).work).toBe('anew');
    expect(plan({ opened: opened(all, everybody), values: [['db:', 'y']] })).toMatchObject({
      work: 'anew',
      isOther: true,
    });
    const narrowed = plan({ opened: opened(all, everybody), wish: { nodes: ['a'] } });
    expect(narrowed).toMatchObject({ work: 'anew', isOther: false, access: { removed: ['age1b'] } });
    expect(narrowed.readers).toEqual({ nodes: ['a'], labels: [], others: ['age1me'] });
    expect(plan({ opened: opened(['age1a', 'age1me'], { nodes: [], labels: [] }) }).work).toBe('anew');
    expect(plan({}).work).toBe('anew');
  });

  it('keeps for whom it is, until somebody says otherwise', () => {
    const narrow = { nodes: ['a'], labels: [], others: ['age1me', 'age1ann'] };
    const before = opened(['age1a', 'age1me', 'age1ann'], narrow);
    expect(plan({ opened: before }).work).toBe('none');
    expect(plan({ opened: before, wish: { everyone: true } }).access.added).toEqual(['age1b']);
    expect(plan({ opened: before, wish: { remove: ['age1ann'] } }).access.removed).toEqual(['age1ann']);
    expect(plan({ opened: before, wish: { add: ['age1bob'] } }).readers.others).toEqual([
      'age1ann',
      'age1bob',
      'age1me',
    ]);
  });

  it('takes nobody away from what other clusters read, too', () => {
    const shared = plan({ opened: opened(['age1theirs', 'age1me'], everybody), isShared: true });
    expect(shared).toMatchObject({ work: 'add', access: { added: ['age1a', 'age1b'], removed: [] } });
  });
});

it('what a file says of its readers is read back', () => {
  const readers = { nodes: ['007', 'b'], labels: ['zone=a b', 'x=,'], others: [] };
  expect(readersOf(leavesOfReaders(readers))).toEqual({ ...readers, labels: ['x=,', 'zone=a b'] });
  expect(readersOf([])).toEqual({ nodes: [], labels: [] });
});
