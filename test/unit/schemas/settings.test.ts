import { describe, expect, it } from 'vitest';
import { parseClusterSettings, parseRepositorySettings, withRepositorySettings } from '../../../schemas/settings.ts';

const cluster = (text: string) => parseClusterSettings(text, 'cluster.yaml');
const repository = (text: string) => parseRepositorySettings(text, 'oakctl.yaml');

describe('cluster.yaml', () => {
  it('needs a name, and has defaults for the rest', () => {
    expect(cluster('cluster: home')).toEqual({
      settings: {
        cluster: 'home',
        labels: {},
        sources: [],
        api: { host: '127.0.0.1', port: 10_100 },
        mqtt: { host: '127.0.0.1', port: 10_003 },
        endpoints: [],
        insecure: false,
        json_in_strings: false,
        node_class: 'edge',
        lost_after: { edge: 90_000, lan: 15_000, fast: 2_000 },
        cpu_overcommit: 1,
        placement: 'spread',
        guard: { count: 2, share: 0.3 },
        nodes: { undeclared: 'use' },
        limits: 'none',
        pools: {},
        notifications: [],
        webhooks: {},
      },
      problems: [],
    });
  });

  it('takes what it says', () => {
    const { settings, problems } = cluster(`
cluster: home
sources:
  - {name: fleet, url: "file:///srv/fleet.git", path: /edge/home/, poll: 2s}
  - {name: apps, url: "https://example.com/apps.git", branch: release/1}
api: {port: 0}
mqtt: {host: 127.0.0.2, port: 1883}
node_class: lan
lost_after: {lan: 3s}
cpu_overcommit: 16
guard: {share: 0.5}
nodes: {undeclared: cordon}
limits: request
labels: {tier: small, floor: 2}
pools: {roof: {class: fast}}
`);
    expect(problems).toEqual([]);
    expect(settings).toMatchObject({
      sources: [
        { name: 'fleet', branch: 'main', path: 'edge/home', poll: 2_000 },
        { name: 'apps', branch: 'release/1', path: '', poll: 60_000 },
      ],
      api: { host: '127.0.0.1', port: 0 },
      mqtt: { host: '127.0.0.2', port: 1883 },
      node_class: 'lan',
      lost_after: { edge: 90_000, lan: 3_000, fast: 2_000 },
      cpu_overcommit: 16,
      placement: 'spread',
      guard: { count: 2, share: 0.5 },
      nodes: { undeclared: 'cordon' },
      limits: 'request',
      labels: { tier: 'small', floor: '2' },
      pools: { roof: { class: 'fast' } },
    });
  });

  it.each([
    ['tls: auto', { tls: { kind: 'auto', names: [] } }],
    ['tls: {names: [a.example, 10.0.0.1]}', { tls: { kind: 'auto', names: ['a.example', '10.0.0.1'] } }],
    ['tls: {cert: /c, key: /k}', { tls: { kind: 'files', cert: '/c', key: '/k' } }],
    ['tls: {cert: /c, key: /k, ca: /a}', { tls: { kind: 'files', cert: '/c', key: '/k', ca: '/a' } }],
    ['insecure_outside_loopback_i_know_the_risk: true', { insecure: true }],
  ])('listens outside loopback with %s', (line, expected) => {
    const open = `cluster: a\napi: {host: 0.0.0.0}\nmqtt: {host: "::"}\n`;
    expect(cluster(`${open}${line}`).settings).toMatchObject(expected);
    expect(cluster(open).problems.map(({ code, hint }) => [code, hint?.includes('tls: auto')])).toEqual([
      ['TLS_REQUIRED', true],
      ['TLS_REQUIRED', true],
    ]);
  });

  it('names a broker that runs by itself', () => {
    const { settings } = cluster(`cluster: a
mqtt: {url: "mqtts://broker.example:8883", username: reconciler-2, password_file: /p, ca: /ca.pem}
broker: {credentials: {file: /passwords, reload: [systemctl, reload, mosquitto]}}`);
    expect(settings?.external).toEqual({
      url: 'mqtts://broker.example:8883',
      username: 'reconciler-2',
      passwordFile: '/p',
      ca: '/ca.pem',
      credentials: {
        file: '/passwords',
        format: 'mosquitto',
        reload: { kind: 'run', argv: ['systemctl', 'reload', 'mosquitto'] },
      },
    });
    const plain = 'cluster: a\nmqtt: {url: "mqtt://127.0.0.1:1883", password_file: /p}\n';
    expect(cluster(plain).settings?.external).toEqual({
      url: 'mqtt://127.0.0.1:1883',
      username: 'reconciler',
      passwordFile: '/p',
    });
    const signal = `${plain}broker: {credentials: {file: /f, format: nats, reload: {pid_file: /run/nats.pid}}}`;
    expect(cluster(signal).settings?.external?.credentials).toEqual({
      file: '/f',
      format: 'nats',
      reload: { kind: 'signal', pidFile: '/run/nats.pid' },
    });
    const far = 'cluster: a\nmqtt: {url: "ws://10.0.0.1/mqtt", password_file: /p}\n';
    expect(cluster(`${far}insecure_outside_loopback_i_know_the_risk: true`).settings?.external?.url).toBe(
      'ws://10.0.0.1/mqtt',
    );
    expect(cluster(far).problems[0]).toMatchObject({ code: 'TLS_REQUIRED', hint: expect.stringContaining('wss://') });
  });

  const withSource = (fields: string) => `cluster: a\nsources:\n  - ${fields}\n`;
  it.each([
    ['nothing', '', 'SETTINGS_INVALID'],
    ['no name', 'sources: []', 'SETTINGS_INVALID'],
    ['a bad name', 'cluster: "a b"', 'SETTINGS_INVALID'],
    ['an unknown key', 'cluster: a\nlost_afer: {}', 'UNKNOWN_FIELD'],
    ['two documents', 'cluster: a\n---\ncluster: b', 'SETTINGS_INVALID'],
    ['an open API', 'cluster: a\napi: {host: 0.0.0.0}', 'TLS_REQUIRED'],
    [
      'a broker that is ours and another',
      'cluster: a\nmqtt: {url: "mqtt://[::1]:1", port: 1, password_file: /p}',
      'SETTINGS_INVALID',
    ],
    ['a broker without a password', 'cluster: a\nmqtt: {url: "mqtt://127.0.0.1"}', 'SETTINGS_INVALID'],
    ['a password for our own broker', 'cluster: a\nmqtt: {password_file: /p}', 'SETTINGS_INVALID'],
    ['credentials of our own broker', 'cluster: a\nbroker: {credentials: {file: /p}}', 'SETTINGS_INVALID'],
    ['a password in a URL', 'cluster: a\nmqtt: {url: "mqtt://a:b@127.0.0.1", password_file: /p}', 'SETTINGS_INVALID'],
    [
      'a user who could be a node',
      'cluster: a\nmqtt: {url: "mqtt://[::1]", username: aa, password_file: /p}',
      'SETTINGS_INVALID',
    ],
    [
      'a command as one text',
      'cluster: a\nmqtt: {url: "mqtt://[::1]", password_file: /p}\nbroker: {credentials: {file: /p, reload: "kill 1"}}',
      'SETTINGS_INVALID',
    ],
    ['an open broker', 'cluster: a\nmqtt: {host: 192.168.0.1}', 'TLS_REQUIRED'],
    ['a certificate without its key', 'cluster: a\ntls: {cert: /a.pem}', 'SETTINGS_INVALID'],
    ['names for a certificate from a file', 'cluster: a\ntls: {cert: /a, key: /b, names: [c]}', 'SETTINGS_INVALID'],
    ['a certificate by a relative path', 'cluster: a\ntls: {cert: a.pem, key: /b.pem}', 'SETTINGS_INVALID'],
    ['a source called direct', withSource('{name: direct, url: x}'), 'NAME_TAKEN'],
    ['two sources of a name', 'cluster: a\nsources: [{name: x, url: y}, {name: X, url: z}]', 'NAME_TAKEN'],
    ['a path that climbs', withSource('{name: x, url: y, path: a/../..}'), 'SETTINGS_INVALID'],
    ['an option as URL', withSource('{name: x, url: --upload-pack=x}'), 'SETTINGS_INVALID'],
    ['an option as branch', withSource('{name: x, url: y, branch: -x}'), 'SETTINGS_INVALID'],
    ['a poll that hammers', withSource('{name: x, url: y, poll: 10ms}'), 'SETTINGS_INVALID'],
    ['a loss in no time', 'cluster: a\nlost_after: {fast: 10ms}', 'SETTINGS_INVALID'],
    ['no time', 'cluster: a\nlost_after: {fast: soon}', 'SETTINGS_INVALID'],
    ['aliases', 'cluster: &a b\napi: *a', 'YAML_INVALID'],
  ])('refuses %s', (_, text, code) => {
    const { settings, problems } = cluster(text);
    expect(settings).toBeUndefined();
    expect(problems[0]).toMatchObject({ code, file: 'cluster.yaml' });
    expect(problems[0]?.line).toBeGreaterThan(0);
  });
});

describe('oakctl.yaml', () => {
  it('may be empty', () => {
    expect(repository('')).toEqual({ settings: { pools: {} }, problems: [] });
  });

  it('takes what it says', () => {
    expect(
      repository('poll: 5s\npools: {roof: {class: lan}}\nguard: {count: 1}\nnodes: {undeclared: refuse}').settings,
    ).toEqual({
      poll: 5_000,
      pools: { roof: { class: 'lan' } },
      guard: { count: 1 },
      nodes: { undeclared: 'refuse' },
    });
  });

  it('refuses what belongs to the host, and says so of what comes later', () => {
    expect(repository('sources: []').problems[0]?.code).toBe('UNKNOWN_FIELD');
    expect(repository('notifications: [{url: x}]').problems[0]).toMatchObject({
      code: 'FIELD_NOT_SERVED',
      severity: 'warning',
    });
    expect(repository('notifications: [{url: x}]').settings).toBeDefined();
    expect(repository('poll: 1ms').settings).toBeUndefined();
  });

  it('only makes things stricter', () => {
    const base = cluster(
      'cluster: a\nguard: {count: 5, share: 0.2}\nnodes: {undeclared: cordon}\npools: {roof: {class: edge}}',
    ).settings;
    const wish = repository(
      'guard: {count: 9, share: 0.1}\nnodes: {undeclared: use}\npools: {roof: {class: fast}, cellar: {class: lan}}',
    ).settings;
    if (!base || !wish) throw new Error('both are valid');
    expect(withRepositorySettings(base, wish)).toMatchObject({
      guard: { count: 5, share: 0.1 },
      nodes: { undeclared: 'cordon' },
      pools: { roof: { class: 'edge' }, cellar: { class: 'lan' } },
    });
    expect(withRepositorySettings(base, { pools: {}, nodes: { undeclared: 'refuse' } }).nodes.undeclared).toBe(
      'refuse',
    );
  });
});
