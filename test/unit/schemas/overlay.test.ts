import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDescriptor } from '../../../schemas/descriptor.ts';
import { besideReference } from '../../../schemas/overlay.ts';
import { besideClusters, clustersIn } from '../../../schemas/selection.ts';

const base = `applications:
  - application_name: shop
    microservices:
      - microservice_name: web
        code: web:1
        memory: 20
        environment:
          - A=1
          - B=2
        healthcheck:
          command: [check]
          retries: 5
        files:
          - { path: /etc/web.conf, from: ./web.conf }
      - microservice_name: db
        code: db:1
  - application_name: tools
    application_namespace: infra
    microservices:
      - microservice_name: log
        code: log:1
`;
const patch = (services: string, app = 'shop'): string => `patch: common/shop.yaml
applications:
  - application_name: ${app}
    microservices:
${services.replace(/^(?=.)/gm, '      ')}
`;
const files = { [besideReference('common/shop.yaml')]: base, [besideReference('common/web.conf')]: 'root /' };
const read = (text: string, file = 'clusters/north/shop.yaml', texts: Record<string, string> = files) =>
  parseDescriptor(text, file, { files: texts, cluster: 'north', labels: { tier: 'small' }, origins: true });
const specOf = (text: string, name = 'shop.default.web.default') =>
  read(text).services.find(({ spec }) => spec.name === name);

describe('a patch', () => {
  it('changes what it names, and leaves the rest as the file says it', () => {
    const text = patch('- microservice_name: web\n  memory: 40\n  healthcheck: { retries: 2 }\n');
    const { services, problems, patches } = read(text);
    expect([problems, patches]).toEqual([[], ['common/shop.yaml']]);
    const alone = parseDescriptor(base, 'common/shop.yaml', { files: { './web.conf': 'root /' } });
    const digestsOf = (all: typeof services) => all.map(({ spec }) => [spec.name, spec.digest]);
    expect(digestsOf(services).slice(1)).toEqual(digestsOf(alone.services).slice(1));
    expect(services[0]?.spec.run).toEqual({
      ...alone.services[0]?.spec.run,
      memory: 40,
      healthcheck: { ...alone.services[0]?.spec.run.healthcheck, retries: 2 },
    });
  });

  it('that changes nothing changes no digest', () => {
    const { services } = read(patch('- microservice_name: web\n  memory: 20\n'));
    const alone = parseDescriptor(base, 'common/shop.yaml', { files: { './web.conf': 'root /' } });
    expect(services.map(({ spec }) => spec)).toEqual(alone.services.map(({ spec }) => spec));
  });

  it('makes the same of a text however it is split over the two files', () => {
    const fields: Readonly<Record<string, unknown>> = {
      code: 'web:1',
      cmd: ['serve', '--all'],
      memory: 40,
      vcpus: 0.5,
      replicas: 3,
      port: '8080:80',
      restart: 'always',
      healthcheck: { command: ['check'], retries: 2, interval: '5s' },
      update: { settle: '2s', max_unavailable: 2 },
      environment: ['A=1', 'B=2', 'C=3'],
    };
    const names = Object.keys(fields);
    const textOf = (more: object, service: object): string => {
      const microservices = [{ microservice_name: 'web', ...service }];
      return JSON.stringify({ ...more, applications: [{ application_name: 'shop', microservices }] });
    };
    const pick = (keys: readonly string[]) => Object.fromEntries(keys.map((key) => [key, fields[key]]));
    const whole = parseDescriptor(textOf({}, fields), 'shop.yaml');
    expect(whole.problems).toEqual([]);
    const other = { memory: 1, environment: ['B=9'], healthcheck: { retries: 9 }, code: 'other:9' };
    fc.assert(
      fc.property(fc.subarray(names), fc.subarray(Object.keys(other)), (moved, overridden) => {
        const stay = names.filter((name) => !moved.includes(name));
        // What the patch says again may be anything below, as long as it says all of it again.
        const below = Object.fromEntries(
          overridden.filter((key) => moved.includes(key)).map((key) => [key, other[key as keyof typeof other]]),
        );
        const texts = { [besideReference('common/shop.yaml')]: textOf({}, { ...pick(stay), ...below }) };
        const over = textOf({ patch: 'common/shop.yaml' }, pick(moved));
        const { services, problems } = read(over, undefined, texts);
        expect(problems).toEqual([]);
        const [split, one] = [services[0]?.spec, whole.services[0]?.spec];
        const sorted = (environment: readonly string[] = []) => [...environment].sort();
        expect(sorted(split?.run.environment)).toEqual(sorted(one?.run.environment));
        if (!('environment' in below)) expect(split).toEqual(one);
      }),
      { numRuns: 60 },
    );
  });

  it('finds variables by their names, replaces other lists, and takes away what is blank', () => {
    const text = patch('- microservice_name: web\n  environment: [B=3, C=4]\n  files: []\n  healthcheck:\n');
    expect(specOf(text)?.spec.run).toMatchObject({ environment: ['A=1', 'B=3', 'C=4'] });
    expect(specOf(text)?.spec.run).not.toHaveProperty('healthcheck');
    expect(specOf(text)?.spec.run).not.toHaveProperty('files');
  });

  it('says of each value where it was written', () => {
    const text = patch('- microservice_name: web\n  memory: 40\n  environment: [B=3]\n');
    const service = specOf(text);
    expect([service?.file, service?.line]).toEqual(['clusters/north/shop.yaml', 5]);
    const places = Object.fromEntries((service?.origins ?? []).map((one) => [one.field, `${one.file}:${one.line}`]));
    expect(places).toMatchObject({
      code: 'common/shop.yaml:5',
      memory: 'clusters/north/shop.yaml:6',
      'environment[0]': 'common/shop.yaml:8',
      'environment[1]': 'clusters/north/shop.yaml:7',
      'healthcheck.retries': 'common/shop.yaml:12',
    });
    const other = specOf(text, 'shop.default.db.default');
    expect([other?.file, other?.line]).toEqual(['common/shop.yaml', 15]);
  });

  it('takes in what the file takes in, from beside that file', () => {
    const { references } = read(patch('- microservice_name: web\n'));
    expect(references).toEqual([besideReference('common/shop.yaml'), besideReference('common/web.conf')]);
    expect(specOf(patch('- microservice_name: web\n'))?.spec.run.files?.[0]?.content).toBe('root /');
  });

  it.each([
    ['a service that is not there', patch('- microservice_name: wep\n  memory: 1\n'), 5, 'did you mean `web.default`'],
    ['an application that is not there', patch('- microservice_name: log\n', 'tools'), 3, 'belongs in a descriptor'],
    ['a service without a name', patch('- memory: 1\n'), 5, 'microservice_name'],
    ['a service that is there twice', patch('- microservice_name: web\n- microservice_name: web\n'), 6, undefined],
    ['a field that does not exist', patch('- microservice_name: web\n  memori: 1\n'), 6, 'memory'],
    ['a value that is none', patch('- microservice_name: web\n  memory: much\n'), 6, undefined],
  ])('with %s is an error at its line', (_what, text, line, hint) => {
    const { problems, services } = read(text);
    expect(services).toEqual([]);
    expect(problems[0]).toMatchObject({ file: 'clusters/north/shop.yaml', line });
    if (hint !== undefined) expect(problems[0]?.hint).toContain(hint);
  });

  it('of a file that is wrong says so at the line of that file', () => {
    const texts = { ...files, [besideReference('common/shop.yaml')]: base.replace('memory: 20', 'memory: much') };
    const [wrong] = read(patch('- microservice_name: db\n'), undefined, texts).problems;
    expect(wrong).toMatchObject({ file: 'common/shop.yaml', line: 6 });
    const broken = { [besideReference('common/shop.yaml')]: 'applications: [' };
    expect(read(patch('- microservice_name: db\n'), undefined, broken).problems[0]).toMatchObject({
      code: 'YAML_INVALID',
      file: 'common/shop.yaml',
    });
  });

  it.each([
    ['common/shop.yaml', 'north/shop.yaml'],
    ['common/shop.yaml', 'common/other.yaml'],
    ['common/../clusters/south/shop.yaml', 'clusters/north/shop.yaml'],
    ['../common/shop.yaml', 'clusters/north/shop.yaml'],
    ['common//shop.yaml', 'clusters/north/shop.yaml'],
    ['common/.hidden/shop.yaml', 'clusters/north/shop.yaml'],
    ['/etc/shop.yaml', 'clusters/north/shop.yaml'],
    ['clusters/south/shop.yaml', 'clusters/north/shop.yaml'],
    ['common/notes.txt', 'clusters/north/shop.yaml'],
    ['common/a\\u202eb.yaml', 'clusters/north/shop.yaml'],
  ])('of %s in %s reads nothing', (path, file) => {
    const text = patch('- microservice_name: web\n').replace('common/shop.yaml', `"${path}"`);
    const { problems, references, patches } = read(text, file);
    expect([references, patches]).toEqual([[], []]);
    expect(problems[0]).toMatchObject({ code: 'DESCRIPTOR_INVALID', file, line: 1 });
  });

  it('of a file that is not there says which, and asks for it', () => {
    const { problems, references, patches } = read(patch('- microservice_name: web\n'), undefined, {});
    expect(references).toEqual([besideReference('common/shop.yaml')]);
    expect(patches).toEqual(['common/shop.yaml']);
    expect(problems[0]).toMatchObject({ line: 1, message: expect.stringContaining('common/shop.yaml') });
  });

  it('of a patch is refused', () => {
    const texts = { [besideReference('common/shop.yaml')]: patch('- microservice_name: web\n') };
    expect(read(patch('- microservice_name: web\n'), undefined, texts).problems[0]).toMatchObject({
      file: 'common/shop.yaml',
      message: 'what is patched cannot be a patch',
    });
  });
});

describe('a patch that is to keep its reader busy', () => {
  const many = <T>(length: number, item: (at: number) => T): T[] => Array.from({ length }, (_, at) => item(at));
  /** The problems of one patch over one file, each with one application that is there so often. */
  const problemsOf = (below: object, often: number, over: object) => {
    const application = { application_name: 'a' };
    const texts = {
      [besideReference('common/a.yaml')]: JSON.stringify({
        applications: many(often, () => ({ ...application, ...below })),
      }),
    };
    const text = JSON.stringify({ patch: 'common/a.yaml', applications: [{ ...application, ...over }] });
    const { services, problems } = read(text, undefined, texts);
    expect(services).toEqual([]);
    return problems.map(({ message }) => message);
  };
  const names = (count: number, prefix: string) => many(count, (at) => ({ microservice_name: `${prefix}${at}` }));
  const tooMuch = 'with its patch there is too much in common/a.yaml';

  it.each<[string, object, number, object]>([
    ['variables for each', { environment: [] }, 3_000, { environment: many(9_000, (at) => `A${at}=1`) }],
    ['services for each, by name', { microservices: [] }, 3_000, { microservices: names(5_000, 's') }],
  ])('has no room for %s of what has one name', (_, below, often, over) => {
    expect(problemsOf(below, often, over)).toContain(tooMuch);
  });

  it('adds no services to what has none, however often that is there', () => {
    expect(problemsOf({}, 3_000, { microservices: names(5_000, 's') })).toHaveLength(20);
  });

  it('is told of as many names as of other mistakes', () => {
    const messages = problemsOf({ microservices: names(5_000, 's') }, 1, { microservices: names(5_000, 't') });
    expect(messages.slice(0, 20)).toEqual(many(20, (at) => `common/a.yaml has no microservice t${at}.default`));
    // Those of the file itself come behind.
    expect(messages.length).toBeLessThanOrEqual(40);
  });

  it('is one of a hundred in its file', () => {
    const one = patch('- microservice_name: web\n  memory: 40\n');
    const patches = (count: number) => many(count, () => one).join('---\n');
    expect(specOf(patches(100))?.spec.run.memory).toBe(40);
    expect(read(patches(101)).problems[0]?.message).toBe('there are more than 100 patches in one file');
  });
});

describe('values of a cluster', () => {
  const text = (line: string) => `applications:
  - application_name: shop
    microservices:
      - microservice_name: web
        ${line}
`;
  const readText = (line: string, options: object = { cluster: 'north', labels: { tier: 'small' } }) =>
    parseDescriptor(text(line), 'shop.yaml', options);

  it('are put in, and are in the digest', () => {
    const filled = readText(
      `code: registry.\${cluster.label.tier}:1\n        environment: ["N=\${cluster.name}-\${node.label.x}"]`,
    );
    expect(filled.problems).toEqual([]);
    expect(filled.services[0]?.spec.run).toMatchObject({
      code: 'registry.small:1',
      environment: [`N=north-\${node.label.x}`],
    });
    const plain = readText(`code: registry.small:1\n        environment: ["N=north-\${node.label.x}"]`);
    expect(filled.services[0]?.spec.digest).toBe(plain.services[0]?.spec.digest);
  });

  it('that the cluster does not have are errors, and those that nobody can know stay', () => {
    const missing = readText(`code: a:\${cluster.label.size}`);
    expect(missing.problems[0]).toMatchObject({ line: 5, message: 'the cluster north has no label `size`' });
    const none = readText(`code: a:\${cluster.size}`);
    expect(none.problems[0]?.message).toContain('there is no variable');
    const unknown = readText(`code: a:\${cluster.label.size}`, {});
    expect([unknown.problems, unknown.services[0]?.spec.run.code]).toEqual([[], `a:\${cluster.label.size}`]);
  });
});

it('what lies beside the folder of the clusters is found from the files in it, and from no others', () => {
  expect(besideClusters('common/a.yaml', 'clusters/x/b.yaml')).toBe('common/a.yaml');
  expect(besideClusters('common/a.yaml', 'fleet/clusters/x/y/b.yaml')).toBe('fleet/common/a.yaml');
  for (const file of ['b.yaml', 'clusters/b.yaml', 'x/clusters/b.yaml', 'common/b.yaml'])
    expect(besideClusters('common/a.yaml', file)).toBeUndefined();
  expect(clustersIn(['clusters/b/x', 'clusters/a/x', 'clusters/b/y', 'clusters/c', 'common/z'])).toEqual(['a', 'b']);
});
