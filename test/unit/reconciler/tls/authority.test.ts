import { createPrivateKey, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createAuthority } from '../../../../reconciler/tls/authority.ts';
import { identifier, integer, sequence, tagged, time } from '../../../../reconciler/tls/der.ts';
import { namesOf } from '../../../../reconciler/tls/material.ts';
import { isEverywhere, serverNames } from '../../../../reconciler/tls/names.ts';
import { keyFingerprint } from '../../../../schemas/io/certificates.ts';
import { localCertificate, testAuthority } from '../../../support/certificates.ts';

describe('the authority', () => {
  it('is the same for the same secret, and another one for another: its key never lies in a file', () => {
    const [one, same, other] = [testAuthority(1), testAuthority(1), testAuthority(2)];
    expect(same.fingerprint).toBe(one.fingerprint);
    expect(other.fingerprint).not.toBe(one.fingerprint);
    const issued = new X509Certificate(localCertificate(one).cert);
    const [root, again, foreign] = [one, same, other].map(({ certificate }) => new X509Certificate(certificate));
    for (const trusted of [root, again]) {
      expect(trusted && issued.checkIssued(trusted) && issued.verify(trusted.publicKey)).toBe(true);
    }
    expect(foreign && issued.verify(foreign.publicKey)).toBe(false);
  });

  it('is a root that does not end, and may sign; what it issues may not', () => {
    const authority = testAuthority();
    const root = new X509Certificate(authority.certificate);
    expect([root.ca, root.checkIssued(root), root.verify(root.publicKey)]).toEqual([true, true, true]);
    expect(Date.parse(root.validTo)).toBeGreaterThan(Date.UTC(9999, 0));
    expect(keyFingerprint(root)).toBe(authority.fingerprint);
    expect(new X509Certificate(localCertificate(authority).cert).ca).toBe(false);
  });

  it('issues for names and addresses, between two times, with a key and a number of its own', () => {
    const names = [
      'localhost',
      'edge-7.example.org',
      '10.1.2.3',
      '::1',
      '2001:db8::7',
      'fe80::1:0:0:2',
      '::ffff:10.0.0.1',
    ];
    const [from, until] = [Date.UTC(1970, 0, 1, 0, 0, 5), Date.UTC(2050, 1, 28, 23, 59, 59)];
    const authority = testAuthority();
    const { cert, key } = authority.issue(names, { from, until });
    const issued = new X509Certificate(cert);
    expect([Date.parse(issued.validFrom), Date.parse(issued.validTo)]).toEqual([from, until]);
    expect(issued.checkPrivateKey(createPrivateKey(key))).toBe(true);
    expect(names.filter((name) => !(issued.checkHost(name) ?? issued.checkIP(name)))).toEqual([]);
    expect([issued.checkHost('example.org'), issued.checkIP('10.1.2.4')]).toEqual([undefined, undefined]);
    const other = authority.issue(names, { from, until });
    expect(new X509Certificate(other.cert).serialNumber).not.toBe(issued.serialNumber);
    expect(other.key).not.toBe(key);
  });

  it('takes numbers with a leading bit or zero bytes for what they are', () => {
    for (const serial of [Uint8Array.of(0xff, 1), Uint8Array.of(0, 0, 7), new Uint8Array(3)]) {
      const authority = createAuthority(new Uint8Array(32), 'ab'.repeat(32), () => serial);
      const { cert } = authority.issue(['a'], { from: 0, until: 1 });
      expect(BigInt(`0x${new X509Certificate(cert).serialNumber}`)).toBe(
        BigInt(`0x${Buffer.from(serial).toString('hex')}`),
      );
    }
  });
});

describe('DER', () => {
  it('writes lengths in as many bytes as they need', () => {
    const head = (size: number) => sequence(new Uint8Array(size)).subarray(0, -size).toString('hex');
    expect([127, 128, 255, 256, 65_536].map(head)).toEqual(['307f', '308180', '3081ff', '30820100', '3083010000']);
  });

  it('writes numbers, identifiers and times', () => {
    expect(integer(Uint8Array.of(0, 0x80)).toString('hex')).toBe('02020080');
    expect(integer(new Uint8Array(2)).toString('hex')).toBe('020100');
    expect(identifier('1.2.840.10045.4.3.2').toString('hex')).toBe('06082a8648ce3d040302');
    expect(
      time(Date.UTC(2049, 11, 31, 23, 59, 59))
        .subarray(2)
        .toString(),
    ).toBe('491231235959Z');
    expect(
      time(Date.UTC(2050, 0, 1))
        .subarray(2)
        .toString(),
    ).toBe('20500101000000Z');
    expect(tagged(0x82, Buffer.from('a')).toString('hex')).toBe('820161');
  });
});

describe('names of a server', () => {
  const machine = { name: 'Box', addresses: ['127.0.0.1', '10.0.0.5', 'fe80::1%eth0', 'FD00::1', '169.254.1.1'] };
  it('are what it listens on, and always loopback and the host name; everywhere is every address', () => {
    const local = ['127.0.0.1', '::1', 'box', 'localhost'];
    expect(serverNames(['10.0.0.5', '10.0.0.5'], [], machine)).toEqual(['10.0.0.5', ...local].sort());
    expect(serverNames(['0.0.0.0'], ['A.example'], machine)).toEqual(
      ['10.0.0.5', 'fd00::1', 'a.example', ...local].sort(),
    );
    expect(serverNames(['10.0.0.5'], [], { ...machine, name: 'no host name' })).not.toContain('no host name');
    expect(['0.0.0.0', '::', '127.0.0.1'].map(isEverywhere)).toEqual([true, true, false]);
  });

  it('are read back from the certificate', () => {
    const { cert } = localCertificate(testAuthority(), { names: ['a.example', '10.0.0.1'] });
    expect(namesOf(new X509Certificate(cert))).toEqual(['a.example', '10.0.0.1']);
  });
});
