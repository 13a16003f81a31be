import { beforeEach, expect, test } from 'vitest';
import { createRenewal, type FourKeys, loadOrRegister, refuseRegistered } from '../../../agent/registration.ts';
import {
  fingerprintOf,
  identityText,
  keyIdOf,
  publicKeyOf,
  signingKey,
  signText,
} from '../../../schemas/io/signatures.ts';
import { formatJoinToken, pinOf } from '../../../schemas/join-token.ts';
import type { IdentityAnswer, RegisterAnswer, TlsAnswer } from '../../../schemas/joining.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import { createMemoryFiles } from '../../support/memory-files.ts';
import { createSeededRandom, createVirtualClock } from '../../support/virtual-clock.ts';

const secret = signingKey(new Uint8Array(32).fill(7));
const key = publicKeyOf(secret);
const fingerprint = fingerprintOf(key);
const token = formatJoinToken({ id: '0123456789ab', secret: 'S'.repeat(43), pin: pinOf(fingerprint) });
const wish = { name: 'plant', ip: '10.0.0.7' };
const signal = new AbortController().signal;

let files = createMemoryFiles();
let asked: { request: FourKeys; bearer: string | undefined }[] = [];
beforeEach(() => {
  files = createMemoryFiles();
  asked = [];
});

const clock = createVirtualClock();
function depsOf(answer: object | (() => Promise<RegisterAnswer>), honest = true) {
  return {
    files,
    clock,
    random: createSeededRandom(1),
    askTls: () => Promise.resolve({} as TlsAnswer),
    connect: () => ({
      identity: (nonce: string): Promise<IdentityAnswer> => {
        const sig = signText(secret, identityText(honest ? 'home' : 'away', nonce));
        return Promise.resolve({ cluster: 'home', fingerprint, kid: keyIdOf(key), key, sig });
      },
      register: (request: FourKeys, bearer: string | undefined) => {
        asked.push({ request, bearer });
        return typeof answer === 'function'
          ? (answer as () => Promise<RegisterAnswer>)()
          : Promise.resolve(answer as RegisterAnswer);
      },
    }),
  };
}

test('registers once with four keys at a manager that knows no tokens, and asks nothing afterwards', async () => {
  const deps = depsOf({ id: '64f0c0ffee', MQTT_BROKER_PORT: '10003' });
  const { registered: first, isNew } = await loadOrRegister(deps, wish, signal);
  expect(isNew).toBe(true);
  expect(asked).toEqual([{ request: { id: '', name: 'plant', ip: '10.0.0.7', port: '0' }, bearer: undefined }]);
  expect(first).toMatchObject({ id: '64f0c0ffee', name: 'plant', cluster: '', port: 10_003 });
  expect(first.realm).toMatch(/^[0-9a-f]{64}$/);
  expect(await loadOrRegister(deps, wish, signal)).toEqual({ registered: first, isNew: false });
  expect(asked).toHaveLength(1);
});

test('with a token it proves the cluster before it says the secret', async () => {
  const answer = { id: '17', MQTT_BROKER_PORT: 10_003, username: '17', password: '1.x' };
  await expect(loadOrRegister(depsOf(answer, false), { ...wish, token }, signal)).rejects.toThrow(/SIGNATURE_INVALID/);
  expect(asked).toEqual([]);
  const { registered } = await loadOrRegister(depsOf(answer), { ...wish, token: ` ${token}\n` }, signal);
  expect(asked[0]?.bearer).toBe(token);
  expect(registered).toMatchObject({ cluster: 'home', realm: fingerprint, username: '17', password: '1.x' });
});

test('waits for a manager that is not there yet', async () => {
  let calls = 0;
  const away = (): Promise<RegisterAnswer> => {
    calls += 1;
    if (calls < 3) return Promise.reject(new ProblemError(problem('UNREACHABLE', 'nobody answers')));
    return Promise.resolve({ id: '17', MQTT_BROKER_PORT: '1', username: '17', password: 'x' });
  };
  const pending = loadOrRegister(depsOf(away), wish, signal);
  await clock.advance(5_000);
  expect((await pending).registered.id).toBe('17');
});

test.each([
  ['an id that is no topic level', { id: 'a/#', MQTT_BROKER_PORT: '1' }],
  ['no id', { MQTT_BROKER_PORT: '1' }],
  ['no port', { id: '17', MQTT_BROKER_PORT: 'mqtt' }],
])('refuses an answer with %s, and keeps nothing of it', async (_what, answer) => {
  await expect(loadOrRegister(depsOf(answer), wish, signal)).rejects.toThrow(/BAD_REQUEST/);
  expect(await files.read('registration')).toBeUndefined();
});

test('a folder belongs to one kind of node', async () => {
  await files.write('identity', '{}');
  const answer = { id: '17', MQTT_BROKER_PORT: '1' };
  await expect(loadOrRegister(depsOf(answer), wish, signal)).rejects.toThrow(/SETTINGS_INVALID.*joined a cluster/);
  await files.remove('identity');
  await refuseRegistered(files);
  await loadOrRegister(depsOf(answer), wish, signal);
  await expect(refuseRegistered(files)).rejects.toThrow(/SETTINGS_INVALID.*own authority/);
});

test('a damaged registration is not taken for none', async () => {
  await files.write('registration', '{');
  await expect(loadOrRegister(depsOf({}), wish, signal)).rejects.toThrow(/FILE_DAMAGED/);
  expect(asked).toEqual([]);
});

test('registers again at each connection with its own id and password, and not twice at once', async () => {
  const answers: ((answer: RegisterAnswer) => void)[] = [];
  const given = { id: '17', MQTT_BROKER_PORT: '1', username: '17', password: 'secret' };
  const deps = depsOf(() => new Promise<RegisterAnswer>((done) => answers.push(done)));
  const registered = { id: '17', name: 'plant', cluster: '', realm: 'a'.repeat(64), port: 1, password: 'secret' };
  const failed: string[] = [];
  const renew = createRenewal({ ...deps, failed: ({ code }) => failed.push(code) }, registered, wish, signal);
  const settle = () => clock.advance(10);
  renew();
  renew();
  await settle();
  expect(asked).toEqual([{ request: { id: '17', name: 'plant', ip: '10.0.0.7', port: '0' }, bearer: 'secret' }]);
  answers[0]?.(given);
  await settle();
  expect(asked).toHaveLength(2);
  answers[1]?.({ ...given, id: '18' });
  await settle();
  expect([asked.length, failed]).toEqual([2, ['BAD_REQUEST']]);
  renew();
  await settle();
  expect(asked).toHaveLength(3);
});

test('a renewal that is answered with nonsense ends nothing, and is tried again at the next connection', async () => {
  const registered = { id: '17', name: 'plant', cluster: '', realm: 'a'.repeat(64), port: 1, password: 'secret' };
  const failed: string[] = [];
  const deps = depsOf(() => Promise.resolve(null as unknown as RegisterAnswer));
  const renew = createRenewal({ ...deps, failed: ({ code }) => failed.push(code) }, registered, wish, signal);
  renew();
  await clock.advance(10);
  expect(failed).toEqual(['BAD_REQUEST']);
  renew();
  await clock.advance(10);
  expect(asked).toHaveLength(2);
});
