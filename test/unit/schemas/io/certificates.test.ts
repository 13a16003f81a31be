import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  authorityPin,
  isUntrusted,
  keyFingerprint,
  parseCertificates,
  pinnedCertificate,
} from '../../../../schemas/io/certificates.ts';
import { localCertificate, testAuthority } from '../../../support/certificates.ts';

const [ours, foreign] = [testAuthority(1), testAuthority(2)];
const pin = authorityPin(ours.fingerprint);

describe('an authority by its pin', () => {
  it('is the one with the pinned key, whatever stands beside it', () => {
    expect(pinnedCertificate(ours.certificate, pin)).toBe(ours.certificate);
    const mixed = `${foreign.certificate}text\n${ours.certificate}${localCertificate(foreign).cert}`;
    expect(pinnedCertificate(mixed, pin)).toBe(ours.certificate);
  });

  it('is none when nothing has that key, or when it is no certificate at all', () => {
    const broken = ours.certificate.replace(/[A-Z]/g, 'A');
    const twoHundred = foreign.certificate.repeat(200);
    for (const text of [foreign.certificate, '', 'PEM', broken, twoHundred + ours.certificate]) {
      expect(pinnedCertificate(text, pin)).toBeUndefined();
    }
  });

  it('stays the same when its certificate is made anew', () => {
    const again = testAuthority(1).certificate;
    expect(again).not.toBe(ours.certificate);
    expect(pinnedCertificate(again, pin)).toBe(again);
    expect(keyFingerprint(new X509Certificate(again))).toBe(ours.fingerprint);
    expect(parseCertificates(again + ours.certificate)).toHaveLength(2);
  });
});

describe('errors of connections', () => {
  it('tell a stranger from a clock that is wrong', () => {
    const error = (code: string): Error => Object.assign(new Error('x'), { code });
    const strangers = ['SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'ERR_TLS_CERT_ALTNAME_INVALID'];
    expect(strangers.every((code) => isUntrusted(error(code)))).toBe(true);
    for (const code of ['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID', 'ECONNREFUSED']) {
      expect(isUntrusted(error(code))).toBe(false);
    }
    expect(isUntrusted('text')).toBe(false);
  });
});
