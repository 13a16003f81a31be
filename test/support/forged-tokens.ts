/** Tokens that open nothing: forged, altered, over, revoked, of another cluster. */
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { type MemoryAccounts, memoryAccounts, owner } from './memory-accounts.ts';
import { createMemoryKeys } from './memory-keys.ts';

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const keys = createMemoryKeys('test');
const key = keys.secretFor('session/access');

interface Forged {
  readonly header?: object;
  readonly claims?: object;
  readonly sign?: (text: string) => string;
}

/** A cluster with an admin who is logged in, and what an attacker makes out of what he saw of it. */
export async function attacked(): Promise<{
  memory: MemoryAccounts;
  good: string;
  bad: Readonly<Record<string, string>>;
}> {
  const memory = memoryAccounts();
  const { accounts, clock } = memory;
  await accounts.add({ name: 'ann', role: 'admin', password: 'of ann 0123456789' }, owner);
  await accounts.add({ name: 'eve', role: 'viewer', password: 'of eve 0123456789' }, owner);
  const login = (name: string) => accounts.login(name, `of ${name} 0123456789`, '192.0.2.1');
  const { token: good, refresh_token: refresh } = await login('ann');
  const eve = await login('eve');
  const ended = await login('eve');
  await accounts.logout(await accounts.callerOf(ended.token));
  const api = await accounts.tokens.create(accounts.required('ann'), {}, owner);
  await accounts.tokens.revoke(api.view.id, undefined, owner);
  const [head = '', body = '', signature = ''] = good.split('.');
  const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as object;
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as { exp: number; sub: string };
  const now = Math.floor(clock.now().wall / 1000);
  const hmac =
    (secret: Uint8Array | string, hash = 'sha256') =>
    (text: string) =>
      createHmac(hash, secret).update(text).digest('base64url');
  const make = ({ header: h = {}, claims: c = {}, sign: by = hmac(key) }: Forged): string => {
    const text = `${part({ ...header, ...h })}.${part({ ...claims, ...c })}`;
    return `${text}.${by(text)}`;
  };
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const ed = generateKeyPairSync('ed25519');
  const none = () => '';
  const own = hmac(Buffer.alloc(32, 1));
  const bad = {
    'nobody signed it': make({ header: { alg: 'none' }, sign: none }),
    'nobody signed it, in another spelling': make({ header: { alg: 'nOnE' }, sign: none }),
    'nobody signed it, and it says HS256': make({ sign: none }),
    'its signature is of the empty key': make({ sign: hmac('') }),
    'its signature is of zeros': make({ sign: hmac(Buffer.alloc(32)) }),
    'another algorithm of the same kind': make({ header: { alg: 'HS512' }, sign: hmac(key, 'sha512') }),
    'an algorithm in lower case': make({ header: { alg: 'hs256' } }),
    'an RSA key of the attacker': make({
      header: { alg: 'RS256' },
      sign: (text) => sign('sha256', Buffer.from(text), rsa.privateKey).toString('base64url'),
    }),
    'an Ed25519 key of the attacker, brought along': make({
      header: { alg: 'EdDSA', jwk: ed.publicKey.export({ format: 'jwk' }) },
      sign: (text) => sign(null, Buffer.from(text), ed.privateKey).toString('base64url'),
    }),
    'the public key of the cluster as a secret': make({ sign: hmac(keys.publicKey) }),
    'a key of the attacker, brought along': make({ header: { jwk: { kty: 'oct', k: 'AQEB' } }, sign: own }),
    'a key from his server': make({ header: { jku: 'https://attacker.example/keys', kid: '1' }, sign: own }),
    'a key from a file': make({ header: { kid: '../../../../dev/null' }, sign: hmac('') }),
    'an extension that must be understood': make({ header: { crit: ['x'], x: 1 } }),
    'a payload that is not encoded': make({ header: { b64: false, crit: ['b64'] } }),
    'the account of somebody else in a good token': `${head}.${part({ ...claims, sub: 'x' })}.${signature}`,
    'the rights of somebody else': eve.token.replace(/\.[^.]+\./, `.${body}.`),
    'a good token, cut': good.slice(0, -4),
    'a good token, and more': `${good}AAAA`,
    'a good token with an empty part': `${good}.`,
    'a refresh token': refresh,
    'a refresh token that calls itself otherwise': make({ sign: hmac(keys.secretFor('session/refresh')) }),
    'no kind': make({ header: { typ: undefined } }),
    'the usual kind': make({ header: { typ: 'JWT' } }),
    'the kind of refresh tokens': make({ header: { typ: 'rt+jwt' } }),
    'of another cluster': make({ claims: { iss: 'oakctl/00/0' } }),
    'of no cluster': make({ claims: { iss: undefined } }),
    'for somebody else': make({ claims: { aud: 'other' } }),
    'over since a second': make({ claims: { exp: now - 1 } }),
    'without an end': make({ claims: { exp: undefined } }),
    'an end that is a text': make({ claims: { exp: '9999999999' } }),
    'not yet good': make({ claims: { nbf: now + 60 } }),
    'an account that never was': make({ claims: { sub: 'admin' } }),
    'an account of the language': make({ claims: { sub: '__proto__' } }),
    'a list for an account': make({ claims: { sub: [claims.sub] } }),
    'an older password': make({ claims: { ver: 0 } }),
    'a session that ended': ended.token,
    'an API token that was revoked': api.token,
    'an API token with another secret': `${api.token.slice(0, 18)}${'A'.repeat(43)}`,
    'an API token without a secret': api.token.slice(0, 18),
    'a very long text': 'A'.repeat(4000),
    'five parts': `${head}.${body}.${signature}.${body}.${signature}`,
    dots: '...',
    'the words of a language': 'undefined',
  };
  return { memory, good, bad };
}
