import { describe, expect, it } from 'vitest';
import { parseClusterSettings } from '../../../schemas/settings.ts';
import { settingsOfEnvironment } from '../../../schemas/settings-environment.ts';

const parse = (...lines: string[]) =>
  parseClusterSettings(
    ['cluster: home', 'sources:', '  - name: a', ...lines.map((line) => `    ${line}`)].join('\n'),
    'c',
  );
const https = 'url: https://example.org/a.git';
const ssh = 'url: git@example.org:a.git';

describe('what a source may do', () => {
  it('is a part of a commit, unless it is strict', () => {
    expect(parse(https).settings?.sources[0]).not.toHaveProperty('strict');
    expect(parse(https, 'strict: false').settings?.sources[0]).not.toHaveProperty('strict');
    expect(parse(https, 'strict: true').settings?.sources[0]).toMatchObject({ strict: true });
    expect(parse(https, 'strict: yes please').problems[0]).toMatchObject({ code: 'SETTINGS_INVALID', line: 5 });
  });

  it('is what anybody commits, unless it names who has to sign', () => {
    const file = '/etc/oakctl/allowed_signers';
    expect(parse(https).settings?.sources[0]).not.toHaveProperty('signers');
    expect(parse(https, `signers: { file: ${file} }`).settings?.sources[0]?.signers).toEqual({ file, commits: 'head' });
    expect(parse(https, `signers: { file: ${file}, commits: all }`).settings?.sources[0]?.signers).toEqual({
      file,
      commits: 'all',
    });
    for (const wrong of ['{}', '{ file: here }', `{ file: ${file}, commits: some }`, "{ file: '/a b;c' }"])
      expect(parse(https, `signers: ${wrong}`).settings).toBeUndefined();
  });
});

describe('how a source is reached', () => {
  it('is a token, or a key with known hosts', () => {
    const token = parse(https, 'token_file: /etc/oakctl/token', 'username: robot', 'ca: /etc/ca.pem');
    expect(token.settings?.sources[0]?.access).toEqual({
      tokenFile: '/etc/oakctl/token',
      username: 'robot',
      ca: '/etc/ca.pem',
    });
    const key = parse(ssh, 'key_file: /etc/oakctl/key', 'known_hosts: /etc/oakctl/known_hosts');
    expect(key.settings?.sources[0]?.access).toEqual({
      keyFile: '/etc/oakctl/key',
      knownHosts: '/etc/oakctl/known_hosts',
    });
    expect(parse('url: ssh://git@example.org/a.git', 'known_hosts: /k').problems).toEqual([]);
  });

  it.each([
    [[ssh, 'token_file: /t'], 5, /token_file.*for https/],
    [['url: /srv/a.git', 'ca: /t'], 5, /ca.*for https/],
    [[https, 'key_file: /k'], 5, /key_file.*for ssh/],
    [[https, 'known_hosts: /k'], 5, /known_hosts.*for ssh/],
    [[ssh, 'key_file: /k'], 5, /needs `known_hosts`/],
    [[https, 'username: robot'], 5, /token_file/],
    [[https, 'token_file: token'], 5, /token_file/],
    [[ssh, 'known_hosts: /k', "key_file: '/k -oProxyCommand=id'"], 6, /key_file/],
    [[ssh, "known_hosts: '/k;id'"], 5, /known_hosts/],
    [[https, "token_file: '/t$(id)'"], 5, /token_file/],
  ])('is refused where it contradicts itself: %j', (lines, line, message) => {
    const { problems } = parse(...lines);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ code: 'SETTINGS_INVALID', file: 'c', line });
    expect(`${problems[0]?.subject} ${problems[0]?.message}`).toMatch(message);
  });

  it('comes from the environment, too', () => {
    const { given } = settingsOfEnvironment({
      CLUSTER_NAME: 'home',
      CLUSTER_REPOSITORY: 'https://example.org/a.git',
      CLUSTER_REPOSITORY_TOKEN_FILE: '/run/secrets/token',
      CLUSTER_REPOSITORY_USERNAME: 'robot',
    });
    const { settings } = parseClusterSettings(JSON.stringify(given?.values), 'the environment');
    expect(settings?.sources[0]?.access).toEqual({ tokenFile: '/run/secrets/token', username: 'robot' });
    const wrong = settingsOfEnvironment({
      CLUSTER_NAME: 'home',
      CLUSTER_REPOSITORY: 'https://example.org/a.git',
      CLUSTER_REPOSITORY_TOKEN_FILE: 'secret-itself',
    });
    expect(wrong.problems).toMatchObject([{ subject: 'CLUSTER_REPOSITORY_TOKEN_FILE' }]);
    expect(JSON.stringify(wrong.problems)).not.toContain('secret-itself');
  });
});
