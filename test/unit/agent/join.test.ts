import { beforeEach, describe, expect, test } from 'vitest';
import { loadOrJoin } from '../../../agent/join.ts';
import { authorityPin } from '../../../schemas/io/certificates.ts';
import {
  fingerprintOf,
  identityText,
  keyIdOf,
  publicKeyOf,
  signingKey,
  signText,
} from '../../../schemas/io/signatures.ts';
import { formatJoinToken, pinOf } from '../../../schemas/join-token.ts';
import type { IdentityAnswer, JoinAnswer, JoinRequest, TlsAnswer } from '../../../schemas/joining.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import { testAuthority } from '../../support/certificates.ts';
import { createMemoryFiles } from '../../support/memory-files.ts';
import { createSeededRandom, createVirtualClock } from '../../support/virtual-clock.ts';

const secret = signingKey(new Uint8Array(32).fill(7));
const key = publicKeyOf(secret);
const fingerprint = fingerprintOf(key);
const kid = keyIdOf(key);
const token = formatJoinToken({ id: '0123456789ab', secret: 'S'.repeat(43), pin: pinOf(fingerprint) });
const wish = { name: 'w1', ip: '127.0.0.2', version: '0.1.0' };
const signal = new AbortController().signal;

const answer: JoinAnswer = {
  id: '00000000000000aa',
  name: 'w1',
  cluster: 'home',
  fingerprint,
  ordinal: 0,
  mqtt: { host: '127.0.0.1', port: 10_003, username: '00000000000000aa', password: '1.mac' },
  keys: { [kid]: key, other: 'another key' },
};

let joins: JoinRequest[];
let files = createMemoryFiles();
beforeEach(() => {
  joins = [];
  files = createMemoryFiles();
});

function server(more: { identity?: (honest: IdentityAnswer) => IdentityAnswer; join?: Partial<JoinAnswer> } = {}) {
  return {
    identity: (nonce: string) => {
      const sig = signText(secret, identityText('home', nonce));
      const honest: IdentityAnswer = { cluster: 'home', fingerprint, kid, key, sig };
      return Promise.resolve(more.identity ? more.identity(honest) : honest);
    },
    join: (request: JoinRequest) => {
      joins.push(request);
      return Promise.resolve({ ...answer, ...more.join });
    },
  };
}

const depsOf = (api: ReturnType<typeof server>, clock = createVirtualClock()) => ({
  files,
  clock,
  random: createSeededRandom(1),
  connect: () => api,
  askTls: () => Promise.reject(new Error('asked for TLS')),
});

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error: unknown) => (error instanceof ProblemError ? error.problem.code : String(error)),
  );

describe('joining', () => {
  test('checks who answers, joins, and pins the key that was checked', async () => {
    const identity = await loadOrJoin(depsOf(server()), { ...wish, token }, signal);
    expect(identity).toMatchObject({ id: answer.id, cluster: 'home', fingerprint, keys: { [kid]: key } });
    expect(Object.keys(identity.keys)).toEqual([kid]);
    expect(joins).toEqual([{ ...wish, token, attempt: expect.stringMatching(/^[0-9a-f]{64}$/) }]);
    expect([...files.content.keys()]).toEqual(['identity']);
  });

  test('is done once: afterwards nobody is asked, with or without the token', async () => {
    const identity = await loadOrJoin(depsOf(server()), { ...wish, token }, signal);
    const nobody = {
      identity: () => Promise.reject(new Error('asked')),
      join: () => Promise.reject(new Error('asked')),
    };
    for (const again of [{ ...wish, token }, wish, { ...wish, token: 'broken' }]) {
      expect(await loadOrJoin(depsOf(nobody), again, signal)).toEqual(identity);
    }
  });

  const other = publicKeyOf(signingKey(new Uint8Array(32).fill(8)));
  test.each<[string, (honest: IdentityAnswer) => IdentityAnswer]>([
    ['another key', (honest) => ({ ...honest, key: other, fingerprint: fingerprintOf(other), kid: keyIdOf(other) })],
    ['our fingerprint beside another key', (honest) => ({ ...honest, key: other })],
    [
      'a signature of something else',
      (honest) => ({ ...honest, sig: signText(secret, identityText('home', 'replayed')) }),
    ],
    ['another cluster name than was signed', (honest) => ({ ...honest, cluster: 'evil' })],
    ['no signature', (honest) => ({ ...honest, sig: '' })],
  ])('does not send the token to somebody with %s', async (_name, identity) => {
    expect(await codeOf(loadOrJoin(depsOf(server({ identity })), { ...wish, token }, signal))).toBe(
      'SIGNATURE_INVALID',
    );
    expect(joins).toEqual([]);
    expect(files.content.size).toBe(0);
  });

  test.each<[string, Partial<JoinAnswer>]>([
    ['another cluster', { cluster: 'evil' }],
    ['another key', { keys: { [kid]: other } }],
    ['an id that is no topic level', { id: 'a/b' }],
  ])('refuses an answer with %s', async (_name, join) => {
    expect(await codeOf(loadOrJoin(depsOf(server({ join })), { ...wish, token }, signal))).toBe('SIGNATURE_INVALID');
    expect(files.content.has('identity')).toBe(false);
  });

  test('needs a token, and one of this cluster', async () => {
    expect(await codeOf(loadOrJoin(depsOf(server()), wish, signal))).toBe('TOKEN_INVALID');
    await loadOrJoin(depsOf(server()), { ...wish, token }, signal);
    const foreign = formatJoinToken({ id: '0123456789ab', secret: 'S'.repeat(43), pin: 'f'.repeat(32) });
    expect(await codeOf(loadOrJoin(depsOf(server()), { ...wish, token: foreign }, signal))).toBe('TOKEN_INVALID');
  });

  test('waits for a reconciler that is not there yet, and gives up on what is final', async () => {
    const clock = createVirtualClock();
    let tries = 0;
    const late = {
      ...server(),
      identity: (nonce: string) => {
        tries += 1;
        if (tries < 5) return Promise.reject(new ProblemError(problem('UNREACHABLE', 'nobody')));
        return server().identity(nonce);
      },
    };
    let done = false;
    const work = loadOrJoin(depsOf(late, clock), { ...wish, token }, signal).then(() => {
      done = true;
    });
    await clock.until(() => done, 60_000);
    await work;
    expect(tries).toBe(5);
    files = createMemoryFiles();
    const used = { ...server(), join: () => Promise.reject(new ProblemError(problem('TOKEN_INVALID', 'used up'))) };
    expect(await codeOf(loadOrJoin(depsOf(used), { ...wish, token }, signal))).toBe('TOKEN_INVALID');
  });

  test('asks again with the same attempt when its disk lost the answer', async () => {
    const { write } = files;
    files.write = (name, text) => (name === 'identity' ? Promise.reject(new Error('power cut')) : write(name, text));
    await expect(loadOrJoin(depsOf(server()), { ...wish, token }, signal)).rejects.toThrow('power cut');
    files.write = write;
    const later = { ...depsOf(server()), random: createSeededRandom(2) };
    expect(await loadOrJoin(later, { ...wish, token }, signal)).toMatchObject({ id: answer.id });
    expect(joins).toHaveLength(2);
    expect(joins[1]).toEqual(joins[0]);
    files.content.set('joining', 'damaged');
    files.content.delete('identity');
    await loadOrJoin(later, { ...wish, token }, signal);
    expect(joins[2]?.attempt).toMatch(/^[0-9a-f]{64}$/);
  });

  test('a damaged identity is not overwritten', async () => {
    files.content.set('identity', '{"v":1}');
    expect(await codeOf(loadOrJoin(depsOf(server()), { ...wish, token }, signal))).toBe('FILE_DAMAGED');
    expect(files.content.get('identity')).toBe('{"v":1}');
  });
});

describe('joining over TLS', () => {
  const [ours, foreign] = [testAuthority(1), testAuthority(2)];
  const pinned = formatJoinToken({
    id: '0123456789ab',
    secret: 'S'.repeat(43),
    pin: pinOf(fingerprint),
    authority: authorityPin(ours.fingerprint),
  });
  const tlsAnswer = (certificate?: string): TlsAnswer => ({
    mode: 'auto',
    ...(certificate !== undefined && { authority: { certificate, fingerprint: ours.fingerprint, expires: 0 } }),
    server: { names: [], fingerprint: '', expires: 0 },
  });
  const trusts = (answered: TlsAnswer, honest = server()) => {
    const connected: (string | undefined)[] = [];
    return {
      connected,
      deps: {
        ...depsOf(honest),
        askTls: () => Promise.resolve(answered),
        connect: (ca: string | undefined) => {
          connected.push(ca);
          return honest;
        },
      },
    };
  };

  test('connects under the pinned root only, and keeps it', async () => {
    const { connected, deps } = trusts(tlsAnswer(foreign.certificate + ours.certificate));
    const identity = await loadOrJoin(deps, { ...wish, token: pinned }, signal);
    expect(connected).toEqual([ours.certificate]);
    expect(identity.ca).toBe(ours.certificate);
    expect(await loadOrJoin(deps, wish, signal)).toEqual(identity);
  });

  test.each([
    ['another root', tlsAnswer(foreign.certificate)],
    ['no root', tlsAnswer()],
    ['nonsense', tlsAnswer('-----BEGIN CERTIFICATE-----')],
  ])('does not even connect where the answer names %s', async (_what, answered) => {
    const { connected, deps } = trusts(answered);
    expect(await codeOf(loadOrJoin(deps, { ...wish, token: pinned }, signal))).toBe('TLS_INVALID');
    expect([connected, joins, files.content.size]).toEqual([[], [], 0]);
  });

  test('still checks the signature of the cluster: the root alone is not enough', async () => {
    const liar = server({ identity: (honest) => ({ ...honest, sig: '' }) });
    const { deps } = trusts(tlsAnswer(ours.certificate), liar);
    expect(await codeOf(loadOrJoin(deps, { ...wish, token: pinned }, signal))).toBe('SIGNATURE_INVALID');
    expect(joins).toEqual([]);
  });
});
