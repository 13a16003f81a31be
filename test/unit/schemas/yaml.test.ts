import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseYaml } from '../../../schemas/yaml.ts';
import { borne, refused } from './bombs.ts';

/** CPU of this process in ms: the wall clock also counts what the machine does for others. */
function cpuOf(run: () => void): number {
  const start = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

/** As long as a large descriptor, with nothing odd in it. */
const usual = '- name: web\n  port: 80\n'.repeat(4_300);
/** A hostile text may take as long as ten usual ones on the same machine; what grows with the square of its length takes hundreds. */
const worst = 10;
let limit: number;
beforeAll(() => {
  // The first readings are slower than all others.
  const times = [1, 2, 3].map(() => cpuOf(() => expect(parseYaml(usual, 'x.yaml').problems).toEqual([])));
  limit = worst * Math.min(...times);
});
const first = (text: string) => parseYaml(text, 'x.yaml').problems[0];
const value = (text: string) => parseYaml(text, 'x.yaml').documents[0]?.value;

describe('hostile texts', () => {
  it('has enough of them', () => {
    expect(Object.keys(refused).length + Object.keys(borne).length).toBeGreaterThanOrEqual(60);
  });

  it.each(Object.entries(refused))('refuses: %s', (_, text) => {
    let parsed: ReturnType<typeof parseYaml> | undefined;
    const cpu = cpuOf(() => {
      parsed = parseYaml(text, 'x.yaml');
    });
    expect(cpu).toBeLessThan(limit);
    expect(parsed?.documents).toEqual([]);
    for (const problem of parsed?.problems ?? []) {
      expect(problem).toMatchObject({ code: 'YAML_INVALID', file: 'x.yaml' });
      expect(problem.line).toBeGreaterThan(0);
      expect(problem.column).toBeGreaterThan(0);
      expect(problem.message.length).toBeLessThan(300);
    }
    expect(parsed?.problems.length).toBeGreaterThan(0);
    expect(parsed?.problems.length).toBeLessThanOrEqual(20);
  });

  it.each(Object.entries(borne))('bears: %s', (_, text) => {
    let parsed: ReturnType<typeof parseYaml> | undefined;
    const cpu = cpuOf(() => {
      parsed = parseYaml(text, 'x.yaml');
    });
    expect(cpu).toBeLessThan(limit);
    expect(parsed?.problems).toEqual([]);
  });

  it('refuses what is too long before it looks at it', () => {
    const text = '- 1\n'.repeat(350_000);
    expect(cpuOf(() => parseYaml(text, 'x.yaml'))).toBeLessThan(200);
    expect(first(text)?.message).toContain('1400000');
  });

  it('leaves stack traces of others alone', () => {
    const before = Error.stackTraceLimit;
    parseYaml('a: "\\q"', 'x.yaml');
    expect(Error.stackTraceLimit).toBe(before);
  });
});

describe('values', () => {
  it('reads YAML 1.2: no surprises with words', () => {
    expect(value('{a: yes, b: on, c: 1, d: 1.5, e: true, f: null, g: 0o17, h: 12:30, i: ~}')).toEqual({
      a: 'yes',
      b: 'on',
      c: 1,
      d: 1.5,
      e: true,
      f: null,
      g: 15,
      h: '12:30',
      i: null,
    });
  });

  it('reads JSON as JSON.parse does', () => {
    fc.assert(
      fc.property(
        fc
          .jsonValue({ maxDepth: 6 })
          .filter((json) => json !== null && !/"(|__proto__|<<|[^"]*\\u|[^"]{200,})"/.test(JSON.stringify(json))),
        fc.constantFrom(undefined, 2, '\t'),
        (json, space) => {
          const text = JSON.stringify(json, undefined, space);
          const parsed = parseYaml(text, 'x.json');
          if (parsed.problems.length > 0) {
            // Only keys that oakctl refuses may make the difference.
            expect(parsed.problems[0]?.message).toMatch(/key/);
            return;
          }
          expect(JSON.parse(JSON.stringify(parsed.documents[0]?.value))).toEqual(JSON.parse(text));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('gives objects without a prototype', () => {
    expect(Object.getPrototypeOf(value('a: 1'))).toBeNull();
  });

  it('reads several documents and passes over empty ones', () => {
    const { documents } = parseYaml('a: 1\n---\n---\nb: 2\n...\n', 'x.yaml');
    expect(documents.map((document) => document.value)).toEqual([{ a: 1 }, { b: 2 }]);
  });

  it('takes carriage returns and a byte order mark', () => {
    expect(value('\ufeffa: 1\r\nb:\r\n  - 2\r\n')).toEqual({ a: 1, b: [2] });
  });
});

describe('positions', () => {
  const text = 'a: 1\nb:\n  - c: 2\n    "d e": 3\n  - {f: 4}\n---\n7: x\n';
  const locate = (document: number, ...path: (string | number)[]) =>
    parseYaml(text, 'x.yaml').documents[document]?.locate(path);

  it('are those of the key or the item', () => {
    expect(locate(0)).toEqual({ line: 1, column: 1 });
    expect(locate(0, 'b')).toEqual({ line: 2, column: 1 });
    expect(locate(0, 'b', 0)).toEqual({ line: 3, column: 5 });
    expect(locate(0, 'b', 0, 'd e')).toEqual({ line: 4, column: 5 });
    expect(locate(0, 'b', 1, 'f')).toEqual({ line: 5, column: 6 });
    expect(locate(1, '7')).toEqual({ line: 7, column: 1 });
  });

  it('are those of the nearest parent for what is missing', () => {
    expect(locate(0, 'b', 1, 'nothing', 3)).toEqual({ line: 5, column: 5 });
    expect(locate(0, 'b', 9)).toEqual({ line: 2, column: 1 });
  });

  it('of syntax errors lead to the fault', () => {
    expect(first('a: 1\nb: [1, 2\nc: 3\n')).toMatchObject({ line: 3 });
    expect(first('a: 1\na: 2\n')).toMatchObject({ line: 2, column: 1, message: 'the key `a` is there twice' });
  });
});

describe('any text at all', () => {
  const pieces = [
    '- ',
    'a: ',
    'a',
    '\n',
    '  ',
    '[',
    ']',
    '{',
    '}',
    ',',
    ':',
    '?',
    '"',
    "'",
    '|',
    '>',
    '#',
    '\\',
    '---',
    '1',
    '\t',
    '&a',
    '*a',
    '!t',
    '<<',
    '__proto__',
    'constructor',
    '\u202e',
    '\0',
    '%',
  ];
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(fc.constantFrom(...pieces)).map((list) => list.join('')),
  );

  it('never throws, and never reaches a prototype', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const { documents, problems } = parseYaml(text, 'x.yaml');
        expect(problems.every((problem) => problem.code === 'YAML_INVALID')).toBe(true);
        expect(documents.length === 0 || problems.length === 0).toBe(true);
        expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
      }),
      { numRuns: 2_000 },
    );
  });

  it('costs about as much as it is long', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 6 }), (list) => {
        const unit = list.join('');
        const text = unit.repeat(Math.floor((128 * 1024) / new TextEncoder().encode(unit).length));
        expect(cpuOf(() => parseYaml(text, 'x.yaml'))).toBeLessThan(limit);
      }),
      { numRuns: 40 },
    );
  });
});
