/**
 * The cluster's own certificate authority. Its key is derived from the cluster's secret, so there is no file to lose or to steal,
 * and a restored backup brings back the authority that all agents pinned. Its certificate does not expire: boxes that were off for
 * years come back. The certificates that it issues are short-lived, with a key of their own that never touches a disk.
 */
import {
  createECDH,
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  sign,
  X509Certificate,
} from 'node:crypto';
import { isIP } from 'node:net';
import { keyFingerprint } from '../../schemas/io/certificates.ts';
import { bits, identifier, integer, octets, sequence, set, tagged, time, truth, utf8 } from './der.ts';

export interface IssuedCertificate {
  /** PEM. */
  readonly cert: string;
  /** PEM; a secret. */
  readonly key: string;
}

export interface Authority {
  /** PEM. */
  readonly certificate: string;
  /** SHA-256 of its public key, hex. */
  readonly fingerprint: string;
  /** Whom another authority may certify. */
  readonly subject: { readonly name: Buffer; readonly publicKey: Buffer };
  /** That this authority stands for another one, PEM: whoever trusts this one trusts what the other one signs. */
  certify(other: Authority['subject']): string;
  /** A certificate for a server of these host names and addresses. Times are ms since 1970. */
  issue(names: readonly string[], validity: { readonly from: number; readonly until: number }): IssuedCertificate;
}

const curve = 'prime256v1';
/** Later than any machine lives: RFC 5280's way to say that a certificate does not expire. */
const never = Date.UTC(9999, 11, 31, 23, 59, 59);
const always = Date.UTC(2000, 0, 1);
/** digitalSignature; keyCertSign and cRLSign. */
const serverUsage = bits(Buffer.from([0x80]), 7);
const authorityUsage = bits(Buffer.from([0x06]), 1);
const ecdsaWithSha256 = sequence(identifier('1.2.840.10045.4.3.2'));

/**
 * The same secret, cluster and number give the same authority. `serial`: bytes that no other certificate of this authority has;
 * `number`: which of the cluster's authorities it is, from 0.
 */
export function createAuthority(
  secret: Uint8Array,
  clusterFingerprint: string,
  serial: () => Uint8Array,
  number = 0,
): Authority {
  const key = derivedKey(secret);
  const which = number === 0 ? '' : ` ${number}`;
  const name = distinguishedName(`oakctl cluster ${clusterFingerprint.slice(0, 32)}${which}`);
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const keyId = createHash('sha256').update(publicKey).digest();
  const issuer = { key, name, keyId: keyId.subarray(0, 20) };
  const authorityOf = (subject: Authority['subject'], own: Uint8Array, more: readonly Buffer[] = []): Buffer =>
    certificate(issuer, {
      serial: own,
      ...subject,
      validity: { from: always, until: never },
      extensions: [
        extension('2.5.29.19', sequence(truth()), true),
        extension('2.5.29.15', authorityUsage, true),
        extension('2.5.29.14', octets(createHash('sha256').update(subject.publicKey).digest().subarray(0, 20))),
        ...more,
      ],
    });
  const subject = { name, publicKey };
  const der = authorityOf(subject, keyId.subarray(0, 15));
  return {
    certificate: pem(der),
    fingerprint: keyFingerprint(new X509Certificate(der)),
    subject,
    certify: (other) =>
      pem(authorityOf(other, serial(), [extension('2.5.29.35', sequence(tagged(0x80, issuer.keyId)))])),
    issue(names, validity) {
      const own = generateKeyPairSync('ec', { namedCurve: curve });
      const issued = certificate(issuer, {
        serial: serial(),
        name: distinguishedName('oakctl reconciler'),
        publicKey: own.publicKey.export({ type: 'spki', format: 'der' }),
        validity,
        extensions: [
          extension('2.5.29.19', sequence(), true),
          extension('2.5.29.15', serverUsage, true),
          extension('2.5.29.37', sequence(identifier('1.3.6.1.5.5.7.3.1'))),
          extension('2.5.29.35', sequence(tagged(0x80, issuer.keyId))),
          extension('2.5.29.17', sequence(...names.map(generalName))),
        ],
      });
      return { cert: pem(issued), key: own.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
    },
  };
}

/** A private key of the curve from a secret. One number in 2^32 is none: then the next one is taken. */
function derivedKey(secret: Uint8Array): KeyObject {
  for (let attempt = 0; ; attempt += 1) {
    const d = Buffer.from(hkdfSync('sha256', secret, 'oakctl/1', `authority ${attempt}`, 32));
    const ecdh = createECDH(curve);
    try {
      ecdh.setPrivateKey(d);
    } catch (error) {
      if (attempt < 8) continue;
      throw error;
    }
    const point = ecdh.getPublicKey();
    const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((part) => part.toString('base64url'));
    const jwk = { kty: 'EC', crv: 'P-256', d: d.toString('base64url'), x: x ?? '', y: y ?? '' };
    return createPrivateKey({ key: jwk, format: 'jwk' });
  }
}

interface Issuer {
  readonly key: KeyObject;
  readonly name: Buffer;
  readonly keyId: Buffer;
}

/** RFC 5280: what is signed, how, and the signature. */
function certificate(
  issuer: Issuer,
  subject: {
    readonly serial: Uint8Array;
    readonly name: Buffer;
    /** SubjectPublicKeyInfo. */
    readonly publicKey: Uint8Array;
    readonly validity: { readonly from: number; readonly until: number };
    readonly extensions: readonly Buffer[];
  },
): Buffer {
  const { serial, name, publicKey, validity, extensions } = subject;
  const version3 = tagged(0xa0, integer(Buffer.from([2])));
  const signed = sequence(
    version3,
    integer(serial),
    ecdsaWithSha256,
    issuer.name,
    sequence(time(validity.from), time(validity.until)),
    name,
    publicKey,
    tagged(0xa3, sequence(...extensions)),
  );
  return sequence(signed, ecdsaWithSha256, bits(sign('sha256', signed, issuer.key)));
}

function distinguishedName(commonName: string): Buffer {
  return sequence(set(sequence(identifier('2.5.4.3'), utf8(commonName.slice(0, 64)))));
}

function extension(id: string, value: Uint8Array, critical = false): Buffer {
  return sequence(identifier(id), ...(critical ? [truth()] : []), octets(value));
}

/** dNSName or iPAddress. */
function generalName(name: string): Buffer {
  return isIP(name) === 0 ? tagged(0x82, Buffer.from(name, 'latin1')) : tagged(0x87, addressBytes(name));
}

/** 4 or 16 bytes. */
function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  const plain = new URL(`http://[${address.split('%', 1)[0]}]`).hostname.slice(1, -1);
  const [head = '', tail] = plain.split('::');
  const words = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const [first, last] = [words(head), words(tail ?? '')];
  const zeros = Array<string>(tail === undefined ? 0 : 8 - first.length - last.length).fill('0');
  return Buffer.from([...first, ...zeros, ...last].map((word) => word.padStart(4, '0')).join(''), 'hex');
}

function pem(der: Buffer): string {
  const lines = der.toString('base64').replace(/.{64}/g, '$&\n').trimEnd();
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}
