import { describe, expect, it } from 'vitest';
import { createAccess } from '../../../../reconciler/broker/access.ts';
import { nodePassword } from '../../../../reconciler/keys/credentials.ts';
import { operatorTopic, topic } from '../../../../schemas/topics.ts';

const key = new Uint8Array(32).fill(1);
const orders = operatorTopic('home');

describe('an operator', () => {
  const access = createAccess(key, 'secret', 'token');

  it('has one password, and none where there is no operator', () => {
    expect(access.admits('operator', 'token')).toBe(true);
    expect(access.admits('operator', 'secret')).toBe(false);
    expect(access.admits('operator', '')).toBe(false);
    expect(createAccess(key, 'secret').admits('operator', '')).toBe(false);
    expect(createAccess(key, 'secret', '').admits('operator', '')).toBe(false);
  });

  it('says controls of clusters and nothing else, and hears nothing', () => {
    expect(access.refusePublish('operator', { topic: orders, qos: 1 })).toBeUndefined();
    expect(access.refusePublish('operator.2', { topic: orders, qos: 1 })).toBeUndefined();
    expect(access.refusePublish('operator', { topic: orders, qos: 2 })).toBeDefined();
    for (const other of [
      topic('w1', 'controls'),
      topic('w1', 'information'),
      'clusters/home/reconciler',
      'clusters/a/b/controls',
      'clusters//controls',
    ]) {
      expect(access.refusePublish('operator', { topic: other, qos: 1 }), other).toBeDefined();
      expect(access.mayReceive('operator', other), other).toBe(false);
    }
    for (const filter of [orders, '#', 'nodes/+/information', 'clusters/+/controls'])
      expect(access.maySubscribe('operator', filter), filter).toBe(false);
  });

  it('is heard by the reconciler alone', () => {
    expect(access.mayReceive('reconciler', orders)).toBe(true);
    expect(access.maySubscribe('reconciler', orders)).toBe(true);
    expect(access.mayReceive('w1', orders)).toBe(false);
    expect(access.maySubscribe('w1', orders)).toBe(false);
    expect(access.refusePublish('w1', { topic: orders, qos: 1 })).toBeDefined();
    expect(access.refusePublish('reconciler', { topic: orders, qos: 1 })).toBeDefined();
  });
});

describe('a further connection of the same user', () => {
  const access = createAccess(key, 'secret', 'token');
  access.setNodes([{ id: 'w1', serial: 1 }]);

  it('has the rights of its user, and the reconciler has one only', () => {
    expect(access.admits('w1', nodePassword(key, 'w1', 1))).toBe(true);
    expect(access.refusePublish('w1.pub', { topic: topic('w1', 'information'), qos: 0 })).toBeUndefined();
    expect(access.refusePublish('w1.pub', { topic: topic('w2', 'information'), qos: 0 })).toBeDefined();
    expect(access.mayReceive('w1.sub', topic('w1', 'controls'))).toBe(true);
    expect(access.mayReceive('reconciler.2', topic('w1', 'information'))).toBe(false);
  });
});
