import { describe, expect, it } from 'vitest';
import { parseDescriptor, toDescriptor } from '../../../schemas/descriptor.ts';
import { digestOf } from '../../../schemas/digest.ts';
import { errorsOf, type Fields, specOf } from './descriptor-support.ts';

const volumes = [{ name: 'data', mount_path: '/data' }];

describe('nodes out of reach, in a descriptor', () => {
  it('are as usual where nothing is said, or the usual thing', () => {
    const usual = { on_disconnect: { stop_after: 'never' }, on_return: 'replacement', exclusive: false };
    expect(specOf(usual)).toEqual(specOf());
    expect(specOf()).not.toHaveProperty('disconnect');
  });

  it.each<[Fields, Fields]>([
    [{ on_disconnect: { stop_after: '10m' } }, { disconnect: { stop_after: 600_000 } }],
    [{ on_disconnect: { replace_after: 'never' } }, { disconnect: { replace_after: 'never' } }],
    [
      { on_disconnect: { replace_after: '2m' }, on_return: 'original' },
      { disconnect: { replace_after: 120_000, on_return: 'original' } },
    ],
    [{ exclusive: true }, { exclusive: { lease: 30_000 }, update: { order: 'stop_first' } }],
    [
      { exclusive: true, on_disconnect: { stop_after: '5s', replace_after: '5s' } },
      { exclusive: { lease: 5_000 }, disconnect: { stop_after: 5_000, replace_after: 5_000 } },
    ],
    [
      { volumes: [{ ...volumes[0], portable: true }], on_disconnect: { replace_after: '1m' } },
      { disconnect: { replace_after: 60_000 } },
    ],
    [{ volumes, on_disconnect: { replace_after: 'never' } }, { disconnect: { replace_after: 'never' } }],
  ])('%j', (fields, expected) => {
    const spec = specOf(fields);
    expect(spec).toMatchObject(expected);
    expect(digestOf(spec.run)).toBe(digestOf(specOf(fields['volumes'] ? { volumes: fields['volumes'] } : {}).run));
    const again = parseDescriptor(JSON.stringify(toDescriptor([{ spec }])), 'b');
    expect(again.services.map((one) => one.spec)).toEqual([spec]);
  });

  it.each<[string, Fields, string]>([
    ['no time', { on_disconnect: { stop_after: 'soon' } }, 'must be a time like 10s or 5m, or `never`'],
    ['nothing', { on_disconnect: { stop_after: '10ms' } }, '10ms is too short: at least 1s'],
    ['a key', { on_disconnect: { stop: '10s' } }, 'nothing knows the key'],
    ['on_return', { on_return: 'oldest' }, 'must be one of replacement, original, longest_running'],
    ['volumes', { volumes, on_disconnect: { replace_after: '1m' } }, 'unless all its volumes are portable'],
    ['every', { replicas: 'every', on_disconnect: { replace_after: '1m' } }, 'belongs to its node'],
    ['every, on_return', { replicas: 'every', on_return: 'original' }, 'no second copy to choose from'],
    ['never, on_return', { on_disconnect: { replace_after: 'never' }, on_return: 'original' }, 'no second copy'],
    ['exclusive word', { exclusive: 'yes' }, 'must be true or false'],
    ['exclusive, three', { exclusive: true, replicas: 3 }, 'one copy runs, not 3'],
    ['exclusive, every', { exclusive: true, replicas: 'every' }, 'one copy runs, not every'],
    ['exclusive, surge', { exclusive: true, update: { order: 'start_first' } }, 'cannot run side by side'],
    ['exclusive, keep', { exclusive: true, on_disconnect: { stop_after: 'never' } }, 'stop_after is the lease'],
    ['exclusive, short', { exclusive: true, on_disconnect: { stop_after: '1s' } }, 'at least 2s'],
    [
      'exclusive, early',
      { exclusive: true, on_disconnect: { stop_after: '1m', replace_after: '30s' } },
      'would start while the old copy may run (replace_after 30s, stop_after 1m)',
    ],
    ['exclusive, default lease', { exclusive: true, on_disconnect: { replace_after: '20s' } }, 'stop_after 30s'],
    ['exclusive, on_return', { exclusive: true, on_return: 'original' }, 'the copy that has the lease stays'],
  ])('is refused with its reason: %s', (_, fields, message) => {
    const [error, ...more] = errorsOf(fields);
    expect(error?.message).toContain(message);
    expect(error?.line).toBe(1);
    expect(more).toEqual([]);
  });

  it('is refused with file and line', () => {
    const lines = ['applications:', '  - application_name: a', '    microservices:', '      - microservice_name: web'];
    const yaml = [...lines, '        code: nginx', '        exclusive: true', '        replicas: 2'].join('\n');
    const { problems } = parseDescriptor(yaml, 'a.yaml');
    expect(problems).toMatchObject([{ file: 'a.yaml', line: 7, hint: 'replicas: 1' }]);
  });
});
