import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../schemas/digest.ts';
import {
  descriptorOfJob,
  isOakestraRegistration,
  jobOfRun,
  parsePlainControl,
  parseRegistration,
  parseSeedInformation,
  plainFields,
  serviceOfJob,
} from '../../../schemas/seed.ts';
import type { RunSpec } from '../../../schemas/spec.ts';

describe('a registration', () => {
  const good = { id: '17', name: 'pi-1', ip: '10.0.0.7', port: '3000' };

  it.each([
    ['texts', good, { ...good, port: 3000 }],
    ['numbers', { ...good, id: 17, port: 0 }, { ...good, port: 0 }],
    ['no id', { ...good, id: '' }, { ...good, id: '', port: 3000 }],
    ['IPv6', { ...good, ip: 'fd00::1' }, { ...good, ip: 'fd00::1', port: 3000 }],
  ])('with %s is understood', (_, body, value) => expect(parseRegistration(body)).toEqual({ ok: true, value }));

  it.each([
    ['a missing key', { id: '1', name: 'a', ip: '10.0.0.1' }, 'BAD_REQUEST'],
    ['a further key', { ...good, token: 'x' }, 'UNKNOWN_FIELD'],
    ['a bad name', { ...good, name: 'a/b' }, 'NAME_INVALID'],
    ['a host name for an IP', { ...good, ip: 'pi.local' }, 'BAD_REQUEST'],
    ['a port that is none', { ...good, port: '70000' }, 'BAD_REQUEST'],
    ['a port in words', { ...good, port: 'http' }, 'BAD_REQUEST'],
    ['no map', [], 'BAD_REQUEST'],
  ])('with %s is refused', (_, body, code) =>
    expect(parseRegistration(body)).toMatchObject({ ok: false, problem: { code } }),
  );

  it('of a worker of Oakestra itself is told apart', () => {
    expect(isOakestraRegistration({ ...good, free_cores: 4 })).toBe(true);
    expect(isOakestraRegistration({ ...good, virtualization: ['docker'] })).toBe(true);
    expect(isOakestraRegistration(good)).toBe(false);
    expect(isOakestraRegistration(null)).toBe(false);
  });
});

describe('information', () => {
  it.each([
    ['{"cpu":12.5,"memory":40}', { cpu: 12.5, memory: 40 }],
    ['{"cpu":"12.5","memory":"40"}', { cpu: 12.5, memory: 40 }],
    ['{"cpu":250,"memory":0,"more":true}', { cpu: 250, memory: 0 }],
  ])('%s is understood', (text, value) => expect(parseSeedInformation(text)).toEqual({ ok: true, value }));

  it.each([
    '{"cpu":1}',
    '{"cpu":-1,"memory":1}',
    '{"cpu":1,"memory":101}',
    '{"cpu":1,"memory":"101"}',
    '{"cpu":"","memory":1}',
    '{"cpu":"1e3","memory":1}',
    '[]',
    'x',
  ])('%s is refused', (text) => expect(parseSeedInformation(text).ok).toBe(false));
});

describe('a plain control', () => {
  it('is the envelope of seed 000; what it has beside that is passed over', () => {
    const control = {
      command: 'deploy',
      job: { id: 7, name: 'cat', image: 'nginx', technology: 'docker', etc: 'etc.' },
      worker: 'pi-1',
      more: 1,
    };
    expect(parsePlainControl(JSON.stringify(control))).toMatchObject({ ok: true, value: { command: 'deploy' } });
  });

  it.each([
    { command: 'run', job: { name: 'cat' } },
    { command: 'deploy', job: {} },
    { command: 'deploy', job: { name: 'cat', image: 7 } },
    { command: 'deploy', job: { name: 'cat', technology: 'magic' } },
    { command: 'deploy', job: { name: 'cat', environment: 'A=b' } },
    { command: 'deploy', job: { name: 'cat', id: -1 } },
    { command: 'deploy' },
  ])('%j is refused', (control) => expect(parsePlainControl(JSON.stringify(control)).ok).toBe(false));
});

describe('a plain job', () => {
  it('is a service of one instance under its name', () => {
    const parsed = serviceOfJob({ name: 'cat', image: 'nginx:1', port: '8080:80', memory: 64 }, {}, 'f');
    expect(parsed).toMatchObject({
      ok: true,
      value: { name: 'cat.default.cat.default', replicas: 1, run: { code: 'nginx:1', memory: 64 } },
    });
  });

  it.each([
    [{ name: 'a.b', image: 'nginx' }, 'NAME_INVALID'],
    [{ name: 'cat' }, 'BAD_REQUEST'],
    [{ name: 'cat', image: 'NOT AN IMAGE' }, 'DESCRIPTOR_INVALID'],
    [{ name: 'cat', image: 'nginx', port: '80,81' }, 'DESCRIPTOR_INVALID'],
    [{ name: 'cat', image: 'nginx', technology: 'unikernel' as const }, 'FIELD_NOT_SERVED'],
  ])('%j is refused with its fault', (job, code) =>
    expect(serviceOfJob(job, {}, 'f')).toMatchObject({ ok: false, problem: { code } }),
  );

  it('says all that a seed node can be told: read back it is the same run spec', () => {
    const run: Required<Pick<RunSpec, 'cmd' | 'environment' | 'ports' | 'memory' | 'vcpus' | 'restart' | 'one_shot'>> &
      RunSpec = {
      virtualization: 'container',
      code: 'nginx:1',
      cmd: ['a', 'b'],
      environment: ['A=b'],
      ports: [{ host: 8080, container: 80, protocol: 'tcp' }],
      memory: 64,
      vcpus: 0.5,
      restart: 'on_failure',
      one_shot: true,
    };
    expect(Object.keys(run).sort()).toEqual([...plainFields].sort());
    const parsed = serviceOfJob({ name: 'cat', ...jobOfRun(run) }, {}, 'f');
    expect(parsed.ok && digestOf(parsed.value.run)).toBe(digestOf(run));
    expect(JSON.parse(descriptorOfJob({ image: 'nginx' }))).toMatchObject({
      applications: [{ application_name: 'job' }],
    });
  });
});
