import { describe, expect, it } from 'vitest';
import { parseDescriptor } from '../../../schemas/descriptor.ts';
import { digestOf } from '../../../schemas/digest.ts';
import { curlApplication } from '../../support/descriptors.ts';
import { errorsOf, type Fields, specOf, text } from './descriptor-support.ts';

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
