import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDescriptor, toDescriptor } from '../../../schemas/descriptor.ts';
import { referencedPath } from '../../../schemas/descriptor-files.ts';
import { type Grant, missingGrant } from '../../../schemas/grants.ts';
import { grantableCapabilities, hostPathFault, neverMounted, usualCapabilities } from '../../../schemas/host-access.ts';
import { imageRefused } from '../../../schemas/image-rules.ts';
import { parsePolicy, withoutPaths } from '../../../schemas/policy.ts';
import type { RunSpec } from '../../../schemas/spec.ts';

type Fields = Readonly<Record<string, unknown>>;
const web = 'shop.default.web.default';

function parse(service: Fields, files: Readonly<Record<string, string>> = {}) {
  const microservices = [{ microservice_name: 'web', code: 'nginx', ...service }];
  const text = JSON.stringify({ applications: [{ application_name: 'shop', microservices }] });
  return parseDescriptor(text, 'a.yaml', { files });
}
function runOf(service: Fields, files: Readonly<Record<string, string>> = {}): RunSpec {
  const { services, problems } = parse(service, files);
  expect(problems.filter(({ severity }) => severity !== 'warning')).toEqual([]);
  return services[0]?.spec.run as RunSpec;
}
const problemsOf = (service: Fields, files: Readonly<Record<string, string>> = {}) =>
  parse(service, files).problems.map(({ code, message }) => `${code} ${message}`);

describe('host access in a descriptor', () => {
  it('is written in one way', () => {
    const host = {
      devices: ['/dev/zero', '/dev/full', '/dev/zero'],
      mounts: [
        { source: '/srv/b', target: '/z' },
        { path: '/srv/a', read_only: true },
      ],
      network: 'host',
      caps: ['cap_net_admin', 'SYS_TIME', 'CHOWN'],
    };
    expect(runOf({ host }).host).toEqual({
      devices: ['/dev/full', '/dev/zero'],
      mounts: [
        { source: '/srv/a', target: '/srv/a', read_only: true },
        { source: '/srv/b', target: '/z' },
      ],
      network: 'host',
      caps: ['NET_ADMIN', 'SYS_TIME'],
    });
    expect(problemsOf({ host: { caps: ['CHOWN'] } })).toEqual(['FIELD_IGNORED every container has CHOWN']);
  });

  it('warns, with the line that a node needs, and is absent where nothing is asked', () => {
    const { problems } = parse({ host: { mounts: [{ path: '/srv/my photos', read_only: true }] }, privileged: true });
    expect(problems).toMatchObject([
      {
        code: 'GRANT_NEEDED',
        severity: 'warning',
        hint: 'grants: - { app: shop.default, service: web.default, privileged: true, mounts: [{ path: "/srv/my photos", read_only: true }] }',
      },
    ]);
    expect(runOf({ host: {}, privileged: false, files: [], vgpus: 0 })).toEqual(runOf({}));
  });

  it.each<[string, Fields, string]>([
    ['a device elsewhere', { devices: ['/etc/zero'] }, 'is not below /dev'],
    ['all devices', { devices: ['/dev'] }, 'is not below /dev'],
    ['a device by a detour', { devices: ['/dev/../etc/shadow'] }, 'is not plain'],
    ['a relative mount', { mounts: [{ path: 'data' }] }, 'is not an absolute path'],
    ['two sources', { mounts: [{ path: '/a', source: '/b', target: '/c' }] }, 'names one folder'],
    ['no source', { mounts: [{ target: '/c' }] }, 'names one folder'],
    ['one target twice', { mounts: [{ path: '/a' }, { source: '/b', target: '/a' }] }, 'two mounts'],
    ['over the root', { mounts: [{ source: '/a', target: '/' }] }, 'its image'],
    ['over /proc', { mounts: [{ source: '/a', target: '/proc/sys' }] }, 'belongs to the engine'],
    ['another network', { network: 'container:x' }, 'must be one of host'],
    ['an unknown capability', { caps: ['NET_ADMN'] }, 'there is no capability'],
    ['all capabilities', { caps: ['ALL'] }, 'there is no capability'],
    ['an option of the engine', { pid: 'host' }, 'nothing knows the key'],
    ...['/', '/etc', '/etc/ssl', '/proc/1', '/root', '/run/docker.sock', '/var/run/docker.sock', '/var', '/sys'].map(
      (path): [string, Fields, string] => [path, { mounts: [{ source: path, target: '/x' }] }, 'never mounted'],
    ),
  ])('%s is an error', (_, host, message) => {
    const [first, ...more] = parse({ host }).problems.filter(({ severity }) => severity !== 'warning');
    expect(first?.message).toContain(message);
    expect(more).toEqual([]);
  });

  it('is not for processes', () => {
    const process = { virtualization: 'process', code: '/bin/a' };
    expect(problemsOf({ ...process, host: { network: 'host' } })[0]).toMatch(/^DESCRIPTOR_INVALID a process runs on/);
    expect(problemsOf({ ...process, privileged: true })[0]).toMatch(/^DESCRIPTOR_INVALID a process runs on/);
  });

  it("on the host's network ports are not mapped", () => {
    expect(problemsOf({ port: '80:81', host: { network: 'host' } })[0]).toContain('no port mapping (80:81)');
    expect(runOf({ port: '81', host: { network: 'host' } }).ports).toHaveLength(1);
  });
});

describe('files in a descriptor', () => {
  it('have contents and modes, and an order of their own', () => {
    const files = [
      { path: '/b', content: 'b', mode: '0755', read_only: true },
      { path: '/a', from: './a.conf', mode: '600' },
      { path: '/c', content: '' },
    ];
    expect(runOf({ files }, { './a.conf': 'from the repository' }).files).toEqual([
      { path: '/a', content: 'from the repository', mode: 0o600 },
      { path: '/b', content: 'b', mode: 0o555 },
      { path: '/c', content: '', mode: 0o644 },
    ]);
    expect(parse({ files }).references).toEqual(['./a.conf']);
  });

  it.each<[string, Fields, string]>([
    ['no content', { path: '/a' }, 'either `content` or `from`'],
    ['two contents', { path: '/a', content: '', from: 'a' }, 'either `content` or `from`'],
    ['a file that is not there', { path: '/a', from: 'b' }, 'there is no file b'],
    ['what every object has', { path: '/a', from: 'toString' }, 'there is no file toString'],
    ['a path out of the repository', { path: '/a', from: '../a' }, 'no plain path'],
    ['an absolute path of the repository', { path: '/a', from: '/etc/passwd' }, 'no plain path'],
    ['what git keeps in a working copy', { path: '/a', from: './.Git/config' }, 'no plain path'],
    ['a path out of it, as patches name files', { path: '/a', from: 'patch:../a' }, 'no plain path'],
    ['bytes', { path: '/a', from: 'bytes' }, 'no UTF-8 text'],
    ['a relative path', { path: 'a', content: '' }, 'is not an absolute path'],
    ['steps', { path: '/a/../b', content: '' }, 'is not plain'],
    ['a file of the engine', { path: '/etc/hosts', content: '' }, 'the engine writes it'],
    ['a folder of the engine', { path: '/dev/x', content: '' }, 'belongs to the engine'],
    ['a number as mode', { path: '/a', content: '', mode: 420 }, 'quoted octal number'],
    ['a set-uid mode', { path: '/a', content: '', mode: '4755' }, 'quoted octal number'],
  ])('%s is an error', (_, file, message) => {
    const [first, ...more] = parse({ files: [file] }, { bytes: 'a\ufffd' }).problems;
    expect(first?.message).toContain(message);
    expect(more).toEqual([]);
  });

  it('do not lie in each other, nor in a mount', () => {
    const two = (...paths: string[]) => problemsOf({ files: paths.map((path) => ({ path, content: '' })) });
    expect(two('/a', '/a-b', '/a/c')[0]).toContain('/a is there twice');
    expect(two('/a', '/a')[0]).toContain('/a is there twice');
    expect(two('/a', '/a-b', '/ab')).toEqual([]);
    const host = { mounts: [{ source: '/srv/a', target: '/data' }] };
    expect(problemsOf({ host, files: [{ path: '/data/x', content: '' }] }).join()).toContain('lies in the mount /data');
  });

  it('count in the digest by content and mode', () => {
    const digest = (file: Fields, texts = {}) =>
      parse({ files: [{ path: '/a', ...file }] }, texts).services[0]?.spec.digest;
    const same = digest({ content: 'x' });
    expect(digest({ from: 'x.conf' }, { 'x.conf': 'x' })).toBe(same);
    expect(digest({ from: 'x.conf' }, { 'x.conf': 'y' })).not.toBe(same);
    expect(digest({ content: 'x', read_only: true })).not.toBe(same);
  });

  it('are found beside the descriptor, or from the root', () => {
    expect(referencedPath('./a/b', 'clusters/home/shop.yaml')).toBe('clusters/home/a/b');
    expect(referencedPath('./a', 'shop.yaml')).toBe('a');
    expect(referencedPath('a', 'clusters/home/shop.yaml')).toBe('a');
  });

  it('and host access survive being written out', () => {
    const service = {
      files: [{ path: '/a', from: 'x', mode: '0400' }],
      host: { mounts: [{ path: '/srv/a', read_only: false }], caps: ['NET_ADMIN'] },
      privileged: true,
      vgpus: 2,
    };
    const [before] = parse(service, { x: 'text' }).services;
    const written = JSON.stringify(toDescriptor(before ? [before] : []));
    expect(parseDescriptor(written, 'b.yaml').services[0]?.spec.digest).toBe(before?.spec.digest);
  });
});

describe('paths of the host', () => {
  const level = fc.stringMatching(/^[a-z]{1,4}$/);
  const path = fc.oneof(
    fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => `/${levels.join('/')}`),
    fc.tuple(fc.constantFrom(...neverMounted), fc.array(level, { maxLength: 2 })).map(([a, b]) => [a, ...b].join('/')),
  );

  it('are refused exactly when they hold, or lie in, what is never mounted', () => {
    fc.assert(
      fc.property(path, fc.array(path, { maxLength: 2 }), (one, own) => {
        const related = [...neverMounted, ...own].some(
          (folder) => `${one}/`.startsWith(`${folder}/`) || `${folder}/`.startsWith(`${one}/`),
        );
        expect(hostPathFault(one, own) !== undefined).toBe(related);
      }),
    );
  });
});

describe('grants', () => {
  const asks: RunSpec = {
    virtualization: 'container',
    code: 'a',
    host: {
      devices: ['/dev/zero'],
      mounts: [{ source: '/srv/a/b', target: '/b' }],
      network: 'host',
      caps: ['NET_ADMIN', 'CHOWN'],
    },
    privileged: true,
  };
  const whole: Grant = {
    app: '*',
    devices: ['/dev/zero'],
    mounts: [{ path: '/srv/a' }],
    network: 'host',
    caps: ['NET_ADMIN'],
    privileged: true,
  };

  it('of everything leave nothing missing, also when they are in several pieces', () => {
    expect(missingGrant(web, asks, [whole])).toBeUndefined();
    const { app, devices, ...rest } = whole;
    expect(
      missingGrant(web, asks, [
        { app, ...(devices && { devices }) },
        { ...rest, app: 'shop.default' },
      ]),
    ).toBeUndefined();
    expect(missingGrant(web, { virtualization: 'container', code: 'a' }, [])).toBeUndefined();
  });

  it.each<[string, Partial<Grant>, string]>([
    ['another application', { app: 'shop.other' }, 'privileged'],
    ['another service', { app: 'shop.default', service: 'db.default' }, 'privileged'],
    ['another device', { devices: ['/dev/zero0'] }, 'device /dev/zero'],
    ['a folder beside', { mounts: [{ path: '/srv/a/bc' }] }, 'mount /srv/a/b (to write)'],
    ['only to read', { mounts: [{ path: '/srv/a', read_only: true }] }, 'mount /srv/a/b (to write)'],
    ['another capability', { caps: ['NET_RAW'] }, 'capability NET_ADMIN'],
  ])('for %s do not count', (_, change, what) => {
    const missing = missingGrant(web, asks, [{ ...whole, ...change }]);
    expect(missing?.what).toContain(what);
  });

  it('are named by the line that is missing, and that line is enough', () => {
    const devices = fc.uniqueArray(fc.stringMatching(/^\/dev\/[a-z0-9, :{}]{1,8}[a-z]$/), { maxLength: 3 });
    const mount = fc.record({
      source: fc.stringMatching(/^\/srv\/[a-z0-9,#" '-]{0,8}[a-z]$/),
      target: fc.constant('/x'),
      read_only: fc.boolean(),
    });
    const host = fc.record({
      devices,
      mounts: fc.array(mount, { maxLength: 2 }),
      caps: fc.subarray([...grantableCapabilities, ...usualCapabilities]),
    });
    const grants = fc.subarray([whole, { ...whole, app: 'other.default' }]);
    const service = fc.constantFrom(web, '1.2.3.4', 'true.null.no.yes');
    fc.assert(
      fc.property(host, fc.boolean(), grants, service, (asked, privileged, have, name) => {
        const run: RunSpec = { virtualization: 'container', code: 'a', host: asked, privileged };
        const missing = missingGrant(name, run, have);
        if (!missing) return;
        const { policy, problems } = parsePolicy(`grants:\n  ${missing.line}\n`, 'policy.yaml');
        expect(problems).toEqual([]);
        expect(missingGrant(name, run, [...have, ...(policy?.grants ?? [])])).toBeUndefined();
        expect(missingGrant('x.x.x.x', run, policy?.grants ?? [])).toBeDefined();
      }),
    );
  });
});

describe('policy.yaml', () => {
  it('grants what it says, with full names', () => {
    const text = `grants:
  - {app: shop, service: web.prod, caps: [cap_net_admin]}
  - {app: "*", mounts: [{path: /srv, read_only: true}], network: host}
`;
    expect(parsePolicy(text, 'policy.yaml').policy?.grants).toEqual([
      { app: 'shop.default', service: 'web.prod', caps: ['NET_ADMIN'] },
      { app: '*', mounts: [{ path: '/srv', read_only: true }], network: 'host' },
    ]);
    expect(parsePolicy('', 'policy.yaml')).toEqual({ policy: { grants: [] }, problems: [] });
    expect(parsePolicy('# nothing yet\n', 'policy.yaml').policy).toEqual({ grants: [] });
  });

  it.each([
    ['grants: [{app: a, pid: host}]', 'UNKNOWN_FIELD'],
    ['grants: [{devices: [/dev/zero]}]', 'POLICY_INVALID'],
    ['grants: [{app: a, mounts: [{path: /}]}]', 'POLICY_INVALID'],
    ['grants: [{app: a, mounts: [{path: /etc}]}]', 'POLICY_INVALID'],
    ['grants: [{app: a, mounts: [{path: srv}]}]', 'POLICY_INVALID'],
    ['grants: [{app: a, devices: [/etc/shadow]}]', 'POLICY_INVALID'],
    ['grants: [{app: a, caps: [EVERYTHING]}]', 'POLICY_INVALID'],
    ['grants: [{app: "a.b.c"}]', 'NAME_INVALID'],
    ['grants: [{app: "a*"}]', 'NAME_INVALID'],
    ['grants: {app: a}', 'POLICY_INVALID'],
    ['- app: a', 'POLICY_INVALID'],
    ['grants: []\n---\ngrants: []', 'POLICY_INVALID'],
    ['grants: [', 'YAML_INVALID'],
    ['registries: [https://docker.io]', 'POLICY_INVALID'],
    ['registries: []', 'POLICY_INVALID'],
    ['images: ["*"]', 'POLICY_INVALID'],
    ['images: ["ghcr.io/a*"]', 'POLICY_INVALID'],
    ['images: ["nginx:1.27"]', 'POLICY_INVALID'],
    ['images: nginx', 'POLICY_INVALID'],
  ])('%j is none', (text, code) => {
    const { policy, problems } = parsePolicy(text, 'policy.yaml');
    expect(policy).toBeUndefined();
    expect(problems[0]).toMatchObject({ code, file: 'policy.yaml' });
  });
});

describe('images of a policy', () => {
  const container = (code: string): RunSpec => ({ virtualization: 'container', code });
  const rules = (text: string) => parsePolicy(text, 'policy.yaml').policy?.accepts;

  it.each<[string, boolean]>([
    ['nginx', true],
    ['docker.io/library/nginx:1.27@sha256:00000000000000000000000000000000', true],
    ['index.docker.io/library/nginx', true],
    ['nginx-evil', false],
    ['evil/nginx', false],
    ['ghcr.io/acme/web:1', true],
    ['ghcr.io/acme/deep/web', true],
    ['ghcr.io/acme', false],
    ['ghcr.io/acmes/web', false],
    ['ghcr.io:5000/acme/web', false],
    ['evil.io/ghcr.io/acme/web', false],
    ['quay.io/a/b', false],
    ['QUAY.io/c/d', true],
    ['nginx@evil', false],
  ])('say of %s: %s', (image, allowed) => {
    const accepts = rules('registries: [docker.io, ghcr.io, Quay.io]\nimages: [nginx, ghcr.io/acme/*, quay.io/c/d]');
    expect(imageRefused(container(image), accepts) === undefined).toBe(allowed);
    expect(imageRefused(container(image), undefined)).toBeUndefined();
  });

  it('speak of containers, by each list alone, and say what is missing', () => {
    const accepts = rules('registries: [registry.home]');
    expect(imageRefused({ virtualization: 'process', code: '/bin/true' }, accepts)).toBeUndefined();
    expect(imageRefused(container('web:1'), accepts)).toBe('its registry docker.io is not one of registry.home');
    expect(imageRefused(container('web:1'), rules('images: [registry.home/*, db]'))).toBe(
      'docker.io/library/web is not one of registry.home/*, docker.io/library/db',
    );
    const { policy } = withoutPaths({ grants: [], accepts: accepts ?? {} }, 'policy.yaml');
    expect(policy.accepts).toEqual(accepts);
  });
});

describe('a policy for an agent that does not see its host', () => {
  it('keeps what needs no path, and says what is lost', () => {
    const grants: Grant[] = [
      { app: '*', mounts: [{ path: '/srv' }], devices: ['/dev/ttyUSB0'], caps: ['NET_ADMIN'] },
      { app: 'shop.default', network: 'host', privileged: true },
    ];
    const { policy, problems } = withoutPaths({ grants }, 'policy.yaml');
    expect(policy.grants).toEqual([
      { app: '*', caps: ['NET_ADMIN'] },
      { app: 'shop.default', network: 'host' },
    ]);
    expect(problems).toMatchObject([{ code: 'POLICY_INVALID', severity: 'warning', file: 'policy.yaml' }]);
    expect(withoutPaths(policy, 'policy.yaml')).toEqual({ policy, problems: [] });
  });
});
