import { describe, expect, it } from 'vitest';
import { parseClusterSettings } from '../../../schemas/settings.ts';

const tls = 'cluster: a\ntls: auto\napi: {host: 10.0.0.1}\nmqtt: {host: 10.0.0.1}\n';
const parse = (text: string, head = tls) => parseClusterSettings(`${head}${text}\n`, 'cluster.yaml');

describe('endpoints in cluster.yaml', () => {
  it('are an API, whose broker is beside it unless it says so', () => {
    const text =
      'endpoints:\n  - {api: "https://10.0.0.2:10100"}\n  - {api: "https://[fd00::2]:1", mqtt: "mqtts://b:8883"}';
    expect(parse(text).settings?.endpoints).toEqual([
      { api: 'https://10.0.0.2:10100', mqtt: 'mqtts://10.0.0.2:10003' },
      { api: 'https://[fd00::2]:1', mqtt: 'mqtts://b:8883' },
    ]);
    expect(parse('').settings?.endpoints).toEqual([]);
    expect(parse('endpoints: [{api: "http://127.0.0.3:10100"}]', 'cluster: a\n').settings?.endpoints).toEqual([
      { api: 'http://127.0.0.3:10100', mqtt: 'mqtt://127.0.0.3:10003' },
    ]);
  });

  it('mean the broker of the cluster where that is not the embedded one', () => {
    const head = 'cluster: a\nmqtt: {url: "mqtts://b:8883", password_file: /p, ca: /ca.pem}\n';
    const text =
      'endpoints: [{api: "http://127.0.0.3:1"}, {api: "http://127.0.0.4:1", mqtt: "mqtts://c:8883", ca: /c.pem}]';
    expect(parse(text, head).settings?.endpoints).toEqual([
      { api: 'http://127.0.0.3:1', mqtt: 'mqtts://b:8883', external: true, caFile: '/ca.pem' },
      { api: 'http://127.0.0.4:1', mqtt: 'mqtts://c:8883', external: true, caFile: '/c.pem' },
    ]);
  });

  it.each([
    ['endpoints: [{api: 10.0.0.2}]', 'SETTINGS_INVALID', /must be the URL of an API/],
    ['endpoints: [{api: "https://a:b"}]', 'SETTINGS_INVALID', /not a URL with a host/],
    ['endpoints: [{api: "http://10.0.0.2:10100"}]', 'TLS_REQUIRED', /the cluster speaks TLS/],
    ['endpoints: [{api: "https://a:1", mqtt: "mqtt://a:2"}]', 'TLS_REQUIRED', /mqtt:\/\/a:2 is not loopback/],
    ['endpoints: [{api: "https://a:1"}, {api: "https://a:1"}]', 'SETTINGS_INVALID', /there twice/],
    ['endpoints: [{api: "https://a:1", port: 3}]', 'UNKNOWN_FIELD', /port/],
  ])('refuse %s', (text, code, message) => {
    const [found] = parse(text).problems;
    expect(found).toMatchObject({ code, file: 'cluster.yaml', line: 5 });
    expect(`${found?.message}`).toMatch(message);
  });
});
