import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDescriptor, toDescriptor } from '../../../schemas/descriptor.ts';
import { type Fields, text } from './descriptor-support.ts';

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
    on_disconnect: maybe(fc.record({ stop_after: fc.constantFrom(undefined, '1m', 'never') })),
    on_return: fc.constantFrom(undefined, 'replacement'),
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
