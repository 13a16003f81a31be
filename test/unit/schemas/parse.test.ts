import fc from 'fast-check';
import { Type } from 'typebox';
import { describe, expect, it } from 'vitest';
import { InformationMessage } from '../../../schemas/messages.ts';
import { checkMessage, formatPath, maxMessageLength, parseMessage, violations } from '../../../schemas/parse.ts';

const closed = { additionalProperties: false } as const;
const Thing = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z]+$' }),
    vcpus: Type.Optional(Type.Number({ minimum: 0 })),
    order: Type.Optional(Type.Enum(['start_first', 'stop_first'])),
    replicas: Type.Optional(
      Type.Union([Type.Integer(), Type.Enum(['every'])], { errorMessage: 'must be a number or `every`' }),
    ),
    blank: Type.Optional(Type.Union([Type.Integer({ minimum: 1 }), Type.Null()])),
    items: Type.Optional(Type.Array(Type.Object({ a: Type.Integer() }, closed))),
  },
  closed,
);

const problemOf = (text: string) => {
  const parsed = parseMessage(Thing, text);
  return parsed.ok ? undefined : parsed.problem;
};

describe('wire messages', () => {
  it('become typed values', () => {
    expect(parseMessage(Thing, '{"name":"a","vcpus":1}')).toEqual({ ok: true, value: { name: 'a', vcpus: 1 } });
  });

  it('are refused as one problem with the field', () => {
    expect(problemOf('{"name":"a","vcpus":"1"}')).toMatchObject({
      code: 'BAD_REQUEST',
      subject: 'vcpus',
      message: 'must be a number, not "1"',
    });
    expect(problemOf('{"name":"a","items":[{"a":1},{"a":"x"}]}')?.subject).toBe('items[1].a');
    expect(problemOf('{}')?.message).toBe('`name` is missing');
    expect(problemOf('nothing')?.message).toBe('the text is not JSON');
    for (const half of ['{"name":"\\ud800"}', '{"name":"a","\\udc00":1}'])
      expect(problemOf(half)?.message).toMatch(/half a character/);
  });

  it('of a later version may hold more, where the schema is open', () => {
    const message = {
      v: 1,
      cpu: 1,
      memory: 2,
      capacity: { cpu: 1, memory: 2 },
      arch: 'x64',
      runtimes: [],
      fields: [],
      labels: {},
      ip: '127.0.0.1',
      version: '1',
      beat: 5000,
      session: 's',
      seq: 1,
      epoch: 0,
      gen: 0,
      by: '',
      later: true,
    };
    expect(parseMessage(InformationMessage, JSON.stringify(message)).ok).toBe(true);
    expect(parseMessage(InformationMessage, JSON.stringify({ ...message, v: 2 })).ok).toBe(false);
    const withLabels = (labels: object) => parseMessage(InformationMessage, JSON.stringify({ ...message, labels })).ok;
    expect(withLabels({ 'example.com/zone': 'attic' })).toBe(true);
    expect(withLabels({ 'a\nb': { anything: true } })).toBe(false);
    expect(withLabels({ ['x'.repeat(64)]: '1' })).toBe(false);
  });

  it('name unknown keys and what was meant', () => {
    expect(problemOf('{"name":"a","vcpu":1}')).toMatchObject({
      code: 'UNKNOWN_FIELD',
      subject: 'vcpu',
      hint: 'did you mean `vcpus`?',
    });
    expect(problemOf('{"name":"a","qqqqqq":1}')?.hint).toBeUndefined();
  });

  it('are refused when too long, too deep, or dangerous', () => {
    expect(problemOf(`"${'x'.repeat(maxMessageLength)}"`)?.message).toContain('characters long');
    expect(problemOf(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)?.message).toContain('deeper');
    for (const key of ['__proto__', 'constructor', 'prototype', '\\u005f_proto__']) {
      expect(problemOf(`{"name":"a","items":[{"${key}":{"polluted":true}}]}`)?.message).toMatch(/is not allowed/);
    }
  });

  it('never throw and never pollute', () => {
    const keys = fc.constantFrom(
      'name',
      'vcpus',
      '__proto__',
      'constructor',
      'polluted',
      'items',
      'toString',
      'hasOwnProperty',
    );
    const value = fc.object({
      key: keys,
      maxDepth: 3,
      values: [fc.string(), fc.integer(), fc.boolean(), fc.constant(null)],
    });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          value.map((one) => JSON.stringify(one)),
        ),
        (text) => {
          parseMessage(Thing, text);
          parseMessage(InformationMessage, text);
          expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe('violations', () => {
  it('are all reported, with paths', () => {
    const found = violations(Thing, { name: 'A', vcpus: -1, items: [{ b: 1 }] });
    expect(found.map(({ path }) => formatPath(path)).sort()).toEqual(['items[0]', 'items[0].b', 'name', 'vcpus']);
  });

  it('of a union say what it takes, once', () => {
    expect(violations(Thing, { name: 'a', replicas: 'evry' })).toEqual([
      { path: ['replicas'], message: 'must be a number or `every`, not "evry"' },
    ]);
  });

  it('of what may be blank talk about the rest', () => {
    expect(violations(Thing, { name: 'a', blank: 'x' })).toEqual([
      { path: ['blank'], message: 'must be a whole number, not "x"' },
    ]);
    expect(violations(Thing, { name: 'a', blank: null })).toEqual([]);
  });

  it('of words suggest the nearest', () => {
    expect(violations(Thing, { name: 'a', order: 'stop-first' })[0]?.hint).toBe('did you mean `stop_first`?');
  });

  it('are limited in number, and soon there', () => {
    const many = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`key${index}`, 1]));
    expect(violations(Thing, { name: 'a', ...many })).toHaveLength(20);
  });

  it('do not hide a value of the wrong kind', () => {
    for (const value of [null, undefined, 1, 'x', [], true]) expect(violations(Thing, value)).not.toEqual([]);
    expect(checkMessage(Thing, undefined).ok).toBe(false);
  });
});
