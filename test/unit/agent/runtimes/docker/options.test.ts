import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createOptions, type Place } from '../../../../../agent/runtimes/docker/options.ts';
import { parseDescriptor } from '../../../../../schemas/descriptor.ts';
import { usualCapabilities } from '../../../../../schemas/host-access.ts';
import type { RunSpec } from '../../../../../schemas/spec.ts';

const place: Place = {
  cluster: 'c'.repeat(64),
  node: '0123456789abcdef',
  ip: '127.0.0.2',
  network: 'oakctl-cccccccccccc',
};
const digest = `1:${'d'.repeat(64)}`;
const instance = 'shop.prod.web.prod.instance.4';
const optionsOf = (run: RunSpec) => createOptions({ instance, copy: '3.9', digest, run }, place);
const plain: RunSpec = { virtualization: 'container', code: 'nginx:1' };

const text = fc.string({ maxLength: 20 });
const port = fc.record({
  host: fc.integer({ min: 1, max: 65_535 }),
  container: fc.integer({ min: 1, max: 65_535 }),
  protocol: fc.constantFrom('tcp' as const, 'udp' as const),
});
const amount = fc.double({ min: 0, max: 1e6, noNaN: true });
const runSpec = fc.record(
  {
    virtualization: fc.constant('container' as const),
    code: text,
    cmd: fc.array(text),
    environment: fc.array(text),
    ports: fc.array(port),
    memory: amount,
    vcpus: amount,
    limits: fc.record({ memory: amount, vcpus: amount }, { requiredKeys: [] }),
    healthcheck: fc.record({
      command: fc.array(text, { minLength: 1 }),
      interval: amount,
      timeout: amount,
      retries: fc.integer({ min: 0, max: 100 }),
      start_period: amount,
    }),
    restart: fc.constantFrom('always' as const, 'never' as const),
    one_shot: fc.boolean(),
    stop_grace: amount,
  },
  { requiredKeys: ['virtualization', 'code'] },
);

const bodyKeys = [
  'Image',
  'Hostname',
  'Cmd',
  'Env',
  'Labels',
  'ExposedPorts',
  'StopTimeout',
  'Healthcheck',
  'HostConfig',
];
const hostKeys = [
  ...[
    'NetworkMode',
    'IpcMode',
    'PortBindings',
    'RestartPolicy',
    'CapDrop',
    'CapAdd',
    'SecurityOpt',
    'PidsLimit',
    'Init',
  ],
  ...[
    'Devices',
    'DeviceRequests',
    'Mounts',
    'LogConfig',
    'MemoryReservation',
    'CpuShares',
    'Memory',
    'MemorySwap',
    'CpuPeriod',
    'CpuQuota',
  ],
];

describe('the create request', () => {
  it('has nothing but the fields of the closed type, whatever the run spec says', () => {
    fc.assert(
      fc.property(
        runSpec,
        fc.dictionary(fc.constantFrom('Privileged', 'HostConfig', 'Binds', 'PidMode'), fc.anything()),
        (run, extra) => {
          const options = optionsOf({ ...run, ...extra } as RunSpec);
          expect(Object.keys(options).filter((key) => !bodyKeys.includes(key))).toEqual([]);
          expect(Object.keys(options.HostConfig).filter((key) => !hostKeys.includes(key))).toEqual([]);
          expect(options.HostConfig).toMatchObject({
            NetworkMode: place.network,
            IpcMode: 'private',
            RestartPolicy: { Name: 'no' },
            CapDrop: ['ALL'],
            CapAdd: usualCapabilities,
            SecurityOpt: ['no-new-privileges'],
            PidsLimit: 1024,
          });
          for (const bindings of Object.values(options.HostConfig.PortBindings))
            for (const binding of bindings) expect(binding.HostIp).toBe(place.ip);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('has numbers that the engine takes', () => {
    fc.assert(
      fc.property(runSpec, (run) => {
        const { HostConfig: host, Healthcheck: check, StopTimeout } = optionsOf(run);
        const megabytes = 2 ** 20;
        expect(host.MemoryReservation ?? 6 * megabytes).toBeGreaterThanOrEqual(6 * megabytes);
        expect(host.Memory ?? 6 * megabytes).toBeGreaterThanOrEqual(6 * megabytes);
        if (host.Memory && host.MemoryReservation) expect(host.MemoryReservation).toBeLessThanOrEqual(host.Memory);
        expect(host.MemorySwap).toBe(host.Memory);
        expect(host.CpuShares ?? 2).toBeGreaterThanOrEqual(2);
        expect(host.CpuShares ?? 2).toBeLessThanOrEqual(262_144);
        expect(host.CpuQuota ?? 1000).toBeGreaterThanOrEqual(1000);
        for (const time of [check.Interval, check.Timeout]) expect(time ?? 1e6).toBeGreaterThanOrEqual(1e6);
        const whole = [
          host.Memory,
          host.MemoryReservation,
          host.CpuShares,
          host.CpuQuota,
          check.StartPeriod,
          StopTimeout,
        ];
        for (const number of whole) if (number !== undefined) expect(Number.isSafeInteger(number)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('reserves softly what is needed, and caps only by limits', () => {
    const soft = optionsOf({ ...plain, memory: 100, vcpus: 0.5 }).HostConfig;
    expect(soft).toMatchObject({ MemoryReservation: 100 * 2 ** 20, CpuShares: 512 });
    for (const key of ['Memory', 'MemorySwap', 'CpuQuota', 'CpuPeriod']) expect(soft).not.toHaveProperty(key);
    const hard = optionsOf({ ...plain, limits: { memory: 50, vcpus: 1.5 } }).HostConfig;
    expect(hard).toMatchObject({
      Memory: 50 * 2 ** 20,
      MemorySwap: 50 * 2 ** 20,
      CpuPeriod: 100_000,
      CpuQuota: 150_000,
    });
    expect(hard).not.toHaveProperty('MemoryReservation');
  });

  it('publishes every port of the descriptor, also two host ports of one container port', () => {
    const { ExposedPorts, HostConfig } = optionsOf({
      ...plain,
      ports: [
        { host: 6080, container: 60, protocol: 'tcp' },
        { host: 6081, container: 60, protocol: 'tcp' },
        { host: 53, container: 53, protocol: 'udp' },
      ],
    });
    expect(ExposedPorts).toEqual({ '60/tcp': {}, '53/udp': {} });
    expect(HostConfig.PortBindings).toEqual({
      '60/tcp': [
        { HostIp: '127.0.0.2', HostPort: '6080' },
        { HostIp: '127.0.0.2', HostPort: '6081' },
      ],
      '53/udp': [{ HostIp: '127.0.0.2', HostPort: '53' }],
    });
  });

  it('runs a healthcheck without a shell, in nanoseconds, and switches off that of the image', () => {
    const check = { command: ['test', '-e', 'x'], interval: 250, timeout: 1000, retries: 3, start_period: 5000 };
    expect(optionsOf({ ...plain, healthcheck: check }).Healthcheck).toEqual({
      Test: ['CMD', 'test', '-e', 'x'],
      Interval: 250_000_000,
      Timeout: 1_000_000_000,
      StartPeriod: 5_000_000_000,
      Retries: 3,
    });
    expect(optionsOf(plain).Healthcheck).toEqual({ Test: ['NONE'] });
  });

  it('names the container by its instance, and labels it as ours', () => {
    const options = optionsOf(plain);
    expect(options.Hostname).toBe('web-4');
    expect(options).not.toHaveProperty('Cmd');
    expect(options.Labels).toEqual({
      'io.oakctl.cluster': place.cluster,
      'io.oakctl.node': place.node,
      'io.oakctl.instance': instance,
      'io.oakctl.copy': '3.9',
      'io.oakctl.digest': digest,
    });
  });

  it('has nothing of the host for any accepted descriptor, unless it was granted', () => {
    const path = fc.stringMatching(/^\/srv\/[a-z]{1,5}$/);
    const service = fc.record(
      {
        privileged: fc.boolean(),
        vgpus: fc.integer({ min: 0, max: 4 }),
        port: fc.constantFrom('80:80', '90'),
        limits: fc.record({ memory: amount }),
        files: fc.uniqueArray(
          fc.record({ path, content: text, mode: fc.constantFrom('0600', '777'), read_only: fc.boolean() }),
          { maxLength: 3, selector: (one) => one.path },
        ),
        host: fc.record(
          {
            devices: fc.subarray(['/dev/zero', '/dev/mem', '/dev/sda']),
            mounts: fc.array(fc.record({ source: path, target: path, read_only: fc.boolean() }), { maxLength: 2 }),
            network: fc.constant('host'),
            caps: fc.subarray(['SYS_ADMIN', 'NET_RAW', 'cap_sys_module', 'CHOWN']),
          },
          { requiredKeys: [] },
        ),
      },
      { requiredKeys: [] },
    );
    let accepted = 0;
    fc.assert(
      fc.property(service, (written) => {
        const microservices = [{ microservice_name: 'web', code: 'nginx', ...written }];
        const whole = JSON.stringify({ applications: [{ application_name: 'shop', microservices }] });
        const run = parseDescriptor(whole, 'a.yaml').services[0]?.spec.run;
        if (!run) return;
        accepted += 1;
        const options = optionsOf(run);
        expect(Object.keys(options).filter((key) => !bodyKeys.includes(key))).toEqual([]);
        expect(Object.keys(options.HostConfig).filter((key) => !hostKeys.includes(key))).toEqual([]);
        for (const key of ['Devices', 'Mounts']) expect(options.HostConfig).not.toHaveProperty(key);
        expect(options.HostConfig.CapAdd).toEqual(usualCapabilities);
        expect(options.HostConfig.NetworkMode).toBe(place.network);
        expect(options.HostConfig.DeviceRequests?.[0]?.Count ?? 0).toBe(written.vgpus ?? 0);
        expect(JSON.stringify(options)).not.toMatch(/\/srv|\/dev\//);
      }),
      { numRuns: 2000 },
    );
    expect(accepted).toBeGreaterThan(500);
  });

  it('has what was granted, each in its place', () => {
    const granted = {
      devices: [{ host: '/dev/sda', container: '/dev/disk/by-id/x' }],
      binds: [{ source: '/srv/real', target: '/data', readOnly: true }],
      hostNetwork: true,
      caps: ['NET_ADMIN'],
    };
    const run: RunSpec = { ...plain, vgpus: 2, ports: [{ host: 80, container: 80, protocol: 'tcp' }] };
    const options = createOptions({ instance, copy: '3.9', digest, run }, place, granted);
    expect(options.ExposedPorts).toEqual({});
    expect(options.HostConfig).toMatchObject({
      Devices: [{ PathOnHost: '/dev/sda', PathInContainer: '/dev/disk/by-id/x', CgroupPermissions: 'rw' }],
      DeviceRequests: [{ Driver: 'nvidia', Count: 2, Capabilities: [['gpu']] }],
      Mounts: [{ Type: 'bind', Source: '/srv/real', Target: '/data', ReadOnly: true }],
      NetworkMode: 'host',
      PortBindings: {},
      CapDrop: ['ALL'],
      CapAdd: [...usualCapabilities, 'NET_ADMIN'],
      SecurityOpt: ['no-new-privileges'],
    });
  });
});
