import type { NodeIdentity } from '../../agent/identity.ts';
import { createKeychain, type Keychain } from '../../agent/keychain.ts';
import type { AgentDeps } from '../../agent/ports.ts';
import type { Keys } from '../../reconciler/ports.ts';
import type { CredentialAnswer } from '../../schemas/joining.ts';

/** What a node of the memory cluster has once it joined. */
export function joinedIdentity(keys: Keys, { id, name }: { readonly id: string; readonly name: string }): NodeIdentity {
  const { cluster, fingerprint, kid, publicKey } = keys;
  const mqtt = { host: '127.0.0.1', port: 1883, username: id, password: keys.credential(id, 1) };
  return { id, name, cluster, fingerprint, ordinal: 0, mqtt, keys: { [kid]: publicKey } };
}

/** The agent with a keychain of its own, which goes on with what is on the disk of the node; `first`: what it joined with. */
export function withKeychain(
  deps: AgentDeps,
  first: () => NodeIdentity,
  credential: (node: string, password: string) => Promise<CredentialAnswer>,
): { readonly deps: AgentDeps; readonly keychain: Keychain } {
  const { content } = deps.files as unknown as { content: Map<string, string> };
  const text = content.get('identity');
  const identity = text === undefined ? first() : (JSON.parse(text) as NodeIdentity);
  if (text === undefined) content.set('identity', JSON.stringify({ v: 1, ...identity }));
  const keychain = createKeychain(
    {
      files: deps.files,
      clock: deps.clock,
      credential: (password) => credential(identity.id, password),
      changed: () => undefined,
      trouble: () => undefined,
    },
    identity,
    new AbortController().signal,
  );
  const { verify, trusts, admitted } = keychain;
  return { deps: { ...deps, verify, trusts, onConnected: admitted }, keychain };
}
