import { describe, expect, it } from 'vitest';
import { createEndpoints } from '../../../reconciler/endpoints.ts';
import { checkedList } from '../../../reconciler/rivals.ts';
import { type Endpoint, nextEra } from '../../../schemas/endpoints.ts';
import { createMemoryKeys } from '../../support/memory-keys.ts';

const keys = createMemoryKeys('home');
const place: Endpoint = { api: 'http://b:1', mqtt: 'mqtt://b:2' };

describe('the list of endpoints', () => {
  it('goes to nodes always, as a proof of who told them; to others where there is something to tell, and proves nothing', () => {
    let reign = { epoch: 3, by: 'me' };
    let places: readonly Endpoint[] = [];
    const lists = createEndpoints({ keys, endpoints: () => places }, () => reign);
    expect(checkedList(keys, lists.told())).toMatchObject({ ...reign, endpoints: [], told: true });
    expect(lists.shown()).toBeUndefined();
    places = [place];
    expect(lists.told().endpoints).toEqual([place]);
    expect(lists.shown()?.endpoints).toEqual([place]);
    // Its absence is signed, too: nobody makes the one of the other.
    expect(lists.shown()).not.toHaveProperty('told');
    expect(checkedList(keys, { ...lists.shown(), told: true })).toBeUndefined();
    places = [];
    reign = { epoch: nextEra(3), by: 'me' };
    expect(lists.shown()).toMatchObject(reign);
  });

  it('is signed once for all, and anew under another epoch', () => {
    let reign = { epoch: 3, by: 'me' };
    const lists = createEndpoints({ keys }, () => reign);
    const first = lists.told();
    expect(lists.told()).toBe(first);
    reign = { epoch: 4, by: 'me' };
    expect(lists.told()).not.toBe(first);
    expect(lists.told().epoch).toBe(4);
  });
});
