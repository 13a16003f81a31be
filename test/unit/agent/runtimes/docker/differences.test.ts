import { describe, expect, it } from 'vitest';
import { differencesOf, type InspectedOptions } from '../../../../../agent/runtimes/docker/differences.ts';
import { createOptions } from '../../../../../agent/runtimes/docker/options.ts';
import type { RunSpec } from '../../../../../schemas/spec.ts';

const run: RunSpec = {
  virtualization: 'container',
  code: 'nginx:1',
  memory: 64,
  vcpus: 0.5,
  limits: { memory: 128, vcpus: 1 },
};
const bare: RunSpec = { virtualization: 'container', code: 'nginx:1' };
const place = { cluster: 'c', node: 'n', ip: '127.0.0.1', network: 'net' };

/** As the engine shows it: what it was created with, and what somebody changed since. */
function inspected(spec: RunSpec, changed: object = {}, State = {}): InspectedOptions {
  const plan = { instance: 'shop.default.web.default.instance.0', copy: '1.1', digest: '1:a', run: spec };
  return { State, HostConfig: { ...createOptions(plan, place).HostConfig, ...changed } };
}

describe('the options of a container', () => {
  it.each([run, bare])('are as it was created', (spec) => {
    expect(differencesOf(spec, inspected(spec))).toEqual([]);
  });

  it('are not as they were where somebody changed them', () => {
    const changed = { Memory: 2 ** 28, RestartPolicy: { Name: 'always', MaximumRetryCount: 0 }, PidsLimit: 10 };
    expect(differencesOf(run, inspected(run, changed, { Paused: true }))).toEqual([
      'paused',
      'memory limit 256 MB instead of 128 MB',
      'processes 10 instead of 1024',
      'restart policy always instead of no',
    ]);
    expect(differencesOf(bare, inspected(bare, { NanoCpus: 1.5e9, CpuShares: 12 }))).toEqual([
      'cpu shares 12 instead of none',
      'cpus 1.5 instead of none',
    ]);
  });

  it('say nothing where the kernel lacks a limit: the engine drops it', () => {
    const dropped = { Memory: 0, MemoryReservation: 0, CpuQuota: -1, PidsLimit: null, CpuShares: undefined };
    expect(differencesOf(run, inspected(run, dropped))).toEqual([]);
    expect(differencesOf(bare, { State: {}, HostConfig: { RestartPolicy: { Name: '' } } })).toEqual([]);
  });
});
