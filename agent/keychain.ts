/**
 * What this node knows of the keys of its cluster, and its own credential. Assignments say what is new, signed by a key that leads
 * back to one that is known. What is new is on disk before anybody is told of it, and an old credential stays there until the broker
 * took the new one: whatever crashes in between, one of both is valid.
 */
import { authorityPin, keyFingerprint, parseCertificates } from '../schemas/io/certificates.ts';
import { keysAfter, keysOf, shownKey } from '../schemas/io/chain.ts';
import { fingerprintOf, keyIdOf, verifyMessage } from '../schemas/io/signatures.ts';
import { pinOf } from '../schemas/join-token.ts';
import type { CredentialAnswer, IdentityAnswer } from '../schemas/joining.ts';
import { checkMessage } from '../schemas/parse.ts';
import type { Clock, Files } from '../schemas/ports.ts';
import { isProblemError, type Problem } from '../schemas/problem.ts';
import { TrustNews, type Trusts } from '../schemas/trust.ts';
import { type NodeIdentity, saveIdentity } from './identity.ts';
import { pause } from './pause.ts';

export interface KeychainDeps {
  readonly files: Files;
  readonly clock: Clock;
  /** Asks the reconciler for the credential that this node is to have, with one that it has. */
  credential(password: string, signal: AbortSignal): Promise<CredentialAnswer>;
  /** What `trusts` says is another one. */
  changed(): void;
  /** What keeps the disk, or the reconciler, from it; it is tried again. */
  trouble(found: Problem): void;
}

export interface Keychain {
  readonly cluster: string;
  /** The keys that are trusted now, by their ids. */
  readonly keys: Readonly<Record<string, string>>;
  /** The key of whoever answers, if it is trusted or leads back to one that is; whether he has it, only its signature says. */
  keyOf(answer: Pick<IdentityAnswer, 'kid' | 'since'>): string | undefined;
  /** Was this message signed for this topic by a key that is trusted? Learns what a good assignment says of keys. */
  verify(topic: string, message: object): boolean;
  /** The newest keys that are on disk. */
  trusts(): Trusts;
  /** PEM of the only roots that are trusted; absent: no TLS, or public ones. */
  ca(): string | undefined;
  /** What to show to broker and API. */
  password(): string;
  /** An attempt with that password came to no connection, be it with a reason or without: if there are two, the other one is shown. */
  failed(): void;
  /** The broker took it. */
  admitted(): void;
}

const saveAgainAfter = 5_000;
const askAgainAfter = 5_000;

export function createKeychain(deps: KeychainDeps, found: NodeIdentity, signal: AbortSignal): Keychain {
  const { files, clock } = deps;
  let identity = found;
  let shown = trustsOf(identity);
  /** Shows the credential before the newest one. */
  let usesFormer = false;
  let saving: Promise<void> | undefined;
  let isAsking = false;
  let wanted = 0;

  /** Until the disk has it. One write at a time, of what is then newest. */
  const save = async (): Promise<void> => {
    for (let written: NodeIdentity | undefined; written !== identity && !signal.aborted; ) {
      const next = identity;
      try {
        await saveIdentity(files, next);
        written = next;
      } catch (error) {
        if (!isProblemError(error)) throw error;
        deps.trouble(error.problem);
        await pause(clock, saveAgainAfter, signal);
      }
    }
  };
  const saved = (): Promise<void> => {
    saving ??= save().finally(() => {
      saving = undefined;
      const next = trustsOf(identity);
      if (signal.aborted || (next.key === shown.key && next.root === shown.root)) return;
      shown = next;
      deps.changed();
    });
    return saving;
  };
  const become = (next: NodeIdentity): void => {
    identity = next;
    void saved();
  };

  const learn = (news: TrustNews, after: readonly string[] | undefined, signer: string): void => {
    if (after && isNewer(identity, news, signer)) become(taught(identity, news, after, signer));
    if (news.serial !== undefined && news.serial >= serialOf(identity.mqtt.password)) {
      wanted = Math.max(wanted, news.serial);
      void renew();
    }
  };

  /** Fetches the new credential, writes it down, shows it to the reconciler: then only that one counts there. */
  const renew = async (): Promise<void> => {
    if (isAsking) return;
    isAsking = true;
    try {
      while (!signal.aborted && wanted > 0) await exchange();
    } finally {
      isAsking = false;
    }
  };
  const exchange = async (): Promise<void> => {
    try {
      const { password } = identity.mqtt;
      const now = usesFormer ? (identity.former ?? password) : password;
      const answer = await deps.credential(now, signal);
      if (serialOf(answer.password) > serialOf(password)) {
        identity = { ...identity, mqtt: { ...identity.mqtt, password: answer.password }, former: now };
        usesFormer = false;
        await saved();
        return;
      }
      if (serialOf(now) >= wanted) wanted = 0;
      else usesFormer = false;
    } catch (error) {
      if (signal.aborted) return;
      if (!isProblemError(error)) throw error;
      deps.trouble(error.problem);
      // Another assignment, or another connection, asks again.
      if (error.problem.code === 'UNAUTHORIZED') wanted = 0;
      else await pause(clock, askAgainAfter, signal);
    }
  };

  return {
    cluster: found.cluster,
    get keys() {
      return identity.keys;
    },
    keyOf: (answer) => shownKey(found.cluster, { keys: identity.keys, newest: newestOf(identity) }, answer),
    verify(topic, message) {
      const news = newsIn(message);
      const { cluster, keys } = identity;
      const after = news && keysAfter(cluster, news.chain, newestOf(identity));
      const all = after?.length ? { ...keys, ...byId(after) } : keys;
      if (!verifyMessage({ cluster, keys: all }, topic, message)) return false;
      if (news) learn(news, after, (message as { kid: string }).kid);
      return true;
    },
    trusts: () => shown,
    ca: () => identity.ca,
    password: () => (usesFormer ? identity.former : undefined) ?? identity.mqtt.password,
    failed() {
      if (identity.former !== undefined) usesFormer = !usesFormer;
    },
    admitted() {
      if (identity.former === undefined || usesFormer) return;
      const { former: _over, ...rest } = identity;
      become(rest);
    },
  };
}

/**
 * The word of a later key always counts: whoever had an older one for a while may have signed any revision with it. Of one key the
 * higher revision counts.
 */
function isNewer({ heard }: NodeIdentity, news: TrustNews, signer: string): boolean {
  if (!heard) return true;
  const ids = keysOf(news.chain).map(keyIdOf);
  const [before, now] = [ids.indexOf(heard.key), ids.indexOf(signer)];
  return before === now ? news.revision > heard.revision : now > before;
}

/** What the node knows after such news. Keys and roots that ended are gone for good: an older revision cannot bring them back. */
function taught(identity: NodeIdentity, news: TrustNews, after: readonly string[], signer: string): NodeIdentity {
  const ids = keysOf(news.chain).map(keyIdOf);
  // Nobody ends a key by the word of an older one.
  const ended = ids.indexOf(signer) >= news.ended ? new Set(ids.slice(0, news.ended)) : new Set<string>();
  const newest = after.at(-1) ?? newestOf(identity);
  const keys = { ...identity.keys, ...byId(after) };
  const kept = Object.entries(keys).filter(([id]) => !ended.has(id) || id === keyIdOf(newest));
  const roots = identity.ca === undefined ? undefined : wholeRoots(news.roots);
  return {
    ...identity,
    keys: Object.fromEntries(kept),
    newest: keyIdOf(newest),
    heard: { key: signer, revision: news.revision },
    pins: keysOf(news.chain).map((key) => pinOf(fingerprintOf(key))),
    ...(roots !== undefined && { ca: roots }),
  };
}

/** What an assignment says of keys, if it is well-formed. */
function newsIn(message: object): TrustNews | undefined {
  if (!('trust' in message)) return undefined;
  const checked = checkMessage<TrustNews>(TrustNews, message.trust);
  return checked.ok ? checked.value : undefined;
}

/** The public key that later ones must lead back to. */
function newestOf({ keys, newest }: NodeIdentity): string {
  return keys[newest ?? ''] ?? Object.values(keys)[0] ?? '';
}

function byId(keys: readonly string[]): Record<string, string> {
  return Object.fromEntries(keys.map((key) => [keyIdOf(key), key]));
}

/** As one PEM; undefined when one is none: then the roots stay as they are. */
function wholeRoots(roots: readonly string[] | undefined): string | undefined {
  const pem = roots?.join('');
  return pem !== undefined && rootOf(pem) !== undefined ? pem : undefined;
}

function rootOf(pem: string): string | undefined {
  try {
    const [first] = parseCertificates(pem);
    return first && authorityPin(keyFingerprint(first));
  } catch {
    return undefined;
  }
}

function trustsOf(identity: NodeIdentity): Trusts {
  const root = identity.ca === undefined ? undefined : rootOf(identity.ca);
  return { key: keyIdOf(newestOf(identity)), ...(root !== undefined && { root }) };
}

/** 0 for what is no password of ours. */
function serialOf(password: string): number {
  return Number(/^([1-9][0-9]{0,14})\./.exec(password)?.[1] ?? 0);
}
