import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Keys } from '../../../../reconciler/ports.ts';
import { watchExposure } from '../../../../reconciler/tls/exposure.ts';
import { openTls, type TlsKeeper } from '../../../../reconciler/tls/keeper.ts';
import type { ServerTls } from '../../../../reconciler/tls/material.ts';
import type { Problem } from '../../../../schemas/problem.ts';
import type { TlsSettings } from '../../../../schemas/settings.ts';
import { day, testAuthority } from '../../../support/certificates.ts';
import { eventually } from '../../../support/eventually.ts';
import { createMemoryKeys } from '../../../support/memory-keys.ts';
import { createSeededRandom, createVirtualClock, type VirtualClock } from '../../../support/virtual-clock.ts';

const hour = 3_600_000;
let folder: string;
let clock: VirtualClock;
let keeper: TlsKeeper | undefined;
let shown: ServerTls[];
const logged: string[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakctl-tls-'));
  clock = createVirtualClock();
  shown = [];
  logged.length = 0;
});
afterEach(async () => {
  await keeper?.close();
  await rm(folder, { recursive: true, force: true });
});

const log = (_level: string, event: string): void => void logged.push(event);

async function open(
  settings: TlsSettings,
  more: { hosts?: string[]; folder?: string; keys?: Keys } = {},
): Promise<TlsKeeper> {
  const keys = createMemoryKeys('home', 1);
  const random = createSeededRandom(1);
  const made = await openTls({ settings, hosts: ['10.0.0.5'], folder, keys, clock, random, log, ...more });
  keeper = made;
  made.onChange((tls) => void shown.push(tls));
  return made;
}
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error: { problem?: Problem }) => error.problem?.code ?? String(error),
  );

describe('generated certificates', () => {
  const auto: TlsSettings = { kind: 'auto', names: ['fleet.example'] };

  it('are for what is listened on, under the root that lies in the folder', async () => {
    const tls = await open(auto);
    const { authority, server, mode } = tls.describe();
    expect(mode).toBe('auto');
    expect(server.names).toEqual(expect.arrayContaining(['10.0.0.5', 'fleet.example', 'localhost', '127.0.0.1']));
    expect(server.expires).toBe(clock.now().wall + 7 * day);
    const leaf = new X509Certificate(tls.current().cert);
    expect(leaf.verify(new X509Certificate(authority?.certificate ?? '').publicKey)).toBe(true);
    expect((await stat(join(folder, 'identity', 'ca', 'ca.pem'))).mode & 0o777).toBe(0o600);
    expect((await open(auto)).authority()).toBe(tls.authority());
    expect(tls.conditions()).toEqual([]);
  });

  it('are renewed at half of their life, and not before', async () => {
    const tls = await open(auto);
    clock.jumpWall(3.4 * day);
    await clock.advance(2 * 60_000);
    expect(shown).toEqual([]);
    clock.jumpWall(0.2 * day);
    await clock.advance(2 * 60_000);
    expect(shown).toEqual([tls.current()]);
    expect(tls.describe().server.expires).toBeGreaterThan(clock.now().wall + 6.9 * day);
    expect(logged).toEqual(['certificate_renewed']);
  });

  it('are renewed after their end, and when the clock turns out to have been ahead', async () => {
    const tls = await open(auto);
    for (const jump of [400 * day, -3_000 * day]) {
      clock.jumpWall(jump);
      await clock.advance(60_000);
      const leaf = new X509Certificate(tls.current().cert);
      expect(Date.parse(leaf.validFrom)).toBeLessThan(clock.now().wall);
      expect(Date.parse(leaf.validTo)).toBeGreaterThan(clock.now().wall);
    }
    expect(shown).toHaveLength(2);
  });

  it('begin at the earliest in 1970, where clocks of boards do', async () => {
    clock.jumpWall(-clock.now().wall + 5_000);
    const tls = await open(auto);
    expect(Date.parse(new X509Certificate(tls.current().cert).validFrom)).toBe(0);
  });

  it('are of the newest root, also where two come at once, and lead to those before', async () => {
    const keys = createMemoryKeys('home', 1);
    const tls = await open(auto, { keys });
    await Promise.all([keys.rotateRoot({ since: 0 }), keys.rotateRoot({ since: 0 })]);
    const newest = keys.root().authority.certificate;
    await eventually(async () => {
      expect(tls.authority()).toBe(newest);
      expect(await readFile(join(folder, 'identity', 'ca', 'ca.pem'), 'utf8')).toBe(newest);
    });
    const { cert } = tls.current();
    expect(new X509Certificate(cert).verify(new X509Certificate(newest).publicKey)).toBe(true);
    expect(cert.match(/BEGIN CERTIFICATE/g)).toHaveLength(3);
    expect(tls.describe().authority?.former?.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
  });

  it('need no folder that can be written', async () => {
    await writeFile(join(folder, 'file'), '');
    const tls = await open(auto, { folder: join(folder, 'file') });
    expect(tls.describe().authority?.fingerprint).toHaveLength(64);
    expect(logged).toEqual(['authority_not_written']);
  });
});

describe('certificates from files', () => {
  const root = testAuthority(7);
  const path = (name: string): string => join(folder, name);
  const settings = (): TlsSettings & { kind: 'files' } => {
    return { kind: 'files', cert: path('cert.pem'), key: path('key.pem'), ca: path('ca.pem') };
  };
  const issue = (names: string[], until = 90 * day) => {
    const { wall } = clock.now();
    return root.issue(names, { from: wall - day, until: wall + until });
  };
  const write = async (issued: { cert: string; key: string }, ca = root.certificate): Promise<void> => {
    await writeFile(path('cert.pem'), issued.cert);
    await writeFile(path('key.pem'), issued.key);
    await writeFile(path('ca.pem'), ca);
  };
  /** The keeper looks at the files, which takes real time, when virtual time has come. */
  const changed = (times: number) =>
    eventually(async () => {
      await clock.advance(2_000);
      expect(shown).toHaveLength(times);
    });

  it('are taken as they are, and again when they change', async () => {
    await write(issue(['one']));
    const tls = await open(settings());
    expect(tls.describe()).toMatchObject({
      mode: 'files',
      authority: { fingerprint: root.fingerprint },
      server: { names: ['one'] },
    });
    await write(issue(['second']));
    await changed(1);
    expect(tls.describe().server.names).toEqual(['second']);
    expect(tls.conditions()).toEqual([]);
  });

  it.each<[string, (good: { cert: string; key: string }) => Promise<void>]>([
    ['an empty certificate', () => writeFile(path('cert.pem'), '')],
    ['no key', () => rm(path('key.pem'))],
    ['the key of another certificate', () => writeFile(path('key.pem'), issue(['x']).key)],
    ['a damaged certificate', ({ cert }) => writeFile(path('cert.pem'), cert.replace(/\n.{64}\n/, '\nAAAA\n'))],
    ['another root', () => writeFile(path('ca.pem'), testAuthority(8).certificate)],
    ['a root that is none', () => writeFile(path('ca.pem'), issue(['x']).cert)],
  ])('stay when the new files hold %s, and a condition says so until that is mended', async (_what, breakIt) => {
    const good = issue(['one']);
    await write(good);
    const tls = await open(settings());
    await breakIt(good);
    await eventually(async () => {
      await clock.advance(2_000);
      expect(tls.conditions()).toMatchObject([{ code: 'TLS_INVALID', severity: 'warning' }]);
    });
    expect(tls.current()).toEqual({ cert: good.cert, key: good.key });
    expect(tls.conditions()[0]?.message).toContain('the old certificate stays in use');
    expect(shown).toEqual([]);
    expect(await codeOf(open(settings()))).toBe('TLS_INVALID');
    keeper = tls;
    shown = [];
    await write(issue(['mended']));
    await eventually(async () => {
      await clock.advance(2_000);
      expect(tls.conditions()).toEqual([]);
    });
    expect(tls.describe().server.names).toEqual(['mended']);
  });

  it('may lead to the root over others, in their order', async () => {
    const { wall } = clock.now();
    const leaf = issue(['leaf']);
    await write({ cert: `${leaf.cert}${root.certificate}`, key: leaf.key });
    await open(settings());
    await write({ cert: `${leaf.cert}${testAuthority(8).certificate}`, key: leaf.key });
    expect(await codeOf(open(settings()))).toBe('TLS_INVALID');
    const own = root.issue(['x'], { from: wall, until: wall + day });
    await write(own, `${root.certificate}${testAuthority(8).certificate}`);
    expect((await open(settings())).authority()).toBe(root.certificate);
  });

  it('are announced before they end, and used when they have', async () => {
    await write(issue(['one'], 8 * day));
    const tls = await open(settings());
    expect(tls.conditions()).toEqual([]);
    clock.jumpWall(2 * day);
    expect(tls.conditions()[0]?.message).toBe('the certificate ends in 144 h');
    clock.jumpWall(7 * day);
    expect(tls.conditions()[0]?.message).toMatch(/^the certificate ended on 2026-01-09/);
    await open(settings());
  });
});

describe('listening outside loopback without TLS', () => {
  it('is said every hour, and is a condition', async () => {
    const exposure = watchExposure(['127.0.0.1', '10.0.0.5', '10.0.0.5'], { clock, log });
    expect(exposure.conditions()).toMatchObject([{ code: 'INSECURE', severity: 'warning' }]);
    expect(exposure.conditions()[0]?.message).toContain('listen on 10.0.0.5 without TLS');
    await clock.advance(3 * hour + 1);
    expect(logged).toEqual(Array(4).fill('insecure_outside_loopback'));
    await exposure.close();
    await clock.advance(3 * hour);
    expect(logged).toHaveLength(4);
  });

  it('is not what loopback is', async () => {
    const exposure = watchExposure(['127.0.0.1', '::1', 'localhost'], { clock, log });
    await clock.advance(3 * hour);
    expect([exposure.conditions(), logged]).toEqual([[], []]);
  });
});
