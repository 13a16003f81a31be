/** What is put where it does not belong, and what does belong there. */
import type { Dice } from './random.ts';

/** Names with which a merge, a look-up or an assignment goes astray. */
export const hostileKeys: readonly string[] = [
  ...['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf', '__defineGetter__', 'then'],
  ...[
    'Privileged',
    'HostConfig',
    'Binds',
    'PidMode',
    'SecurityOpt',
    'CgroupParent',
    'Devices',
    'VolumesFrom',
    'UTSMode',
  ],
  ...['', ' ', '.', '..', '/', '~', '$ref', '<<', 'length', '0', '-1', 'NaN', 'ä', '\u202e', '\0', 'x'.repeat(300)],
];

/** Texts of every place in a descriptor, a message and a policy: good ones, near misses and attacks. */
export const texts: readonly string[] = [
  ...[
    'shop',
    'web',
    'default',
    'prod',
    'a',
    'A1',
    'a-b',
    'x'.repeat(30),
    'x'.repeat(31),
    '-a',
    'a-',
    'a_b',
    'a.b',
    'Web',
  ],
  ...[
    'nginx:1',
    'docker.io/library/nginx@sha256:0',
    'ghcr.io/a/b:1',
    '/bin/sh',
    '../../x',
    '-v',
    '--privileged',
    'a b',
  ],
  ...[
    '/srv/data',
    '/srv',
    '/data',
    '/home/a',
    '/',
    '/etc',
    '/etc/passwd',
    '/proc',
    '/proc/1/root',
    '/sys',
    '/root/.ssh',
  ],
  ...[
    '/run',
    '/var/run/docker.sock',
    '/var/lib/docker',
    '/var',
    '/boot',
    '/srv/../etc',
    '/srv//a',
    '/srv/',
    '/srv/./a',
  ],
  ...[
    '/dev/ttyUSB0',
    '/dev/fuse',
    '/dev/mem',
    '/dev',
    '/dev/../etc',
    '/DEV/fuse',
    '/dev/\u200bfuse',
    '//etc',
    'etc',
    '~',
  ],
  ...[
    'NET_ADMIN',
    'SYS_ADMIN',
    'cap_net_admin',
    'ALL',
    'SYS_TIME',
    'CHOWN',
    'NET_ADMIN ',
    'host',
    'none',
    'container:x',
  ],
  ...['8080:80', '8080:80/udp', '80', '0:0', '65536:1', '80:80;81:81/tcp', '80,81', '1-5:80', '-1', '6080:60/tcp'],
  ...[
    'A=b',
    'A=',
    '=b',
    'PATH=/x',
    'OAK_IP=1',
    'LD_PRELOAD=/x',
    'A=b\nC=d',
    '0644',
    '777',
    '4755',
    '0',
    '1s',
    '5m',
    '1e9s',
  ],
  ...['v2.0', 'V2', 'v1.0', 'container', 'process', 'unikernel', 'every', 'true', 'null', 'direct', 'label', 'always'],
  ...['10s', '500ms', '-1s', '365d', '99999d', 'w1', 'pi1;pi2', 'conf/web.conf', './web.conf', '../secret', '/abs', ''],
  ...[
    'shop.prod.web.prod.instance.0',
    'shop.prod.web.prod',
    'shop.prod',
    '*',
    '1.1',
    '3.9',
    '0.0',
    '999999999999999.1',
  ],
  ...[
    `1:${'0'.repeat(64)}`,
    `1:${'a'.repeat(64)}`,
    'f'.repeat(64),
    'aaaaaaaaaaaaaaaa',
    'docker',
    'run',
    'running',
    'u1',
  ],
  ...['127.0.0.1', '10.0.0.1', '169.254.169.254', '[::1]', '0x7f000001', 'localhost', 'http://x', 'file:///etc/passwd'],
  ...[
    '{{7*7}}',
    '$(id)',
    '`id`',
    '; id',
    '%s%n',
    '<script>',
    "' OR 1=1",
    '\u0000',
    '\ud800',
    '\u202e',
    'é'.normalize('NFD'),
  ],
  ...[
    '__proto__',
    'constructor',
    'x'.repeat(64),
    'x'.repeat(256),
    'x'.repeat(1_000),
    '\n',
    '\t',
    '🚀',
    '1.2.3',
    '2026-11-21',
  ],
];

/** What belongs to a key, where a text of the pool would hardly ever fit. */
export const fitting: Readonly<Record<string, readonly string[]>> = {
  applicationID: [''],
  microserviceID: [''],
  image: ['nginx:1'],
  virtualization: ['container', 'container', 'process', 'unikernel'],
  code: ['nginx:1', 'ghcr.io/a/b:1', '/bin/sh', 'busybox'],
  port: ['8080:80', '8080:80/udp', '80;81', '6080:60/tcp', ''],
  path: ['/srv/data', '/data', '/opt/app/conf', '/etc/app.conf', '/srv/b'],
  source: ['/srv/data', '/srv', '/home/a', '/opt/a', '/etc/passwd'],
  target: ['/data', '/srv/data', '/opt/x', '/etc/app'],
  devices: ['/dev/ttyUSB0', '/dev/fuse', '/dev/video0', '/dev/mem', '/dev/../etc'],
  caps: ['NET_ADMIN', 'SYS_TIME', 'cap_net_raw', 'CHOWN', 'SYS_ADMIN', 'ALL'],
  from: ['conf/web.conf', './web.conf', 'conf/web.conf', '../secret'],
  node: ['w1', 'pi1;pi2', 'pi-3'],
  cluster: ['home', 'shop'],
  label: ['arch', 'zone', 'a.b/c'],
  needs: ['docker'],
  location: ['Berlin', '52.5,13.4', '52.5,13.4,20'],
  IP: ['10.0.0.1', '127.0.0.1', '::1'],
  app: ['*', 'shop', 'shop.prod'],
  service: ['web', 'web.prod'],
  url: ['https://example.org/a.git', '/srv/a.git', 'git@example.org:a.git', 'ext::sh -c id'],
  branch: ['main', 'release/1', '-x'],
  host: ['127.0.0.1', '::1', '0.0.0.0', 'localhost'],
};

const numbers: readonly number[] = [
  ...[
    0,
    1,
    2,
    3,
    7,
    80,
    255,
    1024,
    65_535,
    65_536,
    100_000,
    1e6,
    1e9,
    1e10,
    -1,
    -0,
    0.5,
    1e-9,
    2 ** 31,
    2 ** 53 - 1,
    2 ** 53,
  ],
  ...[1e308, -1e308, 61_208, 50_103],
];

/** Anything, at most three levels deep. */
export function anything(dice: Dice, depth = 0): unknown {
  const kind = dice.upTo(depth >= 3 ? 6 : 8);
  if (kind === 0) return null;
  if (kind === 1) return dice.chance(0.5);
  if (kind === 2 || kind === 3) return dice.pick(numbers);
  if (kind === 4 || kind === 5) return dice.pick(texts);
  const size = dice.upTo(4);
  if (kind === 6) return Array.from({ length: size }, () => anything(dice, depth + 1));
  return fromEntries(
    Array.from({ length: size }, () => [dice.pick(dice.chance(0.5) ? hostileKeys : texts), anything(dice, depth + 1)]),
  );
}

/** As JSON.parse makes them: `__proto__` is a key like any other. */
export function fromEntries(entries: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  const made: Record<string, unknown> = {};
  for (const [key, value] of entries)
    Object.defineProperty(made, key, { value, enumerable: true, configurable: true, writable: true });
  return made;
}

export function someText(dice: Dice): string {
  return dice.pick(texts);
}

export function someNumber(dice: Dice): number {
  return dice.pick(numbers);
}
