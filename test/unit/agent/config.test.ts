import { describe, expect, test } from 'vitest';
import { parseAgentConfig } from '../../../agent/config.ts';

const parse = (text: string) => parseAgentConfig(text, 'agent.yaml', 'pi-7.lan');
const minimal = 'api: http://10.0.0.1:10100\nip: 10.0.0.7\n';

describe('agent.yaml', () => {
  test('needs little', () => {
    expect(parse(minimal)).toEqual({
      problems: [],
      config: {
        name: 'pi-7',
        api: 'http://10.0.0.1:10100',
        ip: '10.0.0.7',
        authority: 'cluster',
        capacity: {},
        labels: {},
        beat: 5_000,
        runtimes: { docker: {} },
      },
    });
  });

  test('need not say where it is', () => {
    expect(parse('api: http://10.0.0.1:10100\n').config?.ip).toBeUndefined();
    const advertise = (text: string) => parse(`${minimal}advertise: ${text}\n`);
    expect(advertise('203.0.113.7:8080').config?.advertise).toEqual({ ip: '203.0.113.7', port: 8080 });
    const { config, problems } = advertise('box.lan:80');
    expect(config).toBeUndefined();
    expect(problems).toMatchObject([{ subject: 'advertise', line: 3, hint: expect.stringContaining('203.0.113.7') }]);
  });

  test('says everything', () => {
    const text = `${minimal}name: worker-1
token: oak1.x
capacity: { cpu: 2, memory: 512 }
authority: local
labels: { zone: attic }
location: 52.5,13.4
secrets: /etc/oakctl/secrets
beat: 500ms
runtimes:
  docker: { socket: /run/docker.sock }
  process: { allow: true }
`;
    expect(parse(text).config).toMatchObject({
      name: 'worker-1',
      token: 'oak1.x',
      authority: 'local',
      capacity: { cpu: 2, memory: 512 },
      labels: { zone: 'attic' },
      location: '52.5,13.4',
      secrets: '/etc/oakctl/secrets',
      beat: 500,
      runtimes: { docker: { socket: '/run/docker.sock' }, process: { allow: true } },
    });
  });

  test('naming only processes means no containers', () => {
    expect(parse(`${minimal}runtimes: { process: { allow: true } }`).config?.runtimes).toEqual({
      process: { allow: true },
    });
  });

  test.each([
    ['an unknown key', `${minimal}runtime: {}`, 'UNKNOWN_FIELD', 3],
    ['no address', `${minimal}advertise: 0.0.0.0`, 'SETTINGS_INVALID', 3],
    ['no IP', 'api: http://h:1\nip: localhost\n', 'SETTINGS_INVALID', 2],
    ['no URL', 'api: h:1\nip: 10.0.0.1\n', 'SETTINGS_INVALID', 1],
    ['a folder of secrets somewhere', `${minimal}secrets: secrets`, 'SETTINGS_INVALID', 3],
    ['a bad name', `${minimal}name: a b`, 'NAME_INVALID', 3],
    ['a beat that is too short', `${minimal}beat: 10ms`, 'SETTINGS_INVALID', 3],
    ['no capacity at all', `${minimal}capacity: { cpu: 0 }`, 'SETTINGS_INVALID', 3],
    ['two documents', `${minimal}---\na: 1\n`, 'SETTINGS_INVALID', 1],
    ['nothing', '', 'SETTINGS_INVALID', 1],
    ['no YAML', 'api: [', 'YAML_INVALID', 1],
  ])('with %s is refused with its line', (_name, text, code, line) => {
    const { config, problems } = parse(text);
    expect(config).toBeUndefined();
    expect(problems[0]).toMatchObject({ code, file: 'agent.yaml', line });
  });
});
