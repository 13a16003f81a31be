import { describe, expect, it } from 'vitest';
import { createAccess } from '../../../../reconciler/broker/access.ts';
import { nodePassword } from '../../../../reconciler/keys/credentials.ts';
import {
  isKept,
  mostParts,
  officeTopic,
  type Row,
  reconcilerFilters,
  rows,
  topic,
} from '../../../../schemas/topics.ts';

const key = new Uint8Array(32).fill(1);
const access = createAccess(key, 'secret');
const w1 = 'aaaaaaaaaaaaaaaa';
const w2 = 'bbbbbbbbbbbbbbbb';
const may = (client: string, to: string, qos = 1): boolean =>
  access.refusePublish(client, { topic: to, qos }) === undefined;

describe('the topic table as access rule', () => {
  const all = Object.keys(rows) as Row[];

  it.each(all)('row %s: who may publish, retain, receive and subscribe', (row) => {
    const { direction, retained, parted } = rows[row];
    const own = topic(w1, row);
    expect(may(w1, own)).toBe(direction === 'up');
    expect(may(w2, own)).toBe(false);
    // What a removed node left behind is cleared by the reconciler.
    expect(may('reconciler', own)).toBe(true);
    expect(isKept(own)).toBe(direction === 'down' || retained);
    expect(access.mayReceive(w1, own)).toBe(direction === 'down');
    expect(access.mayReceive(w2, own)).toBe(false);
    expect(access.mayReceive('reconciler', own)).toBe(direction === 'up');
    expect(access.maySubscribe(w1, own)).toBe(direction === 'down');
    expect(access.maySubscribe(w2, own)).toBe(false);
    const filter = parted ? `nodes/${w1}/${row}/+` : `nodes/${w1}/${row}`;
    expect(access.maySubscribe(w1, filter)).toBe(direction === 'down');
    expect(access.maySubscribe(w2, filter)).toBe(false);
    expect(access.maySubscribe('reconciler', filter)).toBe(!parted && direction === 'up');
  });

  it('no node both publishes and receives on one topic', () => {
    for (const row of all) {
      for (const who of [w1, w2]) {
        expect(may(who, topic(w1, row)) && access.mayReceive(who, topic(w1, row))).toBe(false);
      }
    }
  });

  it('grants the reconciler its filters and no node a wildcard over nodes', () => {
    for (const { filter } of reconcilerFilters()) {
      expect(access.maySubscribe('reconciler', filter)).toBe(true);
      expect(access.maySubscribe(w1, filter)).toBe(false);
    }
    for (const filter of ['#', '+/#', 'nodes/#', '$SYS/#', `nodes/${w1}/#`, `nodes/${w1}/+`]) {
      expect(access.maySubscribe(w1, filter)).toBe(false);
      expect(access.maySubscribe('reconciler', filter)).toBe(false);
    }
  });

  it('lets reconcilers find each other, and no node among them', () => {
    const office = officeTopic('edge-1');
    expect([may('reconciler', office), access.mayReceive('reconciler', office)]).toEqual([true, true]);
    expect([access.maySubscribe('reconciler', office), isKept(office)]).toEqual([true, true]);
    expect([may(w1, office), access.mayReceive(w1, office), access.maySubscribe(w1, office)]).toEqual([
      false,
      false,
      false,
    ]);
    expect(may('reconciler', 'clusters/edge-1/anything')).toBe(false);
    expect(access.maySubscribe('reconciler', 'clusters/+/reconciler')).toBe(false);
  });

  it('knows nobody by an id that is no node id', () => {
    for (const client of ['', '+', '#', 'A', 'a/b', '__proto__/x', 'x'.repeat(64)]) {
      expect(may(client, topic(w1, 'information'))).toBe(false);
      expect(may(client, `nodes/${client}/information`)).toBe(false);
      expect(access.mayReceive(client, topic(w1, 'controls'))).toBe(false);
    }
  });

  it('refuses QoS 2 and parts beyond the bound', () => {
    expect(may(w1, topic(w1, 'information'), 2)).toBe(false);
    expect(may(w1, topic(w1, 'instances', mostParts - 1))).toBe(true);
    expect(may(w1, topic(w1, 'instances', mostParts))).toBe(false);
  });
});

describe('passwords', () => {
  it('admit the reconciler and listed nodes at or above their serial', () => {
    const fresh = createAccess(key, 'secret');
    expect(fresh.admits(w1, nodePassword(key, w1, 1))).toBe(false);
    fresh.setNodes([{ id: w1, serial: 2 }]);
    expect(fresh.admits(w1, nodePassword(key, w1, 1))).toBe(false);
    expect(fresh.admits(w1, nodePassword(key, w1, 2))).toBe(true);
    expect(fresh.admits(w1, nodePassword(key, w1, 3))).toBe(true);
    expect(fresh.admits(w2, nodePassword(key, w2, 2))).toBe(false);
    expect(fresh.admits(w1, nodePassword(key, w2, 2))).toBe(false);
    expect(fresh.admits('reconciler', 'secret')).toBe(true);
    expect(fresh.admits('reconciler', 'secre')).toBe(false);
    fresh.setNodes([]);
    expect(fresh.admits(w1, nodePassword(key, w1, 2))).toBe(false);
  });

  it('never admit anybody with an empty password', () => {
    const open = createAccess(key, '');
    open.setNodes([{ id: w1, serial: 1 }]);
    expect([open.admits('reconciler', ''), open.admits(w1, '')]).toEqual([false, false]);
  });
});
