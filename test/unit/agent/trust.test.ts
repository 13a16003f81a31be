import { describe, expect, it } from 'vitest';
import { brokerAt, endpointOf, joinedAt, withoutTls } from '../../../agent/trust.ts';

describe('where a node connects', () => {
  it('is never without TLS once it knows the root of its cluster', () => {
    expect(endpointOf('https://10.0.0.1:10100', 'PEM')).toEqual({ url: 'https://10.0.0.1:10100', ca: 'PEM' });
    expect(endpointOf('http://127.0.0.1:10100', undefined)).toEqual({ url: 'http://127.0.0.1:10100' });
    expect(() => endpointOf('http://10.0.0.1:10100', 'PEM')).toThrow(/TLS_REQUIRED.*api: https:\/\/10.0.0.1:10100/);
  });

  it('is the broker that the cluster named, or where the API is if that listens everywhere', () => {
    const api = 'https://fleet.example:10100';
    type Mqtt = Parameters<typeof joinedAt>[0];
    const brokerOf = (mqtt: Mqtt, of: string, ca: string | undefined) => brokerAt(joinedAt(mqtt, of), ca);
    const urlOf = (mqtt: Mqtt, of = api) => brokerOf(mqtt, of, undefined).url;
    expect(brokerOf({ host: '10.0.0.1', port: 1, tls: true }, api, 'PEM')).toEqual({
      url: 'mqtts://10.0.0.1:1',
      ca: 'PEM',
    });
    expect(urlOf({ host: '::1', port: 1 })).toBe('mqtt://[::1]:1');
    expect(urlOf({ host: '0.0.0.0', port: 1, tls: true })).toBe('mqtts://fleet.example:1');
    expect(urlOf({ host: '::', port: 1 }, 'http://[::1]:2')).toBe('mqtt://[::1]:1');
    // Another broker has a root of its own, or one that everybody knows.
    const other = { host: 'broker', port: 1, url: 'wss://broker/mqtt' };
    expect(brokerOf(other, api, 'PEM')).toEqual({ url: 'wss://broker/mqtt' });
    expect(brokerOf({ ...other, ca: 'OTHER' }, api, 'PEM')).toEqual({ url: 'wss://broker/mqtt', ca: 'OTHER' });
  });

  it('asks in the open at the same port', () => {
    expect(['https://a:10100', 'https://[::1]:5', 'https://a', 'http://a'].map(withoutTls)).toEqual([
      'http://a:10100',
      'http://[::1]:5',
      'http://a:443',
      'http://a:80',
    ]);
  });
});
