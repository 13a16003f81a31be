import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkNames, parseDescriptor, toDescriptor } from '../../../schemas/descriptor.ts';
import { digestOf } from '../../../schemas/digest.ts';
import type { Problem } from '../../../schemas/problem.ts';
import type { ServiceSpec } from '../../../schemas/spec.ts';
import { curlApplication } from '../../support/descriptors.ts';

type Fields = Readonly<Record<string, unknown>>;

/** A descriptor with one service, as text. */
function text(service: Fields = {}, application: Fields = {}, top: Fields = {}): string {
  const microservices = [{ microservice_name: 'web', code: 'nginx', ...service }];
  return JSON.stringify({ applications: [{ application_name: 'shop', microservices, ...application }], ...top });
}

function specOf(service: Fields = {}, application: Fields = {}): ServiceSpec {
  const { services, problems } = parseDescriptor(text(service, application), 'a.yaml');
  expect(problems.filter((p) => p.severity !== 'warning')).toEqual([]);
  return services[0]?.spec as ServiceSpec;
}

function errorsOf(service: Fields = {}, application: Fields = {}, top: Fields = {}): readonly Problem[] {
  const { services, problems } = parseDescriptor(text(service, application, top), 'a.yaml');
  const errors = problems.filter((p) => p.severity !== 'warning');
  expect(errors.length === 0 || services.length === 0).toBe(true);
  return errors;
}

const warningsOf = (service: Fields, application: Fields = {}, top: Fields = {}) => {
  expect(errorsOf(service, application, top)).toEqual([]);
  return parseDescriptor(text(service, application, top), 'a.yaml').problems;
};

describe('defaults', () => {
  it('fill in all but three fields', () => {
    expect(specOf()).toEqual({
      name: 'shop.default.web.default',
      run: { virtualization: 'container', code: 'nginx' },
      digest: digestOf({ virtualization: 'container', code: 'nginx' }),
      replicas: 1,
      needs: { memory: 0, vcpus: 0, vgpus: 0, storage: 0, bandwidth_in: 0, bandwidth_out: 0 },
      placement: { clusters: [], nodes: [], labels: [] },
      update: {
        order: 'start_first',
        settle: 10_000,
        timeout: 300_000,
        max_unavailable: 1,
        on_failure: 'rollback',
        notice: 1_000,
      },
      priority: 0,
    });
  });

  it('stop first when a host port is fixed, unless the descriptor says otherwise', () => {
    expect(specOf({ port: '80:80' }).update.order).toBe('stop_first');
    expect(specOf({ port: '80:80', update: { order: 'start_first' } }).update.order).toBe('start_first');
    expect(specOf({ port: '80:80', update: { strategy: 'rolling' } }).update.order).toBe('stop_first');
    expect(specOf({ update: { strategy: 'rolling' } }).update.order).toBe('start_first');
    expect(specOf({ update: { strategy: 'recreate' } }).update.order).toBe('recreate');
    expect(specOf({ update: { notice: 0, canary: { pool: 'test', wait: '5m' } } }).update).toMatchObject({
      notice: 0,
      canary: { pool: 'test', wait: 300_000 },
    });
    expect(specOf({ update: { canary: { pool: 'test' } } }).update.canary).toEqual({ pool: 'test', wait: 60_000 });
  });

  it('of a healthcheck are written into the run spec', () => {
    expect(specOf({ healthcheck: { command: ['true'], interval: '2s' } }).run.healthcheck).toEqual({
      command: ['true'],
      interval: 2_000,
      timeout: 5_000,
      retries: 3,
      start_period: 0,
    });
  });

  it('leave the digest alone: only what is written is in it', () => {
    const { digest } = specOf();
    expect(specOf({ memory: 0, vcpus: 0, cmd: [], environment: [], port: '', constraints: [] }).digest).toBe(digest);
    expect(specOf({ replicas: 5, priority: 3, update: { settle: '1s' }, vgpus: 0, storage: 5 }).digest).toBe(digest);
    expect(specOf({ microservice_name: 'other' }, { application_desc: 'text' }).digest).toBe(digest);
    expect(specOf({ restart: 'always' }).digest).not.toBe(digest);
    expect(specOf({ memory: 1 }).digest).not.toBe(digest);
  });

  it('make needs the caps under the cluster policy `request`', () => {
    const caps = (service: Fields) =>
      parseDescriptor(text(service), 'a', { limits: 'request' }).services[0]?.spec.run.limits;
    expect(caps({ memory: 64, vcpus: 0.5 })).toEqual({ memory: 64, vcpus: 0.5 });
    expect(caps({ memory: 64, limits: { memory: 128 } })).toEqual({ memory: 128 });
    expect(caps({})).toBeUndefined();
    expect(specOf({ memory: 64 }).run.limits).toBeUndefined();
  });
});

describe('what is asked for', () => {
  it('arrives in the spec', () => {
    const spec = specOf(
      {
        microservice_namespace: 'prod',
        virtualization: 'docker',
        cmd: ['sh', '-c', 'true'],
        environment: ['A=1', 'B=x=y', 'C='],
        memory: 64,
        vcpus: 0.5,
        port: '8080:80/tcp;53/udp',
        replicas: 'every',
        limits: { memory: 128 },
        restart: 'on_failure',
        stop_grace: '500ms',
        priority: -3,
        update: { order: 'stop_first', settle: 1500, timeout: '1m', max_unavailable: 2, on_failure: 'pause' },
        constraints: [
          { type: 'direct', node: 'pi1;pi2; pi1 ', cluster: 'north' },
          { type: 'label', label: 'gpu', exists: true },
          { type: 'label', label: 'zone', in: ['a', 'b'], not_in: ['c'] },
        ],
      },
      { application_namespace: 'eu', application_desc: 'A shop' },
    );
    expect(spec).toMatchObject({
      name: 'shop.eu.web.prod',
      run: {
        virtualization: 'container',
        cmd: ['sh', '-c', 'true'],
        environment: ['A=1', 'B=x=y', 'C='],
        ports: [
          { host: 8080, container: 80, protocol: 'tcp' },
          { host: 53, container: 53, protocol: 'udp' },
        ],
        memory: 64,
        vcpus: 0.5,
        limits: { memory: 128 },
        restart: 'on_failure',
        stop_grace: 500,
      },
      replicas: 'every',
      priority: -3,
      update: { order: 'stop_first', settle: 1500, timeout: 60_000, max_unavailable: 2, on_failure: 'pause' },
      placement: {
        clusters: ['north'],
        nodes: ['pi1', 'pi2'],
        labels: [
          { label: 'gpu', op: 'exists', values: [] },
          { label: 'zone', op: 'in', values: ['a', 'b'] },
          { label: 'zone', op: 'not_in', values: ['c'] },
        ],
      },
      description: 'A shop',
    });
  });

  it('narrows when constraints name nodes twice', () => {
    const direct = (...nodes: string[]) => ({ constraints: nodes.map((node) => ({ type: 'direct', node })) });
    expect(specOf(direct('a;b', 'b;c')).placement.nodes).toEqual(['b']);
    expect(errorsOf(direct('a', 'b'))[0]?.message).toContain('no name is in both');
  });

  it('may be left blank', () => {
    const blank =
      'applications:\n- application_name: a\n  applicationID:\n  microservices:\n  - microservice_name: b\n    code: c\n    cmd:\n    constraints:\n    healthcheck:\n    state:\n';
    expect(parseDescriptor(blank, 'a').problems).toEqual([]);
    expect(parseDescriptor(blank, 'a').services).toHaveLength(1);
  });

  it("of Oakestra's own example runs unchanged", () => {
    const { services, problems } = parseDescriptor(
      curlApplication({ curl: 'docker.io/curlimages/curl:7.82.0', nginx: 'docker.io/library/nginx:latest' }),
      'deploy_curl_application.yaml',
    );
    expect(services.map(({ spec }) => spec.name)).toEqual(['clientsrvr.test.curl.test', 'clientsrvr.test.nginx.test']);
    expect(services[1]?.spec.run.ports).toEqual([{ host: 6080, container: 60, protocol: 'tcp' }]);
    expect(services.map(({ app, line }) => [app, line])).toEqual([
      ['clientsrvr.test', 11],
      ['clientsrvr.test', 29],
    ]);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ code: 'FIELD_NOT_SERVED', severity: 'warning', line: 46 });
  });

  it('may be spread over documents, next to documents of others', () => {
    const { services, problems } = parseDescriptor(
      `${text()}\n---\nkind: Other\n---\n${text({ microservice_name: 'db' })}\n`,
      'a.yaml',
    );
    expect(problems).toEqual([]);
    expect(services.map(({ spec, line }) => [spec.name, line])).toEqual([
      ['shop.default.web.default', 1],
      ['shop.default.db.default', 5],
    ]);
  });
});

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

describe('where instances go', () => {
  it('apart takes services of the same application by their short name', () => {
    const constraints = [{ type: 'apart', services: ['web', 'a.b.c.d', 'web'], label: 'rack' }];
    const apart = [{ services: ['a.b.c.d', 'shop.eu.web.prod'], label: 'rack' }];
    const { placement } = specOf({ microservice_namespace: 'prod', constraints }, { application_namespace: 'eu' });
    expect(placement.apart).toEqual(apart);
    expect(errorsOf({ constraints: [{ type: 'apart', services: ['wbe'] }] })).toMatchObject([
      { code: 'DESCRIPTOR_INVALID', message: 'application shop has no service `wbe` here' },
    ]);
    expect(errorsOf({ constraints: [{ type: 'apart' }] })).toMatchObject([{ hint: 'services: [web]' }]);
    expect(errorsOf({ constraints: [{ type: 'apart', services: ['web'], node: 'a' }] })).toMatchObject([
      { code: 'UNKNOWN_FIELD' },
    ]);
  });

  it('arch is written in the words of engines', () => {
    expect(specOf({ arch: ['x86_64', 'aarch64', 'amd64', 'linux/arm/v7'] }).placement.arch).toEqual([
      'amd64',
      'arm',
      'arm64',
    ]);
    expect(specOf({ arch: [] }).placement).toEqual({ clusters: [], nodes: [], labels: [] });
  });

  it('spread is a wish unless it says otherwise', () => {
    expect(specOf({ spread: [{ label: 'zone' }] }).placement.spread).toEqual([{ label: 'zone', required: false }]);
    expect(errorsOf({ spread: [{ label: 'a b' }] })).toMatchObject([{ code: 'DESCRIPTOR_INVALID' }]);
  });

  it('none of it is in the digest', () => {
    const more = { arch: ['arm64'], spread: [{ label: 'zone' }], constraints: [{ type: 'apart', services: ['web'] }] };
    expect(specOf(more).digest).toBe(specOf().digest);
  });

  it('variables of the environment are kept as written, and must exist', () => {
    const environment = [`A=\${node.label.shop} \${HOME}`];
    expect(specOf({ environment }).run.environment).toEqual(environment);
    expect(errorsOf({ environment: [`A=\${node.name}`] })).toMatchObject([
      { message: 'there is no variable `node.name`', hint: `\${node.label.<key>}` },
    ]);
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

describe('the normalised form', () => {
  const word = fc.stringMatching(/^[a-z0-9]{1,8}$/);
  const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
  const duration = fc.oneof(fc.integer({ min: 100, max: 9_000 }), fc.constantFrom('100ms', '2s', '9s'));
  const service = fc.record({
    microservice_namespace: maybe(word),
    virtualization: fc.constantFrom(undefined, 'container', 'process'),
    cmd: maybe(fc.array(fc.string(), { maxLength: 3 })),
    environment: maybe(fc.uniqueArray(word, { maxLength: 3 }).map((keys) => keys.map((key) => `${key}=1`))),
    memory: maybe(fc.integer({ min: 0, max: 100 })),
    vcpus: maybe(fc.constantFrom(0, 0.5, 2)),
    storage: maybe(fc.integer({ min: 0, max: 100 })),
    port: fc.constantFrom(undefined, '80', '80:80;81/udp', 80),
    replicas: fc.constantFrom(undefined, 0, 3, 'every'),
    limits: maybe(fc.record({ memory: maybe(fc.integer({ min: 0, max: 9 })), vcpus: maybe(fc.constantFrom(0, 1)) })),
    healthcheck: maybe(
      fc.record({ command: fc.constant(['true']), interval: maybe(duration), timeout: maybe(duration) }),
    ),
    restart: fc.constantFrom(undefined, 'on_failure', 'never'),
    one_shot: fc.constantFrom(undefined, true, false),
    stop_grace: maybe(duration),
    priority: maybe(fc.integer({ min: -9, max: 9 })),
    update: maybe(
      fc.record({ settle: maybe(duration), order: fc.constantFrom(undefined, 'stop_first', 'start_first') }),
    ),
    constraints: fc.constantFrom(
      undefined,
      [{ type: 'direct', node: 'a;b', cluster: 'c' }],
      [
        { type: 'label', label: 'x', in: ['1'] },
        { type: 'label', label: 'y', exists: false },
        { type: 'apart', services: ['web', 'a.b.c.d'], label: 'rack' },
        { type: 'apart', services: ['web'] },
      ],
    ),
    arch: maybe(fc.subarray(['amd64', 'aarch64', 'riscv64'])),
    spread: maybe(fc.constantFrom([], [{ label: 'zone' }, { label: 'rack', required: true }])),
  });

  it('reads back to the same specs', () => {
    fc.assert(
      fc.property(service, maybe(fc.constantFrom('', 'text')), (fields, application_desc) => {
        const once = parseDescriptor(text(fields, { application_desc }), 'a');
        expect(once.services).toHaveLength(1);
        const again = parseDescriptor(JSON.stringify(toDescriptor(once.services)), 'b');
        expect(again.services.map(({ spec }) => spec)).toEqual(once.services.map(({ spec }) => spec));
        expect(toDescriptor(again.services)).toEqual(toDescriptor(once.services));
      }),
      { numRuns: 300 },
    );
  });

  it('shows the defaults', () => {
    const { services } = parseDescriptor(text(), 'a');
    expect(toDescriptor(services)).toMatchObject({
      sla_version: 'v2.0',
      applications: [
        {
          application_namespace: 'default',
          microservices: [
            { microservice_namespace: 'default', virtualization: 'container', replicas: 1, update: { settle: '10s' } },
          ],
        },
      ],
    });
  });
});

describe('any value at all', () => {
  const keys = fc.constantFrom(
    'applications',
    'sla_version',
    'microservices',
    'application_name',
    'microservice_name',
    'code',
    'port',
    'update',
    'constraints',
    'type',
    'replicas',
    '__proto__',
    'constructor',
    'polluted',
  );
  const leaf = fc.oneof(
    fc.string(),
    fc.integer(),
    fc.constantFrom('direct', 'v2.0', 'every', '80:80', null, true, Number.MAX_VALUE),
  );

  it('never throws, and never reaches a prototype', () => {
    fc.assert(
      fc.property(
        fc.object({ key: keys, values: [leaf], maxDepth: 5, maxKeys: 4 }),
        fc.array(fc.object({ key: keys, values: [leaf] })),
        (value, list) => {
          for (const candidate of [
            value,
            { applications: list },
            { applications: [{ application_name: 'a', microservices: list }] },
          ]) {
            const { services, problems } = parseDescriptor(JSON.stringify(candidate), 'a');
            expect(services.length === 0 || problems.every((p) => p.severity === 'warning')).toBe(true);
          }
          expect(({} as Fields)['polluted']).toBeUndefined();
        },
      ),
      { numRuns: 500 },
    );
  });
});
