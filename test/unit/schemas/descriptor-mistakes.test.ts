import { describe, expect, it } from 'vitest';
import { checkNames, parseDescriptor } from '../../../schemas/descriptor.ts';
import type { Problem } from '../../../schemas/problem.ts';
import { errorsOf, type Fields, text, warningsOf } from './descriptor-support.ts';

describe('mistakes', () => {
  it.each<[string, Fields, Partial<Problem>]>([
    ['vcpu', { vcpu: 1 }, { code: 'UNKNOWN_FIELD', hint: 'did you mean `vcpus`?' }],
    ['image', { image: 'x' }, { code: 'UNKNOWN_FIELD', hint: 'did you mean `code`?' }],
    ['env', { env: [] }, { code: 'UNKNOWN_FIELD', hint: 'did you mean `environment`?' }],
    ['update.stop', { update: { strategi: 'rolling' } }, { code: 'UNKNOWN_FIELD', hint: 'did you mean `strategy`?' }],
    ['memory', { memory: '100' }, { code: 'DESCRIPTOR_INVALID', message: '`memory`: must be a number, not "100"' }],
    ['code', { code: 'Nginx' }, { code: 'DESCRIPTOR_INVALID' }],
    ['cmd', { cmd: 'sh -c true' }, { message: '`cmd`: must be a list like ["sh", "-c", "..."], not "sh -c true"' }],
    ['environment', { environment: { A: 1 } }, { message: '`environment`: must be a list of KEY=value, not a map' }],
    ['environment twice', { environment: ['A=1', 'A=2'] }, { message: '`A` is set twice' }],
    ['environment without value', { environment: ['A'] }, { code: 'DESCRIPTOR_INVALID' }],
    ['port', { port: '80:80,81:81' }, { hint: 'write 80:80;81:81' }],
    ['port 50103', { port: '50103:80' }, { message: expect.stringContaining('reserved') as never }],
    ['replicas', { replicas: -1 }, { code: 'DESCRIPTOR_INVALID' }],
    ['replicas evry', { replicas: 'evry' }, { message: expect.stringContaining('or `every`') as never }],
    ['name', { microservice_name: 'a_b' }, { code: 'NAME_INVALID' }],
    ['long name', { microservice_name: 'a'.repeat(31) }, { code: 'NAME_INVALID' }],
    ['dotted namespace', { microservice_namespace: 'a.b' }, { code: 'NAME_INVALID' }],
    ['restart', { one_shot: true, restart: 'always' }, { code: 'DESCRIPTOR_INVALID' }],
    ['order', { update: { order: 'stop_first', strategy: 'start_first' } }, { code: 'DESCRIPTOR_INVALID' }],
    ['canary', { update: { canary: { wait: '5m' } } }, { code: 'DESCRIPTOR_INVALID' }],
    [
      'canary of recreate',
      { update: { strategy: 'recreate', canary: { pool: 'a' } } },
      { message: expect.stringContaining('none of them goes first') as never },
    ],
    ['settle', { update: { settle: '10m' } }, { message: expect.stringContaining('never settles') as never }],
    ['timeout', { update: { timeout: 'soon' } }, { message: expect.stringContaining('must be a time') as never }],
    ['healthcheck', { healthcheck: { command: 'curl x' } }, { code: 'DESCRIPTOR_INVALID' }],
    [
      'interval',
      { healthcheck: { command: ['x'], interval: 1 } },
      { message: expect.stringContaining('at least') as never },
    ],
    ['virtualization', { virtualization: 'vm' }, { code: 'DESCRIPTOR_INVALID' }],
    ['unikernel', { virtualization: 'unikernel' }, { code: 'FIELD_NOT_SERVED' }],
    ['process port', { virtualization: 'process', code: '/bin/a', port: '80:81' }, { code: 'DESCRIPTOR_INVALID' }],
    ['constraint', { constraints: [{ type: 'dirct', node: 'a' }] }, { hint: 'did you mean `direct`?' }],
    ['empty direct', { constraints: [{ type: 'direct' }] }, { code: 'DESCRIPTOR_INVALID' }],
    ['constraint key', { constraints: [{ type: 'direct', node: 'a', area: 1 }] }, { code: 'UNKNOWN_FIELD' }],
    ['geo', { constraints: [{ type: 'geo', location: '1,2' }] }, { code: 'FIELD_NOT_SERVED' }],
    ['empty label', { constraints: [{ type: 'label', label: 'a' }] }, { code: 'DESCRIPTOR_INVALID' }],
    ['half a GPU', { vgpus: 0.5 }, { code: 'DESCRIPTOR_INVALID' }],
    ['depends_on itself', { depends_on: ['web'] }, { message: 'a service cannot wait for itself' }],
    ['depends_on a.b', { depends_on: ['a.b'] }, { message: '`a.b` is no name of a service' }],
    [
      'a secret of nowhere',
      { secrets: [{ name: 'a', source: 'vault' }] },
      { message: expect.stringContaining('with source: node') as never },
    ],
    [
      'a secret of the node with keys',
      { secrets: [{ name: 'a', source: 'node', key: 'b' }] },
      { code: 'DESCRIPTOR_INVALID', hint: 'leave it out' },
    ],
    ['a secret that is a path', { secrets: [{ name: '../a', source: 'node' }] }, { code: 'DESCRIPTOR_INVALID' }],
    [
      'a secret of the node over a file',
      { secrets: [{ name: 'a', source: 'node', path: '/a' }], files: [{ path: '/a', content: 'x' }] },
      { message: '/a is there twice, or a file and a folder' },
    ],
    ['a volume without a path', { volumes: [{ name: 'a' }] }, { code: 'DESCRIPTOR_INVALID' }],
    ['a volume at the root', { volumes: [{ name: 'a', mount_path: '/' }] }, { code: 'DESCRIPTOR_INVALID' }],
    [
      'volumes of one name',
      { volumes: [1, 2].map((n) => ({ name: 'a', mount_path: `/d${n}` })) },
      { code: 'DESCRIPTOR_INVALID', message: 'two volumes are named a' },
    ],
    [
      'a volume below another',
      {
        volumes: [
          { name: 'a', mount_path: '/d' },
          { name: 'b', mount_path: '/d/x' },
        ],
      },
      { code: 'DESCRIPTOR_INVALID', message: '/d/x is mounted already, by /d' },
    ],
    [
      'a volume and two copies at once',
      { volumes: [{ name: 'a', mount_path: '/d' }], update: { order: 'start_first' } },
      { code: 'DESCRIPTOR_INVALID', hint: 'order: stop_first' },
    ],
    [
      'a file below a volume',
      { volumes: [{ name: 'a', mount_path: '/d' }], files: [{ path: '/d/x', content: 'y' }] },
      { code: 'DESCRIPTOR_INVALID', message: '/d/x is below the volume a' },
    ],
    [
      'a process with a volume',
      { virtualization: 'process', code: '/bin/x', volumes: [{ name: 'a', mount_path: '/d' }] },
      { code: 'DESCRIPTOR_INVALID' },
    ],
    ['id', { microserviceID: 'abc' }, { code: 'FIELD_NOT_SERVED' }],
  ])('%s', (_, service, expected) => {
    const [problem, ...more] = errorsOf(service);
    expect(problem).toMatchObject({ file: 'a.yaml', line: 1, ...expected });
    expect(problem?.column).toBeGreaterThan(1);
    expect(more).toEqual([]);
  });

  it('at the top', () => {
    expect(errorsOf({}, {}, { sla_version: 'v0.2' })[0]).toMatchObject({ hint: 'write `v2.0`' });
    expect(errorsOf({}, {}, { sla_versoin: 'v2.0' })[0]).toMatchObject({ hint: 'did you mean `sla_version`?' });
    expect(errorsOf({}, { applicationID: 'x' })[0]).toMatchObject({ code: 'FIELD_NOT_SERVED' });
    expect(
      parseDescriptor('aplications: []', 'a')
        .problems.map((p) => p.code)
        .sort(),
    ).toEqual(['DESCRIPTOR_INVALID', 'UNKNOWN_FIELD']);
    expect(parseDescriptor('a: 1', 'a').problems[0]?.message).toContain('no document');
    expect(parseDescriptor('', 'a').problems[0]?.message).toContain('no document');
    expect(parseDescriptor('{', 'a').problems[0]?.code).toBe('YAML_INVALID');
  });

  it('of one service fail the whole file, and all names are still made out', () => {
    const good = { microservice_name: 'good', code: 'nginx' };
    const bad = { microservice_name: 'bad', code: 'nginx', vcpu: 1 };
    const nameless = { code: 'nginx' };
    const file = JSON.stringify({
      applications: [{ application_name: 'shop', microservices: [good, bad, nameless] }],
    });
    const { services, names, problems } = parseDescriptor(file, 'a.yaml');
    expect(services).toEqual([]);
    expect(names).toEqual(['shop.default.good.default', 'shop.default.bad.default']);
    expect(problems.map(({ code, subject }) => [code, subject])).toEqual([
      ['UNKNOWN_FIELD', 'shop.default.bad.default'],
      ['DESCRIPTOR_INVALID', 'applications[0].microservices[2]'],
    ]);
  });

  it('point at line and column', () => {
    const yaml = `applications:
  - application_name: shop
    microservices:
      - microservice_name: web
        code: nginx
        helthcheck:
          command: ["true"]
`;
    expect(parseDescriptor(yaml, 'shop.yaml').problems).toEqual([
      {
        code: 'UNKNOWN_FIELD',
        subject: 'shop.default.web.default',
        message: 'nothing knows the key `helthcheck`',
        hint: 'did you mean `healthcheck`?',
        file: 'shop.yaml',
        line: 6,
        column: 9,
        disposition: 'stall',
      },
    ]);
  });

  it('in size: a job over 64 KiB is refused', () => {
    const environment = (bytes: number) => ({ environment: [`A=${'x'.repeat(30_000)}`, `B=${'x'.repeat(bytes)}`] });
    expect(errorsOf(environment(30_000))).toEqual([]);
    const big = { ...environment(30_000), cmd: ['x'.repeat(20_000)] };
    expect(errorsOf(big)[0]?.message).toContain('at most 65536');
  });
});

describe('warnings', () => {
  it.each<[string, Fields, string]>([
    ['privileged', { privileged: true }, 'GRANT_NEEDED'],
    ['host', { host: { devices: ['/dev/zero'] } }, 'GRANT_NEEDED'],
    ['vtpus', { vtpus: 1 }, 'FIELD_IGNORED'],
    ['storage', { storage: 5 }, 'FIELD_IGNORED'],
    ['bandwidth', { bandwidth_in: 5 }, 'FIELD_IGNORED'],
    ['rr_ip', { addresses: { rr_ip: '10.30.0.1' } }, 'FIELD_NOT_SERVED'],
    ['closest_ip', { addresses: { closest_ip: '10.30.0.1' } }, 'FIELD_IGNORED'],
    ['state', { state: 'x' }, 'FIELD_IGNORED'],
    ['added_files', { added_files: ['x'] }, 'FIELD_IGNORED'],
    ['connectivity', { connectivity: [{ target_microservice_id: 'x' }] }, 'FIELD_IGNORED'],
  ])('%s', (_, service, code) => {
    expect(warningsOf(service)).toMatchObject([{ code, severity: 'warning', subject: 'shop.default.web.default' }]);
  });

  it('are silent about what is empty', () => {
    const empty = {
      vgpus: 0,
      vtpus: 0,
      state: '',
      added_files: [],
      volumes: [],
      privileged: false,
      host: {},
      addresses: {},
    };
    expect(warningsOf(empty, { applicationID: '' }, { customerID: 'Admin' })).toEqual([]);
    expect(warningsOf({}, {}, { customerID: 'Eve' })).toMatchObject([{ code: 'FIELD_IGNORED', subject: 'customerID' }]);
  });
});

describe('names over files', () => {
  const services = (...files: string[]) =>
    files.flatMap((one, index) => parseDescriptor(one, `${index}.yaml`).services);

  it('are there once', () => {
    expect(checkNames(services(text(), text()))).toMatchObject([
      { code: 'NAME_TAKEN', file: '1.yaml', subject: 'shop.default.web.default' },
    ]);
    expect(checkNames(services(text(), text({ microservice_name: 'db' })))).toEqual([]);
  });

  it('do not differ by case only', () => {
    expect(checkNames(services(text(), text({ microservice_name: 'Web' })))).toHaveLength(1);
    const other = text({ microservice_name: 'db' }, { application_name: 'Shop' });
    expect(checkNames(services(text(), other))).toMatchObject([{ subject: 'Shop.default' }]);
  });

  it('are checked within a file too', () => {
    const two = [
      { microservice_name: 'web', code: 'a' },
      { microservice_name: 'WEB', code: 'a' },
    ];
    expect(errorsOf({}, { microservices: two })).toMatchObject([{ code: 'NAME_TAKEN' }]);
  });
});
