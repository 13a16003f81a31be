import { describe, expect, it } from 'vitest';
import { type Admission, type AdmitOptions, admit, allowedBy } from '../../../../reconciler/core/admit.ts';
import type { SourceRecord } from '../../../../reconciler/core/records.ts';
import {
  composeSnapshot,
  pathOfKey,
  readFile,
  type SnapshotFile,
  type SourceSnapshot,
} from '../../../../reconciler/core/snapshot.ts';
import { sha256 } from '../../../../schemas/digest.ts';
import { selectPaths } from '../../../../schemas/selection.ts';
import { descriptor, fullName } from '../../../support/descriptors.ts';

const where = { cluster: 'home', path: '' };
const options: AdmitOptions = { guard: { count: 2, share: 0.3 }, approvals: new Set(), owners: new Map() };

const app = (name: string, services: readonly string[], code = 'app:1'): string =>
  descriptor(name, Object.fromEntries(services.map((service) => [service, { code }])));

/** A source as the reconciler goes through it: one revision after the other, with a mirror that remembers every blob. */
function aSource(changes: Partial<AdmitOptions> = {}) {
  const mirror = new Map<string, string>();
  let record: SourceRecord | undefined;
  let commits = 0;
  const read = (path: string, blob: string, text: string | undefined) => ({
    path,
    blob,
    reading: readFile({ path: pathOfKey(path), blob, mode: '100644', text }, where),
  });
  return {
    get record() {
      return record;
    },
    forget(path: string) {
      mirror.delete(record?.files[path]?.blob ?? '');
    },
    push(
      files: Readonly<Record<string, string>>,
      more: Partial<AdmitOptions> = {},
    ): Admission & { readonly snapshot: SourceSnapshot; readonly names: readonly string[] } {
      commits += 1;
      const entries: SnapshotFile[] = Object.entries(files).map(([path, text]) => {
        const blob = sha256(text).slice(0, 40);
        mirror.set(blob, text);
        return { path, text, blob, mode: '100644' };
      });
      const now = selectPaths(entries, where).map((file) => read(file.path, file.blob, file.text));
      const before = Object.entries(record?.files ?? {}).flatMap(([key, { blob }]) => {
        const text = mirror.get(blob);
        return text === undefined ? [] : [read(key, blob, text)];
      });
      const snapshot = composeSnapshot({ source: 'main', commit: `c${commits}`, previous: record, now, before });
      const verdict = admit(record, snapshot, { ...options, ...changes, ...more });
      record = verdict.record;
      return { ...verdict, snapshot, names: [...verdict.services.keys()].sort() };
    },
  };
}

const ten = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'];
const shop = (service: string): string => fullName('shop', service);

describe('unknown is never empty: nothing is removed', () => {
  // Two of ten: few enough that the removal guard alone would let them go.
  const good = { 'shop.yaml': app('shop', ['web', 'db']), 'blog.yaml': app('blog', ten.slice(0, 8)) };
  const all = [...ten.slice(0, 8).map((name) => fullName('blog', name)), ...['db', 'web'].map(shop)].sort();

  it.each<[string, Record<string, string>]>([
    ['a file that does not parse', { 'shop.yaml': '{{{', 'blog.yaml': good['blog.yaml'] }],
    [
      'a file with an unknown field',
      { 'shop.yaml': good['shop.yaml'].replace('"code"', '"cude"'), 'blog.yaml': good['blog.yaml'] },
    ],
    ['a file that is no descriptor any more', { 'shop.yaml': 'hello: world', 'blog.yaml': good['blog.yaml'] }],
    [
      'a misspelt mark',
      {
        ...good,
        'shop.yaml': good['shop.yaml'].replace('sla_version', 'sla_versoin').replace('applications', 'aplications'),
      },
    ],
    [
      'a good descriptor moved into a broken file',
      { 'new/shop.yaml': `${good['shop.yaml']}}`, 'blog.yaml': good['blog.yaml'] },
    ],
    ['a tree without descriptors', { 'README.yaml': 'title: nothing' }],
    ['an empty tree', {}],
    ['a file gone beside a broken one', { 'blog.yaml': good['blog.yaml'], 'other.yaml': ':\n\t- {' }],
  ])('%s', (_name, files) => {
    const source = aSource();
    source.push(good);
    const verdict = source.push(files);
    expect(verdict.names).toEqual(all);
    const again = source.push(files);
    expect(again.names).toEqual(all);
    const held = verdict.holds.length > 0 || verdict.snapshot.problems.some((one) => one.severity !== 'warning');
    expect(held).toBe(true);
  });

  it('also not when the last good version cannot be read any more', () => {
    const source = aSource();
    source.push(good);
    source.forget('shop.yaml');
    const verdict = source.push({ ...good, 'shop.yaml': '{{{' });
    expect(verdict.names).toEqual(ten.slice(0, 8).map((name) => fullName('blog', name)));
    expect([...verdict.held.keys()].sort()).toEqual(['db', 'web'].map(shop));
    expect(verdict.held.get(shop('db'))?.code).toBe('SOURCE_INCOMPLETE');
  });

  it('while the rest of the revision goes on', () => {
    const source = aSource();
    source.push(good);
    const verdict = source.push({
      'shop.yaml': '{{{',
      'blog.yaml': app('blog', [...ten.slice(0, 7), 'feed'], 'app:2'),
    });
    expect(verdict.services.get(fullName('blog', 'a'))?.spec.run.code).toBe('app:2');
    expect(verdict.names).toContain(fullName('blog', 'feed'));
    expect(verdict.services.get(shop('db'))?.spec.run.code).toBe('app:1');
  });

  it('and it ends when the file is mended', () => {
    const source = aSource();
    source.push(good);
    source.push({ 'shop.yaml': '{{{' });
    const verdict = source.push({ 'shop.yaml': app('shop', ['web']), 'blog.yaml': good['blog.yaml'] });
    expect(verdict.names).toEqual(all.filter((name) => name !== shop('db')));
    expect(verdict.holds).toEqual([]);
  });
});

describe('the removal guard', () => {
  it.each([
    [10, 7, false],
    [10, 6, true],
    [3, 1, false],
    [3, 0, true],
    [2, 1, false],
    [1, 0, true],
  ])('of %i services %i left: held %s', (had, left, held) => {
    const source = aSource();
    source.push({ 'shop.yaml': app('shop', ten.slice(0, had)), 'other.yaml': 'no: descriptor' });
    const files = left === 0 ? {} : { 'shop.yaml': app('shop', ten.slice(0, left)) };
    const verdict = source.push(files);
    expect(verdict.holds.map((hold) => hold.code)).toEqual(held ? ['REMOVAL_GUARD'] : []);
    expect(verdict.names).toHaveLength(held ? had : left);
  });

  it('keeps what it holds in its last good version, over restarts and later pushes, until approved', () => {
    const source = aSource();
    source.push({ 'shop.yaml': app('shop', ten) });
    const first = source.push({ 'shop.yaml': app('shop', ['a'], 'app:2') });
    const second = source.push({ 'shop.yaml': app('shop', ['a'], 'app:3'), 'notes.yaml': 'a: 1' });
    const id = first.holds[0]?.id ?? '';
    expect(second.holds[0]?.id).toBe(id);
    expect(second.holds[0]?.hint).toBe(`oakctl approve ${id}`);
    expect(second.names).toHaveLength(10);
    expect(second.services.get(shop('a'))?.spec.run.code).toBe('app:3');
    expect(second.services.get(shop('b'))?.spec.run.code).toBe('app:1');
    const approved = source.push({ 'shop.yaml': app('shop', ['a'], 'app:3') }, { approvals: new Set([id]) });
    expect(approved.names).toEqual([shop('a')]);
    expect(approved.spent).toEqual([id]);
    expect(approved.held.size).toBe(0);
    expect(source.push({ 'shop.yaml': app('shop', ['a'], 'app:3') }).names).toEqual([shop('a')]);
  });

  it('asks again when the set changes after an approval', () => {
    const source = aSource();
    source.push({ 'shop.yaml': app('shop', ten) });
    const first = source.push({ 'shop.yaml': app('shop', ['a', 'b']) });
    const id = first.holds[0]?.id ?? '';
    const verdict = source.push({ 'shop.yaml': app('shop', ['a']) }, { approvals: new Set([id]) });
    expect(verdict.names).toHaveLength(10);
    expect(verdict.holds[0]?.id).not.toBe(id);
  });

  it('counts no service that moved to another file, and none whose replicas are lowered', () => {
    const source = aSource();
    source.push({ 'shop.yaml': app('shop', ten) });
    const moved = { 'one.yaml': app('shop', ten.slice(0, 5)), 'deep/two.yaml': app('shop', ten.slice(5)) };
    expect(source.push(moved)).toMatchObject({ holds: [], held: new Map() });
    const none = descriptor('shop', Object.fromEntries(ten.map((name) => [name, { code: 'app:1', replicas: 0 }])));
    expect(source.push({ 'one.yaml': none }).holds).toEqual([]);
  });
});

describe('two sources', () => {
  const owners = new Map([[shop('web'), { source: 'direct', slots: [1, 2, 5] }]]);
  const text = descriptor('shop', { web: { code: 'app:1', replicas: 2 }, db: { code: 'db:1' } });

  it('that claim one name are held apart, with the difference in slots', () => {
    const verdict = aSource({ owners }).push({ 'shop.yaml': text });
    expect(verdict.names).toEqual([shop('db')]);
    const hold = verdict.held.get(shop('web'));
    expect(hold).toMatchObject({ code: 'SOURCE_CONFLICT', subject: shop('web') });
    expect(hold?.message).toContain('keep 1, start 0, remove 2, 5');
    expect(hold?.hint).toBe(`oakctl approve ${hold?.id}`);
  });

  it('hand a direct name over by approval, and never one of another git source', () => {
    const source = aSource({ owners });
    const id = source.push({ 'shop.yaml': text }).held.get(shop('web'))?.id ?? '';
    const approved = source.push({ 'shop.yaml': text }, { approvals: new Set([id]) });
    expect(approved.names).toEqual([shop('db'), shop('web')]);
    expect(approved.spent).toEqual([id]);
    const other = new Map([[shop('web'), { source: 'second', slots: [0] }]]);
    const refused = aSource({ owners: other, approvals: new Set([id]) }).push({ 'shop.yaml': text });
    expect(refused.names).toEqual([shop('db')]);
    expect(refused.held.get(shop('web'))).not.toHaveProperty('id');
  });

  it('never make the guard count a name that this source did not get', () => {
    const source = aSource({ owners });
    source.push({ 'shop.yaml': text });
    const verdict = source.push({ 'shop.yaml': descriptor('shop', { db: { code: 'db:1' } }) });
    expect(verdict.holds).toEqual([]);
  });
});

describe('nodes.yaml', () => {
  const nodes = (...entries: readonly (readonly [string, string])[]): string =>
    entries.map(([name, ip]) => `- node:\n    hostname: ${name}\n    IP: ${ip}\n`).join('');
  const three = nodes(['pi1', '10.0.0.1'], ['pi2', '10.0.0.2'], ['pi3', '10.0.0.3']);
  const names = (verdict: Admission): string[] => verdict.listings.map((listing) => listing.name).sort();

  it.each<[string, Record<string, string>]>([
    ['emptied', { 'nodes.yaml': '' }],
    ['missing', {}],
    ['broken', { 'nodes.yaml': '- node: {' }],
  ])('%s: removes no entry', (_name, files) => {
    const source = aSource();
    source.push({ 'nodes.yaml': three });
    const verdict = source.push(files);
    expect(names(verdict)).toEqual(['pi1', 'pi2', 'pi3']);
    expect(verdict.removedListings).toEqual([]);
    const again = source.push(files);
    expect(names(again)).toEqual(['pi1', 'pi2', 'pi3']);
    expect(again.listings[0]?.ip).toBe('10.0.0.1');
  });

  it('removes an entry that left, and says which', () => {
    const source = aSource();
    source.push({ 'nodes.yaml': three });
    const verdict = source.push({ 'nodes.yaml': nodes(['pi1', '10.0.0.1'], ['pi2', '10.0.0.2']) });
    expect(verdict).toMatchObject({ removedListings: ['pi3'], holds: [] });
  });

  it('a rename with the same IP is no removal', () => {
    const source = aSource();
    source.push({ 'nodes.yaml': nodes(['pi1', '10.0.0.1']) });
    const verdict = source.push({ 'nodes.yaml': nodes(['gate', '10.0.0.1']) });
    expect(verdict).toMatchObject({ removedListings: [], holds: [] });
    expect(names(verdict)).toEqual(['gate']);
  });

  it('all of them go by approval', () => {
    const source = aSource();
    source.push({ 'nodes.yaml': three });
    const id = source.push({ 'nodes.yaml': '' }).holds[0]?.id ?? '';
    const verdict = source.push({ 'nodes.yaml': '' }, { approvals: new Set([id]) });
    expect(verdict).toMatchObject({ listings: [], removedListings: ['pi1', 'pi2', 'pi3'], spent: [id] });
  });
});

describe('removals that the commits allow', () => {
  const files = (...names: string[]) => ({ 'shop.yaml': app('shop', names) });

  it.each([
    ['as many', 4, []],
    ['more', 9, []],
    ['fewer', 3, ['REMOVAL_GUARD']],
  ] as const)('%s', (_name, allowed, codes) => {
    const source = aSource();
    source.push(files('a', 'b', 'c', 'd', 'e'));
    expect(source.push(files('a'), { allowed }).holds.map(({ code }) => code)).toEqual(codes);
  });

  it('what cannot be read is never removed by them', () => {
    const source = aSource();
    source.push({ ...files('a', 'b', 'c', 'd'), 'blog.yaml': app('blog', ['x']) });
    const verdict = source.push({ ...files('a'), 'blog.yaml': '{{{' }, { allowed: 100 });
    expect(verdict.names).toHaveLength(5);
  });

  it('entries of nodes.yaml are not meant', () => {
    const source = aSource();
    source.push({ 'nodes.yaml': '- node: { hostname: pi1, IP: 10.0.0.1 }\n' });
    expect(source.push({ 'nodes.yaml': '' }, { allowed: 100 }).removedListings).toEqual([]);
  });

  it.each([
    [['4'], 4],
    [['2', '7', '3'], 7],
    [['all', '-1', '0', '1e3', '5 and more', '4.5'], undefined],
    [['999999'], undefined],
    [[], undefined],
  ])('%j: %s', (values, allowed) => {
    expect(allowedBy(values)).toBe(allowed);
  });
});
