import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../schemas/digest.ts';
import { featuresNeeded, featuresUnknown, isLaterRunSpec, knownFeatures, knows } from '../../../schemas/features.ts';
import { runSpecFields } from '../../../schemas/run-spec.ts';
import type { RunSpec } from '../../../schemas/spec.ts';

const plain: RunSpec = { virtualization: 'container', code: 'web:1' };
const later = (more: object): RunSpec => ({ ...plain, ...more });

describe('what a run spec needs', () => {
  it('is its members, and nothing deeper that the first version had', () => {
    const full: RunSpec = {
      ...plain,
      ports: [{ host: 80, container: 80, protocol: 'udp' }],
      host: { network: 'host', mounts: [{ source: '/a', target: '/b', read_only: true }] },
      restart: 'on_failure',
      limits: { memory: 5 },
      volumes: [{ name: 'data', mount_path: '/data' }],
    };
    expect(featuresNeeded(full)).toEqual(['code', 'host', 'limits', 'ports', 'restart', 'virtualization', 'volumes']);
    expect(featuresUnknown(full)).toEqual([]);
  });

  it('is nothing that is absent or empty', () => {
    expect(featuresNeeded({ ...plain, cmd: [], memory: 0 })).toEqual(['code', 'virtualization']);
  });

  it('is where a secret lies, if that is not the repository', () => {
    const secret = { name: 'a', path: '/run/secrets/a', mode: 0o444 };
    expect(featuresNeeded({ ...plain, secrets: [{ ...secret, version: '1' }] })).not.toContain('secrets.source=node');
    expect(featuresNeeded({ ...plain, secrets: [{ ...secret, source: 'node' }] })).toContain('secrets.source=node');
  });

  it('is that values are put into the environment, where there is a variable', () => {
    const run = { ...plain, environment: ['SHOP=$' + '{node.label.shop}'] };
    expect(featuresNeeded(run)).toEqual(['code', 'environment', 'variables', 'virtualization']);
    expect(knows(['code', 'away'], 'variables')).toBe(true);
    expect(knows(['code'], 'variables')).toBe(false);
  });

  it.each([
    ['a member', { pets: true }, 'pets'],
    ['a member of a member', { host: { gpu: 'all' } }, 'host.gpu'],
    ['a member of what is in a list', { volumes: [{ name: 'a', mount_path: '/a', size: 5 }] }, 'volumes.size'],
    ['a word of a closed list', { ports: [{ host: 1, container: 1, protocol: 'sctp' }] }, 'ports.protocol=sctp'],
  ])('is %s of a later version, which is kept', (_, more, feature) => {
    expect(featuresUnknown(later(more))).toEqual([feature]);
    expect(isLaterRunSpec(later(more))).toBe(true);
    expect(digestOf(later(more))).not.toBe(digestOf(plain));
  });

  it.each([
    ['what this version knows to the end', plain],
    ['what is malformed', later({ pets: true, memory: 'much' })],
    ['what lacks a member', { pets: true }],
    ['a text', 'web:1'],
    ['nothing', null],
  ])('a later run spec is not %s', (_, value) => {
    expect(isLaterRunSpec(value)).toBe(false);
  });
});

it('an agent reports what fits into its message', () => {
  expect(knownFeatures).toEqual(expect.arrayContaining([...runSpecFields, 'away', 'variables']));
  expect(new Set(knownFeatures).size).toBe(knownFeatures.length);
  expect(knownFeatures.length).toBeLessThanOrEqual(64);
  for (const name of knownFeatures) expect(name.length, name).toBeLessThanOrEqual(32);
});
