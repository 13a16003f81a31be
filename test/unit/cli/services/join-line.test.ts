import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { apiForOthers, downloadOrigin, joinLine } from '../../../../cli/services/join-line.ts';

const token = 'oak1.0123456789ab.secret.pin-authority';
const node = { name: 'edge-7', labels: ['zone=hall 2', "owner=o'neil"], location: '52.1,4.3', runtimes: ['docker'] };
const line = joinLine({
  api: 'https://192.168.1.10:10100',
  origin: 'http://192.168.1.10:10100',
  token,
  installer: 'ab'.repeat(32),
  node,
});
const names = (...more: string[]) => ({
  mode: 'auto' as const,
  authority: { certificate: '', fingerprint: '', expires: 0 },
  server: { names: ['127.0.0.1', '::1', 'localhost', ...more], fingerprint: '', expires: 0 },
});

describe('the line that makes a machine a node', () => {
  it('is one line that a shell reads as it was meant', () => {
    expect(line).not.toContain('\n');
    // What would be run: the words after the program, and the token beside them.
    const asked = line.replace(/sh -c '[^']*'/, `sh -c 'printf "%s|" "$OAKCTL_JOIN_TOKEN" "$0" "$@"'`);
    const { stdout } = spawnSync('sh', ['-c', asked], { encoding: 'utf8' });
    expect(stdout.split('|')).toEqual([
      token,
      'ab'.repeat(32),
      'http://192.168.1.10:10100/v1/install.sh',
      ...['--api', 'https://192.168.1.10:10100', '--name', 'edge-7'],
      ...['--label', 'zone=hall 2', '--label', "owner=o'neil", '--location', '52.1,4.3', '--runtime', 'docker'],
      '',
    ]);
  });

  it('has the token in the environment, where others cannot read it, and once', () => {
    expect(line.split(token)).toHaveLength(2);
    expect(line.startsWith(`OAKCTL_JOIN_TOKEN=${token} `)).toBe(true);
  });
});

describe('where the line leads', () => {
  it.each([
    ['the address in use', 'https://10.0.0.1:10100', undefined, names('10.0.0.1'), 'https://10.0.0.1:10100'],
    [
      'one that the certificate names',
      'https://127.0.0.1:10100',
      undefined,
      names('fd00::1', '10.0.0.1'),
      'https://10.0.0.1:10100',
    ],
    ['IPv6 where there is no other', 'https://[::1]:10100', undefined, names('fd00::1'), 'https://[fd00::1]:10100'],
    ['a host', 'https://127.0.0.1:10100', 'fleet.example.org', names(), 'https://fleet.example.org:10100'],
    ['host and port', 'https://127.0.0.1:10100', '10.0.0.9:443', names(), 'https://10.0.0.9'],
    ['an IPv6 address', 'https://127.0.0.1:10100', 'fd00::9', names(), 'https://[fd00::9]:10100'],
    ['a URL', 'http://127.0.0.1:10100', 'https://far.example.org', undefined, 'https://far.example.org:10100'],
  ])('%s', (_what, api, wished, tls, expected) => {
    expect(apiForOthers(api, wished, tls)).toBe(expected);
  });

  it.each([undefined, names()])('is nowhere while only loopback is listened on', (tls) => {
    expect(() => apiForOthers('http://127.0.0.1:10100', undefined, tls)).toThrow(/REFUSED.*no other machine.*--bind/s);
  });

  it('is no address', () => {
    expect(() => apiForOthers('https://10.0.0.1:10100', 'a b', undefined)).toThrow(/USAGE/);
  });

  it('downloads without TLS where no machine knows the authority yet, else as it is', () => {
    expect(downloadOrigin('https://10.0.0.1', names())).toBe('http://10.0.0.1:443');
    expect(downloadOrigin('https://[fd00::1]:10100', names())).toBe('http://[fd00::1]:10100');
    const { authority: _, ...known } = names();
    expect(downloadOrigin('https://fleet.example.org', known)).toBe('https://fleet.example.org');
    expect(downloadOrigin('http://10.0.0.1:10100', undefined)).toBe('http://10.0.0.1:10100');
  });
});
