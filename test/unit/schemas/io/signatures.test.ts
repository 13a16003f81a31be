import { generateKeyPairSync, sign as nodeSign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  fingerprintOf,
  keyIdOf,
  publicKeyOf,
  type Signer,
  signingKey,
  signMessage,
  signText,
  verifyMessage,
  verifyText,
} from '../../../../schemas/io/signatures.ts';

const key = signingKey(new Uint8Array(32).fill(1));
const publicKey = publicKeyOf(key);
const kid = keyIdOf(publicKey);
const signer: Signer = { cluster: 'c1', kid, sign: (text) => signText(key, text) };
const verifier = { cluster: 'c1', keys: { [kid]: publicKey } };
const topic = 'nodes/aaaa/assignment/0';

describe('keys', () => {
  it('makes the keys of RFC 8032 from its seeds', () => {
    const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
    const made = publicKeyOf(signingKey(seed));
    expect(Buffer.from(made, 'base64url').toString('hex')).toBe(
      'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    );
    expect(fingerprintOf(made)).toHaveLength(64);
    expect(keyIdOf(made)).toBe(fingerprintOf(made).slice(0, 16));
  });

  it('refuses a seed of another length', () => {
    expect(() => signingKey(new Uint8Array(31))).toThrow(TypeError);
  });
});

describe('messages', () => {
  it('verify whatever the order of their members, also after JSON', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue()), (body) => {
        const { sig: _sig, kid: _kid, ...message } = body as Record<string, unknown>;
        const signed = signMessage(signer, topic, message);
        const turned = Object.fromEntries(Object.entries(signed).reverse());
        return verifyMessage(verifier, topic, JSON.parse(JSON.stringify(turned)) as object);
      }),
      { numRuns: 200 },
    );
  });

  const signed = signMessage(signer, topic, { v: 1, jobs: ['a'] });
  it.each<[string, () => boolean]>([
    ['on another topic', () => verifyMessage(verifier, 'nodes/bbbb/assignment/0', signed)],
    ['in another cluster', () => verifyMessage({ ...verifier, cluster: 'c2' }, topic, signed)],
    ['after a change', () => verifyMessage(verifier, topic, { ...signed, jobs: ['b'] })],
    ['with a member more', () => verifyMessage(verifier, topic, { ...signed, more: 1 })],
    ['without a signature', () => verifyMessage(verifier, topic, { ...signed, sig: undefined })],
    ['with an empty signature', () => verifyMessage(verifier, topic, { ...signed, sig: '' })],
    ['under an unknown key id', () => verifyMessage({ ...verifier, keys: {} }, topic, signed)],
    ['under a key id that is inherited', () => verifyMessage(verifier, topic, { ...signed, kid: 'constructor' })],
    ['with a pinned key that is none', () => verifyMessage({ ...verifier, keys: { [kid]: 'AAAA' } }, topic, signed)],
    ['with lone surrogates', () => verifyMessage(verifier, topic, { ...signed, jobs: ['\ud800'] })],
  ])('are refused %s', (_, check) => {
    expect(check()).toBe(false);
  });

  it('are refused when another key signed them', () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const forger: Signer = {
      ...signer,
      sign: (text) => nodeSign(null, Buffer.from(text), privateKey).toString('base64url'),
    };
    expect(verifyMessage(verifier, topic, signMessage(forger, topic, { v: 1 }))).toBe(false);
  });

  it('are refused once the pinned set is another one', () => {
    const one = { cluster: 'c1', keys: { [kid]: publicKey } };
    expect(verifyMessage(one, topic, signed)).toBe(true);
    const other = publicKeyOf(signingKey(new Uint8Array(32).fill(2)));
    expect(verifyMessage({ cluster: 'c1', keys: { [kid]: other } }, topic, signed)).toBe(false);
  });
});

describe('texts', () => {
  it('verify under their key, and never throw', () => {
    const sig = signText(key, 'hello');
    expect(verifyText(publicKey, 'hello', sig)).toBe(true);
    expect(verifyText(publicKey, 'hallo', sig)).toBe(false);
    expect(verifyText('nonsense', 'hello', sig)).toBe(false);
    expect(verifyText('', 'hello', '')).toBe(false);
  });
});
