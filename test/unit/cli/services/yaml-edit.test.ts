import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { replicasIn, setNode, setReplicas } from '../../../../cli/services/edit-service.ts';
import { editYaml } from '../../../../cli/services/yaml-edit.ts';
import { isProblemError } from '../../../../schemas/problem.ts';

const web = 'shop.default.web.default';
const edit = (text: string, replicas: number | 'every', service = web) =>
  setReplicas({ file: 'shop.yaml', text }, service, replicas);

/** How a service may be written: its lines, with the number of instances somewhere or nowhere. */
interface Written {
  readonly name: string;
  readonly quote: '' | '"' | "'";
  readonly replicas: string | undefined;
  readonly comment: string;
  readonly above: boolean;
  readonly first: boolean;
  readonly flow: boolean;
}

const written = (name: string): fc.Arbitrary<Written> =>
  fc.record({
    name: fc.constant(name),
    quote: fc.constantFrom('', '"', "'"),
    replicas: fc.constantFrom(undefined, '1', '7', '0x2', 'every', '"every"', "'every'", ' ', '~', 'null'),
    comment: fc.constantFrom('', ' # how many', '   #x: 1', '  # replicas: 9'),
    above: fc.boolean(),
    first: fc.boolean(),
    flow: fc.boolean(),
  });

function linesOf({ name, quote, replicas, comment, above, first, flow }: Written): string[] {
  const named = `microservice_name: ${quote}${name}${quote}`;
  const number = replicas === undefined ? [] : [`replicas: ${replicas}`.trimEnd()];
  if (flow) {
    const blank = replicas?.trim() === '' ? ['replicas:'] : number;
    const members = first ? [...blank, named, `code:   nginx:1`] : [named, `code: 'nginx:1'`, ...blank];
    return [`    - { ${members.join(', ')} }${comment}`];
  }
  const others = [`code:   "nginx:1"${comment}`, 'memory: 1e2', 'environment: ["A=1",   "B=2"]'];
  const body = first
    ? [...number.map((line) => line + comment), named, ...others]
    : [named + comment, ...others, ...number];
  const [head = '', ...rest] = body;
  return [
    ...(above ? ['    # the one that matters', ''] : []),
    `    - ${head}`,
    ...rest.map((line) => `      ${line}`),
  ];
}

const file = fc
  .record({
    services: fc.tuple(written('api'), written('web'), written('db')),
    order: fc.constantFrom([0, 1, 2], [1, 0, 2], [2, 0, 1]),
    crlf: fc.boolean(),
    end: fc.constantFrom('', '\n', '\n\n# the end\n', '\n---\nnot: { a: descriptor }\n'),
    head: fc.constantFrom('', '# shop\n\n', '---\n', '%YAML 1.2\n---\n', 'other: [1,2]\n---\n'),
  })
  .map(({ services, order, crlf, end, head }) => {
    const lines = order.flatMap((n) => linesOf(services[n as 0 | 1 | 2]));
    const text = `${head}sla_version:   v2.0\napplications:\n- application_name:  'shop'   # ours\n  microservices:\n${lines.join('\n')}${end}`;
    return crlf ? text.replaceAll('\n', '\r\n') : text;
  });

/** Lines with their ends. */
const split = (text: string): string[] => text.split(/(?<=\n)/);

describe('one value of a YAML text', () => {
  it('changes with its line only: comments, order, quotes, line ends and all other lines stay byte for byte', () => {
    fc.assert(
      fc.property(file, fc.nat(50), (text, replicas) => {
        const before = replicasIn(text, web);
        const { text: after, line } = edit(text, replicas);
        expect(replicasIn(after, web)).toBe(replicas);
        for (const other of ['shop.default.api.default', 'shop.default.db.default'])
          expect(replicasIn(after, other)).toBe(replicasIn(text, other));
        if (before === replicas) {
          expect(after).toBe(text);
          return;
        }
        const [old, now] = [split(text), split(after)];
        const changed = now.flatMap((one, at) => (old[at] === one ? [] : [at]));
        if (now.length === old.length) expect(changed).toEqual([line - 1]);
        else {
          // A line of its own: without it the text is what it was, but for the end of a last line that had none.
          expect(now.length).toBe(old.length + 1);
          const [added] = now.splice(line - 1, 1);
          expect(added?.trim()).toBe(`replicas: ${replicas}`);
          expect(now.join('').trimEnd()).toBe(text.trimEnd());
        }
        expect(edit(after, replicas).text).toBe(after);
      }),
      { numRuns: 150 },
    );
  });

  it('stays JSON in JSON', () => {
    const text =
      '{\n  "applications": [\n    { "application_name": "shop", "microservices": [ { "microservice_name": "web", "code": "a" } ] }\n  ]\n}\n';
    const { text: after } = edit(text, 3);
    expect(after).toBe(text.replace('"web"', '"web", "replicas": 3'));
    expect(JSON.parse(edit(after, 'every').text).applications[0].microservices[0].replicas).toBe('every');
  });

  it.each([
    [
      'an anchor',
      'applications:\n- application_name: shop\n  microservices:\n  - microservice_name: web\n    code: a\n    replicas: &n 3\n',
      6,
    ],
    [
      'an alias',
      'applications:\n- application_name: shop\n  microservices:\n  - &w\n    microservice_name: web\n    code: a\n  - *w\n',
      4,
    ],
    [
      'a merge key',
      'applications:\n- application_name: shop\n  microservices:\n  - microservice_name: web\n    code: a\n    <<: {replicas: 2}\n',
      6,
    ],
  ])('is refused beside %s, with file and line', (_, text, line) => {
    try {
      edit(text, 5);
    } catch (error) {
      if (!isProblemError(error)) throw error;
      expect(error.problem).toMatchObject({ code: 'YAML_INVALID', file: 'shop.yaml', line });
      return;
    }
    throw new Error('it was not refused');
  });

  it('that spans lines, and neighbours that are not there, are left to people', () => {
    const at = { document: 0, path: [], key: 'a', value: 1, after: 'b' };
    expect(editYaml('a: |\n  x\n  y\n', at)).toBeUndefined();
    expect(editYaml('c: 1\n', at)).toBeUndefined();
    expect(editYaml('[1]\n', at)).toBeUndefined();
    expect(editYaml('', at)).toBeUndefined();
  });
});

describe('the node of a direct constraint', () => {
  const text = (constraints: string): string => `# shop
applications:
- application_name: shop
  microservices:
  - microservice_name: web
    code: a
    constraints: # where it is warm
${constraints}  - { microservice_name: db, code: b, constraints: [{ type: direct, node: "pi1;pi2" }] }
`;
  const set = (constraints: string, ...names: string[]) =>
    setNode({ file: 'shop.yaml', text: text(constraints) }, web, names);

  it.each([
    ['    - { type: direct, node: "pi1; pi2" } # both\n', '    - { type: direct, node: pi2 } # both\n', 8],
    ['    - node: pi2;pi3 # two\n      type: direct\n', '    - node: pi2 # two\n      type: direct\n', 8],
    [
      '    - {type: label, label: zone, in: [a]}\n    - type: direct\n      node: pi1;pi2\n',
      '    - {type: label, label: zone, in: [a]}\n    - type: direct\n      node: pi2\n',
      10,
    ],
  ])('is one of those that are there, and nothing else changes: %j', (before, after, line) => {
    expect(set(before, 'pi2', '10.0.0.2')).toMatchObject({ text: text(after), line });
  });

  it('stays as it is called there, and as it is when it is the only one', () => {
    expect(set('    - { type: direct, node: 10.0.0.1;10.0.0.2 }\n', 'pi2', '10.0.0.2')?.text).toBe(
      text('    - { type: direct, node: 10.0.0.2 }\n'),
    );
    const alone = '    - { type: direct, node: "pi2" }\n';
    expect(set(alone, 'pi2')?.text).toBe(text(alone));
  });

  it.each([
    ['    - { type: label, label: zone, in: [a] }\n'],
    ['    - { type: direct, cluster: edge }\n'],
    ['    - { type: direct, node: pi1;pi3 }\n'],
    ['    - { type: direct, node: pi1;pi2 }\n    - { type: direct, node: pi2;pi3 }\n'],
  ])('is left alone where none, or more than one, names it: %j', (constraints) => {
    expect(set(constraints, 'pi2')).toBeUndefined();
  });

  it('is refused with what to write where it would become something else', () => {
    expect(() => set('    - { type: direct, node: "7;pi1" }\n', '7')).toThrow('write `node: 7` there');
  });
});
