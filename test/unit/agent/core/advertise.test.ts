import { describe, expect, it } from 'vitest';
import { advertise } from '../../../../agent/core/advertise.ts';
import type { CopyReport } from '../../../../schemas/messages.ts';

const copy = (...addresses: string[]): CopyReport => ({
  instance: 'a.a.b.b.instance.0',
  copy: '1.1',
  digest: `1:${'0'.repeat(64)}`,
  status: 'running',
  want: 'run',
  age: 0,
  ...(addresses.length > 0 && { addresses }),
});
const told = (addresses: string[], place: Parameters<typeof advertise>[1]) =>
  advertise([copy(...addresses)], place)[0]?.addresses;

describe('the addresses of copies', () => {
  it('are those that others reach', () => {
    const place = { ip: '10.0.0.7', advertise: { ip: '203.0.113.7' } };
    expect(told(['10.0.0.7:8080', '10.0.0.7:9090'], place)).toEqual(['203.0.113.7:8080', '203.0.113.7:9090']);
    expect(told(['10.0.0.7:8080'], { ip: '10.0.0.7', advertise: { ip: '2001:db8::7' } })).toEqual([
      '[2001:db8::7]:8080',
    ]);
  });

  it('are told once where the engine listens on all addresses', () => {
    const place = { ip: '0.0.0.0', advertise: { ip: '192.168.1.17' } };
    expect(told(['0.0.0.0:8080', '[::]:8080'], place)).toEqual(['192.168.1.17:8080']);
  });

  it('are the own ones for ports that nobody leads here', () => {
    const place = { ip: '10.0.0.7', advertise: { ip: '203.0.113.7', port: 8080 } };
    expect(told(['10.0.0.7:8080', '10.0.0.7:9090'], place)).toEqual(['203.0.113.7:8080', '10.0.0.7:9090']);
  });

  it('of other machines, and none at all, stay as they are', () => {
    const place = { ip: '10.0.0.7', advertise: { ip: '203.0.113.7' } };
    expect(told(['172.17.0.2:80'], place)).toEqual(['172.17.0.2:80']);
    expect(told([], place)).toBeUndefined();
    expect(told(['10.0.0.7:80'], { ip: '10.0.0.7' })).toEqual(['10.0.0.7:80']);
  });
});
