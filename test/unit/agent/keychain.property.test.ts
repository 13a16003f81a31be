import fc from 'fast-check';
import { expect, it } from 'vitest';
import { loadIdentity, type NodeIdentity } from '../../../agent/identity.ts';
import { loadOrJoin } from '../../../agent/join.ts';
import { createKeychain, type Keychain } from '../../../agent/keychain.ts';
import { fingerprintOf, signMessage } from '../../../schemas/io/signatures.ts';
import { formatJoinToken, pinOf } from '../../../schemas/join-token.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import type { TrustNews } from '../../../schemas/trust.ts';
import { createMemoryFiles } from '../../support/memory-files.ts';
import { joinedIdentity } from '../../support/memory-keychain.ts';
import { createMemoryKeys } from '../../support/memory-keys.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';

const id = '00000000000000aa';
const topic = `nodes/${id}/assignment/0`;

/** A reconciler as far as a node has to do with its keys, and a stranger who once had the first key. */
function createSides() {
  const keys = createMemoryKeys('home');
  const thief = createMemoryKeys('home');
  const stranger = createMemoryKeys('home', 9);
  const credential = { least: 1, next: undefined as number | undefined };
  const assignment = (trust: TrustNews | undefined, by = keys) =>
    signMessage(by, topic, { v: 1, jobs: [], ...(trust && { trust }) });
  return {
    keys,
    stranger,
    credential,
    thief,
    news: (): TrustNews => ({ ...keys.news(), ...(credential.next !== undefined && { serial: credential.next }) }),
    assignment,
    admits(password: string): boolean {
      const serial = Number(password.split('.')[0]);
      return password === keys.credential(id, serial) && serial >= credential.least;
    },
    /** POST /v1/credential. */
    async renew(password: string) {
      if (!this.admits(password)) throw new ProblemError(problem('UNAUTHORIZED', 'no'));
      const { next } = credential;
      if (next !== undefined && password === keys.credential(id, next)) {
        credential.least = next;
        credential.next = undefined;
      }
      const serial = next ?? credential.least;
      return { serial, password: keys.credential(id, serial) };
    },
  };
}

const step = fc.constantFrom(
  'rotate',
  'rotate_now',
  'use',
  'end',
  'credential',
  'hear',
  'hear_old',
  'stranger',
  'power_cut',
  'disk_full',
  'disk_free',
  'answer_lost',
  'connect',
  'time',
);

it('after any rotations, crashes and lost answers the node is let in, follows the newest key, and believes no stranger', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const sides = createSides();
      const { keys } = sides;
      const clock = createVirtualClock({ rounds: 2 });
      const files = createMemoryFiles();
      const first = joinedIdentity(keys, { id, name: 'w1' });
      files.content.set('identity', JSON.stringify({ v: 1, ...first }));
      const heard: ReturnType<typeof sides.assignment>[] = [];
      let full = false;
      let lose = false;
      let life = new AbortController();
      const disk = {
        ...files,
        write: (name: string, text: string) =>
          full ? Promise.reject(new ProblemError(problem('FILE_UNWRITABLE', 'full'))) : files.write(name, text),
      };
      const boot = async (): Promise<Keychain> => {
        life.abort();
        life = new AbortController();
        const { signal } = life;
        const credential = async (password: string) => {
          const answer = await sides.renew(password);
          if (lose) throw new ProblemError(problem('UNREACHABLE', 'lost'));
          return answer;
        };
        const identity = (await loadIdentity(files)) as NodeIdentity;
        const quiet = { changed: () => undefined, trouble: () => undefined };
        return createKeychain({ files: disk, clock, credential, ...quiet }, identity, signal);
      };
      let keychain = await boot();
      const hear = (): boolean => {
        const message = sides.assignment(sides.news());
        heard.push(message);
        return keychain.verify(topic, message);
      };
      const connect = (): boolean => {
        for (let attempt = 0; attempt < 2; attempt += 1) {
          if (sides.admits(keychain.password())) {
            keychain.admitted();
            return true;
          }
          keychain.failed();
        }
        return false;
      };

      for (const what of steps) {
        if (what === 'rotate' && keys.ring.ends === undefined) await keys.rotateSigning({ since: 0, ends: 1 });
        if (what === 'rotate_now') await keys.rotateSigning({ since: 0 });
        if (what === 'use' && keys.ring.used < keys.ring.signing.length) await keys.step('use');
        if (what === 'end' && keys.ring.ends !== undefined && keys.ring.used === keys.ring.signing.length)
          await keys.step('end');
        if (what === 'credential') sides.credential.next ??= sides.credential.least + 1;
        if (what === 'hear') expect(hear()).toBe(true);
        // Whoever keeps old messages can say them again; they may be believed, and change nothing for the worse.
        if (what === 'hear_old') for (const message of heard) keychain.verify(topic, message);
        if (what === 'stranger') {
          const { stranger } = sides;
          expect(keychain.verify(topic, sides.assignment(stranger.news(), stranger))).toBe(false);
          expect(keychain.verify(topic, sides.assignment({ ...keys.news(), revision: 999 }, stranger))).toBe(false);
        }
        if (what === 'disk_full') full = true;
        if (what === 'disk_free') full = false;
        if (what === 'answer_lost') lose = !lose;
        if (what === 'connect') expect(connect()).toBe(true);
        if (what === 'time') await clock.advance(6_000);
        // At once, or after whatever was begun: both are moments at which a machine may lose power.
        if (what === 'power_cut') keychain = await boot();
        else if (what !== 'credential') await clock.settle();
        // At every step: whatever the node has on disk lets it in.
        const onDisk = (await loadIdentity(files)) as NodeIdentity;
        expect([onDisk.mqtt.password, onDisk.former ?? ''].some((one) => sides.admits(one))).toBe(true);
      }

      full = false;
      lose = false;
      keychain = await boot();
      expect(connect()).toBe(true);
      expect(hear()).toBe(true);
      await clock.advance(20_000);
      await clock.settle();
      expect(connect()).toBe(true);
      expect(sides.credential.next).toBeUndefined();
      const [newest] = [...keys.ring.signing].reverse();
      const onDisk = (await loadIdentity(files)) as NodeIdentity;
      expect(Object.values(onDisk.keys)).toContain(newest?.key ?? keys.publicKey);
      // A key that was given up is worth nothing, even to who has it: it ends with the first message that says so.
      const replayed = keychain.verify(topic, sides.assignment(undefined, sides.thief));
      expect(replayed).toBe(keys.ring.ended === 0);
      life.abort();
    }),
    { numRuns: 50 },
  );
}, 60_000);

it('roots are replaced by those of a newer revision only, and only by whole ones', async () => {
  const { keys, assignment } = createSides();
  const files = createMemoryFiles();
  const roots = [keys.root().authority.certificate];
  const identity = { ...joinedIdentity(keys, { id, name: 'w1' }), ca: roots[0] ?? '' };
  const deps = {
    files,
    clock: createVirtualClock(),
    credential: () => Promise.reject(new Error('asked')),
    changed: () => undefined,
    trouble: () => undefined,
  };
  const keychain = createKeychain(deps, identity, new AbortController().signal);
  await keys.rotateRoot({ since: 0, ends: 1 });
  roots.unshift(keys.root().authority.certificate);
  const overlap = keys.news();
  expect(keychain.verify(topic, assignment({ ...overlap, roots: ['no PEM'] }))).toBe(true);
  expect(keychain.ca()).toBe(roots[1]);
  await keys.step('end_roots');
  expect(keychain.verify(topic, assignment(keys.news()))).toBe(true);
  expect(keychain.ca()).toBe(roots[0]);
  expect(keychain.verify(topic, assignment(overlap))).toBe(true);
  expect(keychain.ca()).toBe(roots[0]);
});

it('what somebody with an old key made up is mended by the word of the next one', async () => {
  const { keys, thief, assignment } = createSides();
  const files = createMemoryFiles();
  const deps = {
    files,
    clock: createVirtualClock(),
    credential: () => Promise.reject(new Error('asked')),
    changed: () => undefined,
    trouble: () => undefined,
  };
  const keychain = createKeychain(deps, joinedIdentity(keys, { id, name: 'w1' }), new AbortController().signal);
  expect(keychain.verify(topic, assignment({ ...thief.news(), revision: 1_000_000 }, thief))).toBe(true);
  await keys.rotateSigning({ since: 0 });
  expect(keychain.verify(topic, assignment(keys.news()))).toBe(true);
  expect(keychain.verify(topic, assignment({ ...keys.news(), revision: 2_000_000 }, thief))).toBe(false);
  await deps.clock.settle();
  expect(keychain.trusts().key).toBe(keys.kid);
});

it('the token with which it joined is no reason not to start, also when its key has ended', async () => {
  const { keys, stranger, assignment } = createSides();
  await keys.rotateSigning({ since: 0 });
  const files = createMemoryFiles();
  const clock = createVirtualClock();
  // Joined under the second key; two more came since.
  const joinedWith = keys.publicKey;
  const deps = {
    files,
    clock,
    credential: () => Promise.reject(new Error('asked')),
    changed: () => undefined,
    trouble: () => undefined,
  };
  const signal = new AbortController().signal;
  const keychain = createKeychain(deps, joinedIdentity(keys, { id, name: 'w1' }), signal);
  for (let round = 0; round < 2; round += 1) {
    await keys.rotateSigning({ since: 0 });
    expect(keychain.verify(topic, assignment(keys.news()))).toBe(true);
  }
  await clock.settle();
  expect(Object.values(keychain.keys)).toEqual([keys.publicKey]);
  const start = (key: string) => {
    const token = formatJoinToken({ id: '0123456789ab', secret: 'S'.repeat(43), pin: pinOf(fingerprintOf(key)) });
    return loadOrJoin({ files } as never, { name: 'w1', ip: '127.0.0.2', version: '0.1.0', token }, signal);
  };
  expect((await start(joinedWith)).id).toBe(id);
  await expect(start(stranger.publicKey)).rejects.toThrow(/TOKEN_INVALID.*for another cluster/);
});
