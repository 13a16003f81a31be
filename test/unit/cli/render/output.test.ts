import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { age, duration } from '../../../../cli/render/ages.ts';
import { nodeListing, serviceListing } from '../../../../cli/render/listings.ts';
import { renderList, renderOne } from '../../../../cli/render/output.ts';
import { plain, wantsColour } from '../../../../cli/render/paint.ts';
import { fakeNode, fakeService } from '../../../support/fake-control-plane.ts';

const items = [fakeNode('worker-1', { ip: '127.0.0.11', seen: 4000 }), fakeNode('worker-2', { state: 'lost' })];

describe('a list', () => {
  it('is an object with items in JSON and YAML', async () => {
    expect(JSON.parse((await renderList('json', items, nodeListing, plain)).data)).toEqual({ items });
    expect(parse((await renderList('yaml', items, nodeListing, plain)).data)).toEqual({ items });
  });

  it('is one name per line for other commands', async () => {
    expect((await renderList('name', items, nodeListing, plain)).data).toBe('worker-1\nworker-2');
  });

  it('is a table for people, with more columns when wide', async () => {
    const narrow = (await renderList('table', items, nodeListing, plain)).data;
    const wide = (await renderList('wide', items, nodeListing, plain)).data;
    expect(narrow).toMatch(/^NAME +STATE +IP/);
    expect(narrow).toMatch(/worker-1 +online +127\.0\.0\.11.* 4s /m);
    expect(narrow).not.toContain('POOL');
    expect(wide).toContain('POOL');
  });

  it('without items says so beside the data, never in it', async () => {
    const { data, note } = await renderList('table', [], serviceListing, plain);
    expect(data).toBe('');
    expect(note).toBe('No services.');
    expect((await renderList('json', [], serviceListing, plain)).note).toBeUndefined();
  });
});

it('one object is itself in JSON, its name, or text', async () => {
  const service = fakeService('shop.default.web.default');
  const view = { name: service.name, text: () => 'text' };
  expect(JSON.parse(await renderOne('json', service, view))).toEqual(service);
  expect(await renderOne('name', service, view)).toBe(service.name);
  expect(await renderOne('wide', service, view)).toBe('text');
});

it.each([
  [undefined, '-'],
  [0, '0s'],
  [999, '0s'],
  [4_000, '4s'],
  [61_000, '1m'],
  [3 * 3_600_000 + 5, '3h'],
  [50 * 3_600_000, '2d'],
])('the age of %s ms is %s', (ms, text) => {
  expect(age(ms)).toBe(text);
});

it.each([
  [240, '240 ms'],
  [3_240, '3.2 s'],
  [125_000, '2 min 5 s'],
])('%i ms took %s', (ms, text) => {
  expect(duration(ms)).toBe(text);
});

describe('colour', () => {
  const terminal = { isTTY: true };
  it('is for terminals', () => {
    expect(wantsColour(terminal, {}, false)).toBe(true);
    expect(wantsColour({}, {}, false)).toBe(false);
  });
  it('is never there against NO_COLOR, --no-color or a dumb terminal', () => {
    expect(wantsColour(terminal, { NO_COLOR: '1' }, false)).toBe(false);
    expect(wantsColour(terminal, { NO_COLOR: '' }, false)).toBe(true);
    expect(wantsColour(terminal, {}, true)).toBe(false);
    expect(wantsColour(terminal, { TERM: 'dumb' }, false)).toBe(false);
  });
});
