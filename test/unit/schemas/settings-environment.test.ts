import { describe, expect, it } from 'vitest';
import { parseClusterSettings } from '../../../schemas/settings.ts';
import { rootUrl, settingsOfEnvironment } from '../../../schemas/settings-environment.ts';

const token = `oak1.${'a'.repeat(12)}.${'b'.repeat(43)}.${'c'.repeat(32)}`;
const named = (more: Record<string, string> = {}) => settingsOfEnvironment({ CLUSTER_NAME: 'home', ...more });
const faults = (env: Record<string, string | undefined>) =>
  settingsOfEnvironment(env).problems.map(({ code, subject }) => `${code} ${subject}`);

describe('the environment of a reconciler', () => {
  it('needs a name, and what is empty is not set', () => {
    expect(faults({})).toEqual(['SETTINGS_INVALID CLUSTER_NAME']);
    expect(faults({ CLUSTER_NAME: '' })).toEqual(['SETTINGS_INVALID CLUSTER_NAME']);
    const nothing = { SYSTEM_MANAGER_URL: '', CLUSTER_LOCATION: '', CLUSTER_REPOSITORY: '', OAKCTL_API_PORT: '' };
    expect(named(nothing).given).toEqual({ values: { cluster: 'home', api: {}, mqtt: {} }, warnings: [] });
  });

  it('takes the examples of seed 000, and says what they have no effect on', () => {
    const { given, problems } = settingsOfEnvironment({
      CLUSTER_NAME: 'My_Awesome_Cluster',
      CLUSTER_LOCATION: 'My_Awesome_Apartment',
      SYSTEM_MANAGER_URL: '192.0.2.7',
      CLUSTER_TOKEN: token,
    });
    expect(problems).toEqual([]);
    expect(given?.values).toMatchObject({ cluster: 'My_Awesome_Cluster', location: 'My_Awesome_Apartment' });
    expect(given?.warnings).toMatchObject([
      { code: 'FIELD_NOT_SERVED', subject: 'SYSTEM_MANAGER_URL', severity: 'warning' },
    ]);
    expect(given?.warnings[0]?.message).toContain('https://192.0.2.7:10100');
  });

  it('gives whole settings: the source, addresses over TLS, ports', () => {
    const { given } = named({
      CLUSTER_REPOSITORY: 'https://example.org/fleet.git',
      CLUSTER_BRANCH: 'release/1',
      CLUSTER_LABELS: 'tier=small, note=a=b,empty=',
      CLUSTER_WEBHOOK_GITEA_SECRET_FILE: '/run/secrets/gitea',
      CLUSTER_WEBHOOK_PLAIN_SECRET_FILE: '',
      CLUSTER_ADDRESS: '192.0.2.1, fleet.example.org',
      OAKCTL_BIND: '::',
      OAKCTL_API_PORT: '11000',
    });
    const { settings, problems } = parseClusterSettings(JSON.stringify(given?.values), 'the environment');
    expect(problems).toEqual([]);
    expect(settings).toMatchObject({
      cluster: 'home',
      sources: [{ name: 'main', url: 'https://example.org/fleet.git', branch: 'release/1' }],
      labels: { tier: 'small', note: 'a=b', empty: '' },
      webhooks: { gitea: '/run/secrets/gitea' },
      api: { host: '::', port: 11_000 },
      mqtt: { host: '::', port: 10_003 },
      tls: { kind: 'auto', names: ['192.0.2.1', 'fleet.example.org'] },
    });
  });

  it.each([
    ['My Awesome Cluster', 'My_Awesome_Cluster'],
    ['-edge/7-', 'edge_7'],
    ['Köln.Süd', 'Koln_Sud'],
    ['x'.repeat(70), 'x'.repeat(63)],
  ])('says how to write %s', (name, better) => {
    const [problem] = settingsOfEnvironment({ CLUSTER_NAME: name }).problems;
    expect(problem).toMatchObject({ code: 'NAME_INVALID', subject: 'CLUSTER_NAME' });
    expect(problem?.hint).toContain(`write ${better}:`);
    expect(faults({ CLUSTER_NAME: better })).toEqual([]);
  });

  it('has no better spelling for a name of which nothing can stay', () => {
    expect(settingsOfEnvironment({ CLUSTER_NAME: '...' }).problems[0]?.hint).toMatch(/^letters/);
  });

  it.each([
    ['CLUSTER_LOCATION', '91,11.5'],
    ['CLUSTER_LOCATION', '48.1,11.5,-3'],
    ['CLUSTER_LOCATION', '48.1,'],
    ['CLUSTER_LOCATION', 'a\u0007b'],
    ['CLUSTER_REPOSITORY', '--upload-pack=x'],
    ['CLUSTER_REPOSITORY', 'two words'],
    ['CLUSTER_BRANCH', 'main'],
    ['CLUSTER_REPOSITORY_TOKEN_FILE', '/run/secrets/token'],
    ['CLUSTER_LABELS', 'tier'],
    ['CLUSTER_LABELS', 'tier=small,'],
    ['CLUSTER_LABELS', 'a b=c'],
    ['CLUSTER_WEBHOOK_GITHUB_SECRET_FILE', 'secret'],
    ['CLUSTER_ADDRESS', 'fleet_1'],
    ['CLUSTER_TOKEN', token],
    ['SYSTEM_MANAGER_URL', 'http://'],
    ['OAKCTL_BIND', 'everywhere'],
    ['OAKCTL_API_PORT', '0'],
    ['OAKCTL_MQTT_PORT', '70000'],
  ])('refuses %s=%s by its name', (variable, value) => {
    expect(faults({ CLUSTER_NAME: 'home', [variable]: value })).toEqual([`SETTINGS_INVALID ${variable}`]);
  });

  it('refuses a token that is none, and does not repeat it', () => {
    const { problems } = named({ SYSTEM_MANAGER_URL: 'root', CLUSTER_TOKEN: 'oak1.hush' });
    expect(problems).toMatchObject([{ code: 'TOKEN_INVALID', subject: 'CLUSTER_TOKEN' }]);
    expect(JSON.stringify(problems)).not.toContain('hush');
  });

  it.each(['48.137,11.575', '48.137, 11.575, 500', '-33,151', 'Hall 2, second floor', '12'])(
    'takes the location %s',
    (place) => {
      expect(named({ CLUSTER_LOCATION: place }).problems).toEqual([]);
    },
  );
});

describe('the root orchestrator', () => {
  it.each([
    ['192.0.2.7', 'https://192.0.2.7:10100'],
    ['root.example.org', 'https://root.example.org:10100'],
    ['root:10000', 'https://root:10000'],
    ['root:443', 'https://root:443'],
    ['fd00::7', 'https://[fd00::7]:10100'],
    ['[fd00::7]:99', 'https://[fd00::7]:99'],
    ['localhost', 'http://localhost:10100'],
    ['127.0.0.1:80', 'http://127.0.0.1:80'],
    ['http://192.0.2.7', 'http://192.0.2.7:10100'],
    ['https://root.example.org:8443/', 'https://root.example.org:8443'],
  ])('%s is %s', (written, url) => {
    expect(rootUrl(written)).toBe(url);
  });

  it.each([
    '',
    'a b',
    'ftp://root',
    'user:password@root',
    'https://u@root',
    'root/path',
    'https://root/path',
    'root?x',
    'root:x',
  ])('`%s` is none', (written) => {
    expect(rootUrl(written)).toBeUndefined();
  });
});

describe('cluster.yaml beside the environment', () => {
  const both = (text: string, env: Record<string, string>) => {
    const values = named(env).given?.values;
    return parseClusterSettings(text, 'cluster.yaml', values ? { values } : {});
  };

  it('adds to it, and counts more in where API and broker listen', () => {
    const { settings, problems } = both('cluster: home\napi: { port: 1 }\nguard: { count: 5 }', {
      OAKCTL_BIND: '0.0.0.0',
      OAKCTL_API_PORT: '2',
      CLUSTER_REPOSITORY: '/srv/fleet.git',
    });
    expect(problems).toEqual([]);
    expect(settings).toMatchObject({
      api: { host: '0.0.0.0', port: 1 },
      guard: { count: 5 },
      sources: [{ url: '/srv/fleet.git' }],
      tls: { kind: 'auto' },
    });
  });

  it('may name another broker, although the environment says where to listen', () => {
    const text = 'cluster: home\nmqtt: { url: "mqtts://broker", password_file: /p }';
    expect(both(text, { OAKCTL_BIND: '0.0.0.0' }).settings?.external).toMatchObject({ url: 'mqtts://broker' });
  });

  it('must not contradict it', () => {
    const text = 'cluster: other\nlocation: hall\nsources: [{ name: main, url: /a }]';
    const { settings, problems } = both(text, { CLUSTER_LOCATION: 'attic', CLUSTER_REPOSITORY: '/b' });
    expect(settings).toBeUndefined();
    expect(problems.map(({ code, subject, line }) => [code, subject, line])).toEqual([
      ['SETTINGS_INVALID', 'cluster', 1],
      ['SETTINGS_INVALID', 'location', 2],
      ['SETTINGS_INVALID', 'sources', 3],
    ]);
  });
});
