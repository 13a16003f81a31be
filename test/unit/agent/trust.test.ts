import { describe, expect, it } from 'vitest';
import { brokerUrl, endpointOf, withoutTls } from '../../../agent/trust.ts';

describe('where a node connects', () => {
  it('is never without TLS once it knows the root of its cluster', () => {
    expect(endpointOf('https://10.0.0.1:10100', 'PEM')).toEqual({ url: 'https://10.0.0.1:10100', ca: 'PEM' });
    expect(endpointOf('http://127.0.0.1:10100', undefined)).toEqual({ url: 'http://127.0.0.1:10100' });
    expect(() => endpointOf('http://10.0.0.1:10100', 'PEM')).toThrow(/TLS_REQUIRED.*api: https:\/\/10.0.0.1:10100/);
  });

  it('is the broker that the cluster named, or where the API is if that listens everywhere', () => {
    const api = 'https://fleet.example:10100';
    expect(brokerUrl({ host: '10.0.0.1', port: 1, tls: true }, api)).toBe('mqtts://10.0.0.1:1');
    expect(brokerUrl({ host: '::1', port: 1 }, api)).toBe('mqtt://[::1]:1');
    expect(brokerUrl({ host: '0.0.0.0', port: 1, tls: true }, api)).toBe('mqtts://fleet.example:1');
    expect(brokerUrl({ host: '::', port: 1 }, 'http://[::1]:2')).toBe('mqtt://[::1]:1');
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
