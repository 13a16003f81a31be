import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseDescriptor } from '../../../schemas/descriptor.ts';
import { parseRunSpec, runSpecFields } from '../../../schemas/run-spec.ts';

const run = { virtualization: 'container', code: 'nginx' };

describe('run specs on the wire', () => {
  it('are what descriptors make of them', () => {
    const full = `applications:
- application_name: a
  microservices:
  - microservice_name: b
    code: nginx
    cmd: [x]
    environment: [A=1]
    port: 80:80
    memory: 1
    vcpus: 0.5
    limits: {memory: 2, vcpus: 1}
    healthcheck: {command: [x]}
    restart: on_failure
    one_shot: true
    stop_grace: 1s
    vgpus: 1
    files: [{path: /etc/a, content: x, mode: "0600"}]
    secrets: [db-password, {name: modem-pin, source: node}]
    host: {devices: [/dev/zero], mounts: [{path: /srv/a}], network: host, caps: [NET_ADMIN]}
    privileged: true
    volumes: [{name: data, mount_path: /data}]
`;
    const files = { 'secret:db-password': readFileSync('examples/secrets/secrets/db-password.yaml', 'utf8') };
    const spec = parseDescriptor(full, 'a', { files }).services[0]?.spec.run;
    expect(parseRunSpec(JSON.parse(JSON.stringify(spec)))).toEqual(spec);
    expect(Object.keys(spec ?? {}).sort()).toEqual(runSpecFields);
  });

  it('of a later version are told apart from broken ones', () => {
    expect(parseRunSpec({ ...run, suspended: [] })).toMatchObject({ code: 'UNKNOWN_FIELD', disposition: 'stall' });
    expect(parseRunSpec({ ...run, memory: '1' })).toMatchObject({ code: 'BAD_REQUEST', subject: 'memory' });
  });

  it.each([
    null,
    undefined,
    'nginx',
    [],
    {},
    { ...run, code: '' },
    { ...run, code: 'a\0b' },
    { ...run, cmd: ['a\0'] },
    { ...run, environment: ['A'] },
    { ...run, environment: ['=x'] },
    { ...run, ports: [{ host: 0, container: 80, protocol: 'tcp' }] },
    { ...run, ports: [{ host: 80, container: 80, protocol: 'tcp', ip: '0.0.0.0' }] },
    { ...run, virtualization: 'crosvm' },
    { ...run, privileged: 'yes' },
    { ...run, host: { pid: 'host' } },
    { ...run, host: { network: 'container:x' } },
    { ...run, host: { mounts: [{ source: 'data', target: '/data' }] } },
    { ...run, host: { mounts: [{ source: '/a', target: '/data', propagation: 'shared' }] } },
    { ...run, files: [{ path: '/a', content: 'x', mode: 0o4755 }] },
    { ...run, files: [{ path: 'a', content: 'x', mode: 0o644 }] },
    { ...run, vgpus: 0.5 },
    { ...run, healthcheck: { command: [] } },
  ])('%j is none', (value) => expect(parseRunSpec(value)).toHaveProperty('disposition'));
});
