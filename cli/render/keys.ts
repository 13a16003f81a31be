/** Keys of a cluster, for people. */
import type { KeyView, RotateAnswer } from '../../schemas/keys.ts';
import { age } from './ages.ts';
import type { Listing } from './output.ts';

/** `now`: ms since 1970. */
export function keyListing(now: number): Listing<KeyView> {
  return {
    nameOf: (key) => (key.node === undefined ? key.id : `${key.node}/${key.id}`),
    empty: 'No keys.',
    columns: () => [
      { title: 'KIND', value: (key) => key.kind },
      { title: 'ID', value: (key) => (key.node === undefined ? key.id.slice(0, 16) : `${key.node} ${key.id}`) },
      { title: 'STATE', value: (key) => key.state },
      { title: 'AGE', value: (key) => age(key.since === undefined ? undefined : now - key.since), right: true },
      { title: 'TAKEN OVER', value: (key) => `${key.taken} of ${key.nodes}`, right: true },
      { title: 'TRUSTED BY', value: (key) => key.trusted },
      { title: 'UNTIL', value: (key) => (key.ends === undefined ? undefined : minute(key.ends)) },
      { title: 'WAITS FOR', value: (key) => key.waits.join(', ') },
    ],
  };
}

function minute(time: number): string {
  return new Date(time).toISOString().slice(0, 16).replace('T', ' ');
}

/** What was begun. */
export function renderRotated(answer: RotateAnswer): string {
  const skipped = answer.skipped.map(({ node, why }) => `${node}: left as it is, ${why}`);
  const tokens = answer.tokens.map(({ node, token }) => `${node}: ${token}`);
  if (answer.kind !== 'node') return `${answer.kind === 'ca' ? 'root' : 'signing key'} ${answer.id}`;
  const begun = answer.tokens.length > 0 ? [] : answer.nodes.map((node) => `${node}: takes another credential`);
  return [...begun, ...tokens, ...skipped].join('\n');
}

/** What follows, and what is to be done by hand. */
export function rotationNotes({ kind, tokens, revoked, ends }: RotateAnswer, now: boolean): readonly string[] {
  if (kind === 'node') {
    if (tokens.length > 0) {
      return [
        'The old credentials are dead. On each node: stop the agent, remove state/identity* of its folder and nothing else,',
        'write the token into agent.yaml, start the agent: the same node comes back, and its copies run on. A token is good for 24h.',
      ];
    }
    return ['`oakctl keys ls` shows who has it. The old one ends when the new one is used.'];
  }
  const until =
    ends === undefined
      ? []
      : [`The old one counts until ${minute(ends)}, and until all nodes in reach have the new one.`];
  const lost =
    revoked.length === 0 ? [] : [`${revoked.length} join tokens pinned it and are revoked: hand out new ones.`];
  const root =
    kind === 'ca' && now ? ['Clients with a copy of the old root still believe it: give them `oakctl ca export`.'] : [];
  return [
    ...until,
    ...lost,
    ...root,
    'Nothing restarts. `oakctl keys ls` shows how far it is. Back up identity/ again: older backups lack this key.',
  ];
}
