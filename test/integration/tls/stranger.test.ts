import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SecureVersion } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runAgent } from '../../../agent/main.ts';
import { createStreamOpener } from '../../../agent/streams.ts';
import { createApiClient } from '../../../schemas/io/api-client.ts';
import { authorityPin } from '../../../schemas/io/certificates.ts';
import { createSystemClock, createSystemRandom } from '../../../schemas/io/clock.ts';
import { createMqttBus } from '../../../schemas/io/mqtt-bus.ts';
import { formatJoinToken } from '../../../schemas/join-token.ts';
import { ProblemError } from '../../../schemas/problem.ts';
import { localCertificate, testAuthority } from '../../support/certificates.ts';
import { eventually } from '../../support/eventually.ts';
import { type Stranger, startStranger } from '../../support/stranger.ts';

const [ours, foreign] = [testAuthority(1), testAuthority(2)];
const secret = 'SecretOfTheJoinToken-0123456789abcdefghijkl';
const password = '1.PasswordOfTheNode-0123456789abcdefghijklmno';
const apiToken = 'TokenOfTheApi-0123456789abcdefghijklmnopqrs';
const token = formatJoinToken({
  id: '0123456789ab',
  secret,
  pin: 'c'.repeat(32),
  authority: authorityPin(ours.fingerprint),
});
const attempts = 20;

let stranger: Stranger;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakctl-stranger-'));
});
afterEach(async () => {
  await stranger.close();
  await rm(folder, { recursive: true, force: true });
});

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error: unknown) => (error instanceof ProblemError ? error.problem.code : String(error)),
  );

/** Nothing inside of TLS, and no credential anywhere, in no encoding that we use. */
function heardNothing(): void {
  expect(stranger.told().toString('latin1')).toBe('');
  const wire = stranger.wire().toString('latin1');
  for (const credential of [secret, password, apiToken]) {
    for (const start of [0, 1, 2]) {
      const encoded = Buffer.from(credential.slice(start)).toString('base64').slice(0, 20);
      expect(wire).not.toContain(encoded);
    }
    expect(wire).not.toContain(credential.slice(2, 18));
  }
}

const publicAnswer = (certificate: string) => ({
  mode: 'auto',
  authority: { certificate, fingerprint: ours.fingerprint, expires: 0 },
  server: { names: [], fingerprint: '', expires: 0 },
});

describe.each<SecureVersion>(['TLSv1.2', 'TLSv1.3'])(
  'a stranger with an authority of his own hears no credential (%s)',
  (version) => {
    const listen = async (answer?: (path: string) => object): Promise<void> => {
      stranger = await startStranger({ ...localCertificate(foreign), version, ...(answer && { answer }) });
    };

    it.each([
      ['shows his own root', foreign.certificate, 0],
      ['shows his own root beside ours', ours.certificate + foreign.certificate, 1],
      ['passes on our root', ours.certificate, 1],
    ])('from a joining agent, when he %s', async (_how, certificate, handshakes) => {
      await listen(() => publicAnswer(certificate));
      const api = `https://127.0.0.1:${stranger.port}`;
      const config = { name: 'w1', api, token, ip: '127.0.0.2', runtimes: { process: { allow: true } } };
      await writeFile(join(folder, 'agent.yaml'), JSON.stringify(config));
      expect(await codeOf(runAgent({ folder }, AbortSignal.timeout(30_000)))).toBe('TLS_INVALID');
      expect(stranger.asked).toEqual(['GET /v1/tls']);
      expect(stranger.handshakes()).toBe(handshakes);
      heardNothing();
      expect((await readdir(join(folder, 'state'))).filter((file) => file.startsWith('identity'))).toEqual([]);
    });

    it('from a joining agent that is sent to him without TLS', async () => {
      await listen(() => publicAnswer(ours.certificate));
      const config = { name: 'w1', api: `http://127.0.0.1:${stranger.port}`, token, ip: '127.0.0.2' };
      await writeFile(join(folder, 'agent.yaml'), JSON.stringify(config));
      expect(await codeOf(runAgent({ folder }, AbortSignal.timeout(30_000)))).toBe('TLS_REQUIRED');
      expect(stranger.asked).toEqual(['GET /v1/tls']);
      heardNothing();
    });

    it('from a command, with our root or with the public ones', async () => {
      await listen();
      const url = `https://127.0.0.1:${stranger.port}`;
      for (const trust of [{ ca: ours.certificate }, {}]) {
        const client = createApiClient({ url, token: apiToken, ...trust });
        const body = { documents: [{ file: 'f', text: apiToken.repeat(500) }] };
        for (let n = 0; n < attempts; n += 1) {
          expect(await codeOf(client.deploy(body, AbortSignal.timeout(60_000)))).toBe('TLS_INVALID');
        }
      }
      expect(stranger.handshakes()).toBe(2 * attempts);
      heardNothing();
    });

    it('from a stream of an agent', async () => {
      await listen();
      const api = `https://127.0.0.1:${stranger.port}`;
      const streams = createStreamOpener({
        api: () => ({ url: api, ca: ours.certificate }),
        node: 'aaaaaaaaaaaaaaaa',
        password,
      });
      for (let n = 0; n < attempts; n += 1) {
        expect(await codeOf(streams.open('s1', AbortSignal.timeout(60_000)))).toBe('UNREACHABLE');
      }
      expect(stranger.handshakes()).toBe(attempts);
      heardNothing();
    });

    it('from a session of a command, and from one that follows events', async () => {
      await listen();
      const client = createApiClient({
        url: `https://127.0.0.1:${stranger.port}`,
        token: apiToken,
        ca: ours.certificate,
      });
      for (let n = 0; n < attempts; n += 1) {
        expect(await codeOf(client.exec('web.0', password, AbortSignal.timeout(60_000)))).toBe('TLS_INVALID');
        const events = client.events({ follow: true }, AbortSignal.timeout(60_000));
        expect(await codeOf(events[Symbol.asyncIterator]().next())).toBe('TLS_INVALID');
      }
      expect(stranger.handshakes()).toBe(2 * attempts);
      heardNothing();
    });

    it.each(['mqtts', 'wss'])('from the MQTT of an agent over %s, however often it tries', async (scheme) => {
      await listen();
      const reasons: unknown[] = [];
      const bus = createMqttBus({
        broker: { url: `${scheme}://127.0.0.1:${stranger.port}`, ca: ours.certificate },
        username: 'aaaaaaaaaaaaaaaa',
        clientId: 'aaaaaaaaaaaaaaaa',
        password,
        clock: createSystemClock(),
        random: createSystemRandom(),
        log: (level, event) => void reasons.push(`${level} ${event}`),
      });
      const will = { topic: 'nodes/aaaaaaaaaaaaaaaa/online', payload: password };
      bus.open({ subscribe: [], will }, { connected() {}, disconnected() {}, message() {} });
      await eventually(() => expect(stranger.handshakes()).toBeGreaterThanOrEqual(3));
      await bus.close();
      heardNothing();
      expect(reasons).toContain('warn broker not trusted: nothing was sent to it');
    });
  },
);

it('whoever is trusted hears everything: the stranger of these tests has ears', async () => {
  stranger = await startStranger(localCertificate(foreign));
  const url = `https://127.0.0.1:${stranger.port}`;
  const client = createApiClient({ url, ca: foreign.certificate, token: apiToken });
  const asked = client.status(AbortSignal.timeout(60_000)).catch(() => undefined);
  await eventually(() => expect(stranger.told().toString()).toContain(apiToken));
  expect(heardNothing).toThrow();
  await stranger.close();
  await asked;
});

it('the right authority for another host is a stranger too', async () => {
  stranger = await startStranger(localCertificate(ours, { names: ['other.example', '10.0.0.1'] }));
  const client = createApiClient({ url: `https://127.0.0.1:${stranger.port}`, ca: ours.certificate, token: apiToken });
  await expect(client.status(AbortSignal.timeout(60_000))).rejects.toThrow(/TLS_INVALID.*127.0.0.1/);
  heardNothing();
});

it('a token does not travel outside loopback without TLS, unless the cluster says so', async () => {
  stranger = await startStranger({ ...localCertificate(foreign), answer: () => ({ cluster: 'open' }) });
  for (const host of ['192.0.2.1', '[2001:db8::1]', 'fleet.example', '0.0.0.0']) {
    const client = createApiClient({ url: `http://${host}:${stranger.port}`, token: apiToken });
    expect(await codeOf(client.status(AbortSignal.timeout(60_000)))).toBe('TLS_REQUIRED');
  }
  expect(stranger.wire()).toHaveLength(0);
  const local = { url: `http://0.0.0.0:${stranger.port}`, token: apiToken, insecure: true };
  expect(await createApiClient(local).status(AbortSignal.timeout(60_000))).toEqual({ cluster: 'open' });
});
