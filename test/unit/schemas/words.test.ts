import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatAdvertised, isAddress, isLoopback, parseAdvertised } from '../../../schemas/addresses.ts';
import { formatDuration, parseDuration } from '../../../schemas/duration.ts';
import { imageFault } from '../../../schemas/image-name.ts';
import { formatPorts, parsePorts } from '../../../schemas/ports-syntax.ts';
import { editDistance, nearest } from '../../../schemas/spelling.ts';

describe('durations', () => {
  it.each([
    ['10s', 10_000],
    ['500ms', 500],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
    ['1500', 1500],
    [0, 0],
    [250, 250],
  ])('%s', (text, ms) => expect(parseDuration(text)).toBe(ms));

  it.each([
    '',
    '10 s',
    '1.5s',
    '-1s',
    's',
    '10S',
    '9999d',
    '1h30m',
    'x'.repeat(100_000),
    -1,
    0.5,
    Number.NaN,
    null,
    undefined,
    {},
  ])('refuses %s', (text) => expect(parseDuration(text)).toBeUndefined());

  it('are written so that they read back', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 365 * 86_400_000 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
  });
});

describe('ports', () => {
  it.each([
    ['9080', [{ host: 9080, container: 9080, protocol: 'tcp' }]],
    [9080, [{ host: 9080, container: 9080, protocol: 'tcp' }]],
    ['6080:60/tcp', [{ host: 6080, container: 60, protocol: 'tcp' }]],
    [
      '80:8080; 53:53/UDP ;',
      [
        { host: 80, container: 8080, protocol: 'tcp' },
        { host: 53, container: 53, protocol: 'udp' },
      ],
    ],
    [
      '53/udp;53/tcp',
      [53, 53].map((port, index) => ({ host: port, container: port, protocol: index === 0 ? 'udp' : 'tcp' })),
    ],
    ['', []],
  ])('%s', (text, ports) => expect(parsePorts(text)).toEqual({ ports, faults: [] }));

  it.each([
    ['80:80,81:81', /separated by `;`/],
    ['0:80', /between 1 and 65535/],
    ['80:65536', /between 1 and 65535/],
    ['50103:80', /reserved/],
    ['80/sctp', /only tcp and udp/],
    ['a:b', /not a port mapping/],
    ['127.0.0.1:80:80', /not a port mapping/],
    ['80:80;80:81', /twice/],
    ['8'.repeat(100_000), /not a port mapping/],
  ])('refuses %s', (text, message) => expect(parsePorts(text).faults[0]?.message).toMatch(message));

  it('gives the right spelling for commas', () => {
    expect(parsePorts('80:80, 81:81').faults[0]?.hint).toBe('write 80:80;81:81');
  });

  it('are written so that they read back', () => {
    const port = fc.integer({ min: 1, max: 50_000 });
    const mapping = fc.record({
      host: port,
      container: port,
      protocol: fc.constantFrom('tcp' as const, 'udp' as const),
    });
    const distinct = fc.uniqueArray(mapping, { selector: ({ host, protocol }) => `${host}/${protocol}`, maxLength: 8 });
    fc.assert(
      fc.property(distinct, (ports) => {
        expect(parsePorts(formatPorts(ports))).toEqual({ ports, faults: [] });
      }),
    );
  });
});

describe('images', () => {
  it.each([
    'nginx',
    'docker.io/library/nginx:latest',
    'docker.io/curlimages/curl:7.82.0',
    'oakctl/test:1',
    'localhost:5000/a/b:c',
    'registry.example:443/a__b/c-d.e',
    'Registry.Example/a',
    '[::1]:5000/a',
    `a@sha256:${'0'.repeat(64)}`,
    `a:b@sha256:${'0'.repeat(64)}`,
  ])('takes %s', (reference) => expect(imageFault(reference)).toBeUndefined());

  it.each([
    'Nginx',
    'a b',
    'a:',
    'a:b:c',
    'https://example.com/a.tar',
    '/a',
    'a/',
    'a//b',
    'a@b',
    'a@sha256:1@sha256:2',
    '-a',
    'a:-b',
    'a\nb',
    '../a',
    'ho_st.x/../a',
    'a'.repeat(513),
    '$(id)',
    'a;b',
  ])('refuses %s', (reference) => expect(imageFault(reference)).toBeTypeOf('string'));

  it('looks at hostile ones in linear time', () => {
    for (const piece of ['a-', 'a__', '-', 'A.', '1:']) {
      const start = process.cpuUsage();
      imageFault(piece.repeat(50_000).slice(0, 512));
      imageFault(piece.repeat(50_000));
      expect(process.cpuUsage(start).user).toBeLessThan(200_000);
    }
  });
});

describe('spelling', () => {
  it('counts edits', () => {
    expect(editDistance('sla_version', 'sla_versoin')).toBe(1);
    expect(editDistance('vcpu', 'vcpus')).toBe(1);
    expect(editDistance('', 'abc')).toBe(3);
    expect(editDistance('kitten', 'sitting')).toBe(3);
  });

  it('is a distance within its limit', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 8 });
    fc.assert(
      fc.property(word, word, (a, b) => {
        expect(editDistance(a, b, 9)).toBe(editDistance(b, a, 9));
        expect(editDistance(a, b, 9) === 0).toBe(a === b);
        expect(editDistance(a, b, 9)).toBeLessThanOrEqual(Math.max(a.length, b.length));
        expect(editDistance(a, b, 2)).toBe(Math.min(3, editDistance(a, b, 9)));
      }),
    );
  });

  it('suggests what is near, and nothing else', () => {
    const known = ['vcpus', 'memory', 'port', 'healthcheck', 'cmd'];
    expect(nearest('vcpu', known)).toBe('vcpus');
    expect(nearest('Memory', known)).toBe('memory');
    expect(nearest('health_check', known)).toBe('healthcheck');
    expect(nearest('ports', known)).toBe('port');
    expect(nearest('banana', known)).toBeUndefined();
    expect(nearest('x'.repeat(100_000), known)).toBeUndefined();
  });
});

describe('addresses', () => {
  it('are complete', () => {
    for (const good of ['10.0.0.1', '::1', 'fdff:2000::1']) expect(isAddress(good)).toBe(true);
    for (const bad of ['10.0.0', '10.0.0.1/24', 'host', '', '1'.repeat(100_000)]) expect(isAddress(bad)).toBe(false);
  });

  it('of this machine are known', () => {
    for (const own of ['127.0.0.1', '127.3.2.1', '::1', 'localhost']) expect(isLoopback(own)).toBe(true);
    for (const other of ['0.0.0.0', '10.0.0.1', '127.example.com', '::', 'localhost.example'])
      expect(isLoopback(other)).toBe(false);
  });
});

describe('advertised addresses', () => {
  it.each([
    ['203.0.113.7', { ip: '203.0.113.7' }],
    ['203.0.113.7:8080', { ip: '203.0.113.7', port: 8080 }],
    ['2001:db8::7', { ip: '2001:db8::7' }],
    ['[2001:db8::7]:8080', { ip: '2001:db8::7', port: 8080 }],
  ])('%s', (text, advertised) => {
    expect(parseAdvertised(text)).toEqual(advertised);
    expect(formatAdvertised(advertised)).toBe(text);
  });

  it.each([
    ['', /not an IP address/],
    ['box.example.org:80', /not an IP address/],
    ['203.0.113', /not an IP address/],
    ['203.0.113.7:', /port/],
    ['203.0.113.7:0', /port `0`/],
    ['203.0.113.7:65536', /port `65536`/],
    ['203.0.113.7:http', /port `http`/],
    ['[2001:db8::7', /not an IP address/],
    ['0.0.0.0', /every address/],
    ['[::]:80', /every address/],
    ['::', /every address/],
  ])('refuses `%s`', (text, why) => expect(parseAdvertised(text)).toMatch(why));
});
