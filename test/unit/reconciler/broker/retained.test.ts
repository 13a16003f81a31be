import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRetained } from '../../../../reconciler/broker/retained.ts';

const level = fc.constantFrom('nodes', 'a', 'b', 'clusters', '');
const topic = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/'));
const filter = fc
  .tuple(
    fc.array(fc.oneof(level, fc.constant('+')), { minLength: 1, maxLength: 4 }),
    fc.constantFrom<readonly string[]>([], ['#']),
  )
  .map(([levels, rest]) => [...levels, ...rest].join('/'));

/** MQTT's rule as a regular expression: another way to say the same. */
const pattern = (text: string): RegExp => {
  const isOpen = text === '#' || text.endsWith('/#');
  const levels = isOpen ? text.split('/').slice(0, -1) : text.split('/');
  const body = levels.map((one) => (one === '+' ? '[^/]*' : one)).join('/');
  if (!isOpen) return new RegExp(`^${body}$`);
  return levels.length === 0 ? /^/ : new RegExp(`^${body}(/.*)?$`);
};
const found = (retained: ReturnType<typeof createRetained>, text: string): string[] =>
  [...retained.find(text)].map((packet) => packet.topic).sort();

describe('retained messages', () => {
  it('are found by every filter that covers them, and by no other', () => {
    fc.assert(
      fc.property(fc.uniqueArray(topic, { maxLength: 12 }), filter, (topics, text) => {
        const retained = createRetained();
        for (const one of topics) retained.keep({ topic: one, payload: 'x', qos: 1 });
        expect(found(retained, text)).toEqual(topics.filter((one) => pattern(text).test(one)).sort());
      }),
      { numRuns: 2_000 },
    );
  });

  it('are the last one of their topic, until an empty one', () => {
    const retained = createRetained();
    retained.keep({ topic: 'nodes/a/online', payload: 'one', qos: 1 });
    retained.keep({ topic: 'nodes/a/online', payload: Buffer.from('two'), qos: 0 });
    expect([...retained.find('nodes/a/online')]).toMatchObject([{ payload: Buffer.from('two'), qos: 0, retain: true }]);
    retained.keep({ topic: 'nodes/a/online', payload: '', qos: 1 });
    expect(found(retained, '#')).toEqual([]);
  });

  it('of the broker itself are for filters that name them', () => {
    const retained = createRetained();
    retained.keep({ topic: '$SYS/x', payload: 'x', qos: 0 });
    expect(found(retained, '#')).toEqual([]);
    expect(found(retained, '+/x')).toEqual([]);
    expect(found(retained, '$SYS/+')).toEqual(['$SYS/x']);
  });

  it('of one node cost the same, however many others there are', () => {
    const retained = createRetained();
    for (let n = 0; n < 20_000; n += 1) retained.keep({ topic: `nodes/${n}/assignment/0`, payload: 'x', qos: 1 });
    const started = performance.now();
    let count = 0;
    for (let n = 0; n < 20_000; n += 1) count += found(retained, `nodes/${n}/assignment/+`).length;
    expect(count).toBe(20_000);
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});
