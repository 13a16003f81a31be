import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openKeys } from '../../../../reconciler/keys/keys.ts';
import { keysAfter, keysOf } from '../../../../schemas/io/chain.ts';
import { createSystemRandom } from '../../../../schemas/io/clock.ts';
import { keyIdOf, verifyText } from '../../../../schemas/io/signatures.ts';
import { isProblemError } from '../../../../schemas/problem.ts';
import { testAuthority } from '../../../support/certificates.ts';
import { createMemoryKeys } from '../../../support/memory-keys.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakctl-keyring-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));
const open = (leastRevision = 0) => openKeys({ folder, cluster: 'c1', random: createSystemRandom(), leastRevision });
const file = () => join(folder, 'identity', 'keyring.json');
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    (error: unknown) => (isProblemError(error) ? error.problem.code : String(error)),
  );
const begin = { since: 1, ends: 2 };

it('a rotated key signs after a restart as before it, and the cluster keeps its name', async () => {
  const keys = await open();
  const { fingerprint, kid } = keys;
  await keys.rotateSigning(begin);
  expect(keys.kid).toBe(kid);
  await keys.step('use');
  const again = await open();
  expect([again.fingerprint, again.kid, again.ring]).toEqual([fingerprint, keys.kid, keys.ring]);
  expect(again.kid).not.toBe(kid);
  expect(verifyText(again.publicKey, 'text', keys.sign('text'))).toBe(true);
  expect(verifyText(keysOf(keys.news().chain)[0] ?? '', 'text', keys.sign('text'))).toBe(false);
  expect((await stat(file())).mode & 0o777).toBe(0o600);
  // Given up, and used no more: its secret is gone. The first one comes from the master key.
  await again.rotateSigning({ since: 3 });
  expect(again.ring.signing.map(({ secret }) => secret !== undefined)).toEqual([false, true]);
});

it('every key leads to the newest one, and no other key does', async () => {
  const keys = createMemoryKeys('c1');
  for (let round = 0; round < 4; round += 1) await keys.rotateSigning({ since: round });
  const { chain } = keys.news();
  const all = keysOf(chain);
  for (const [at, key] of all.entries()) expect(keysAfter('c1', chain, key)).toEqual(all.slice(at + 1));
  expect(all.map(keyIdOf).at(-1)).toBe(keys.kid);
  const stranger = createMemoryKeys('c1', 9);
  await stranger.rotateSigning({ since: 0 });
  expect(keysAfter('c1', chain, stranger.publicKey)).toBeUndefined();
  expect(keysAfter('c2', chain, all[0] ?? '')).toBeUndefined();
  // A link of somebody else's, and ours in another place.
  const forged = [{ key: stranger.publicKey, sig: stranger.news().chain.links[0]?.sig ?? '' }];
  expect(keysAfter('c1', { ...chain, links: forged }, all[0] ?? '')).toBeUndefined();
  expect(keysAfter('c1', { ...chain, links: chain.links.slice(1) }, all[0] ?? '')).toBeUndefined();
});

it('what cannot be written is not in force, and is tried again by whoever asks', async () => {
  const keys = await open();
  const { kid } = keys;
  const identity = join(folder, 'identity');
  await writeFile(file(), 'not a keyring');
  await rm(file());
  await chmod(identity, 0o500);
  if (process.getuid?.() !== 0) expect(await codeOf(keys.rotateSigning({ since: 1 }))).toBe('FILE_UNWRITABLE');
  await chmod(identity, 0o700);
  expect(keys.kid).toBe(kid);
  await keys.rotateSigning({ since: 1 });
  expect(keys.kid).not.toBe(kid);
});

it('a keyring that is damaged is put back from its twin; one that is older than records say is refused', async () => {
  const keys = await open();
  await keys.rotateSigning({ since: 1 });
  const text = await readFile(file(), 'utf8');
  await writeFile(file(), '');
  expect((await open(1)).kid).toBe(keys.kid);
  expect(await readFile(file(), 'utf8')).toBe(text);
  await Promise.all([rm(file()), rm(`${file()}~`)]);
  expect(await codeOf(open(1))).toBe('FILE_DAMAGED');
  await writeFile(file(), '{"version":1}');
  expect(await codeOf(open())).toBe('FILE_DAMAGED');
});

it('two rotations at once are two, one after the other', async () => {
  const keys = createMemoryKeys('c1');
  await Promise.all([keys.rotateSigning({ since: 1 }), keys.rotateSigning({ since: 2 })]);
  const { chain } = keys.news();
  expect(keysAfter('c1', chain, chain.first)).toHaveLength(2);
});

it('certificates under a new root are believed by whoever knows it, or any root before it, and by nobody else', async () => {
  const keys = createMemoryKeys('c1');
  const roots = [keys.root().authority.certificate];
  for (let round = 0; round < 3; round += 1) {
    await keys.rotateRoot(begin);
    roots.push(keys.root().authority.certificate);
  }
  const { authority, chain, former } = keys.root();
  expect(former).toHaveLength(3);
  const day = 86_400_000;
  const { cert, key } = authority.issue(['localhost'], { from: Date.now() - day, until: Date.now() + day });
  const server = createServer({ cert: cert + chain, key }, (socket) => socket.end());
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const shown = (ca: string): Promise<string> =>
    new Promise((resolve) => {
      const socket: TLSSocket = connect({ host: '127.0.0.1', port, servername: 'localhost', ca }, () => {
        socket.destroy();
        resolve('trusted');
      });
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    });
  try {
    expect(await Promise.all(roots.map(shown))).toEqual(roots.map(() => 'trusted'));
    expect(await shown(`${roots[3]}${roots[2]}`)).toBe('trusted');
    expect(await shown(testAuthority(9).certificate)).not.toBe('trusted');
    // Without the way to older roots, only the newest would do.
    server.setSecureContext({ cert, key });
    expect(await shown(roots[0] ?? '')).not.toBe('trusted');
  } finally {
    server.close();
  }
});
