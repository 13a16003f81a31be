/** Accounts, their tokens, and what they did. */
import type { ApiTokenView, CallerView, UserView } from '../../schemas/accounts.ts';
import type { AuditEntry } from '../../schemas/audit.ts';
import type { Listing } from './output.ts';
import { paintState } from './paint.ts';
import { timeText } from './tokens.ts';

/** Who one is, and where. */
export interface Identity extends CallerView {
  /** Context or cluster; the URL when it was given by hand. */
  readonly context: string;
  readonly api: string;
}

const ways = { cluster: 'by the token file', login: 'by a login', token: 'by an API token' } as const;

/** `ann at factory, as viewer, by a login`. */
export function identityText({ name, context, role, by, apps, expires }: Identity): string {
  const limits = apps ? `, for ${apps.join(', ')} only` : '';
  // A login goes on by itself.
  const end = by === 'token' && expires !== undefined ? `, until ${timeText(expires)}` : '';
  return `${by === 'cluster' ? 'the owner' : name} at ${context}, as ${role}, ${ways[by]}${limits}${end}`;
}

export const userListing: Listing<UserView> = {
  nameOf: ({ name }) => name,
  empty: 'No accounts. `oakctl users add` makes one.',
  columns: () => [
    { title: 'NAME', value: ({ name }) => name },
    { title: 'ROLE', value: ({ role }) => role },
    { title: 'TOKENS', value: ({ tokens }) => tokens, right: true },
    { title: 'PASSWORD SET', value: ({ changed }) => timeText(changed) },
    { title: 'CREATED', value: ({ created }) => timeText(created), wide: true },
  ],
};

export const apiTokenListing: Listing<ApiTokenView> = {
  nameOf: ({ id }) => id,
  empty: 'No API tokens. `oakctl users token create` makes one.',
  columns: (paint) => [
    { title: 'ID', value: ({ id }) => id },
    { title: 'USER', value: ({ user }) => user },
    { title: 'ROLE', value: ({ role }) => role },
    { title: 'STATE', value: ({ state }) => state, paint: (text) => paintState(paint, text) },
    { title: 'EXPIRES', value: ({ expires }) => timeText(expires) },
    { title: 'APPLICATIONS', value: ({ apps }) => apps?.join(', ') ?? 'all' },
    { title: 'PURPOSE', value: ({ purpose }) => purpose },
    { title: 'CREATED', value: ({ created }) => timeText(created), wide: true },
  ],
};

export const auditListing: Listing<AuditEntry> = {
  nameOf: ({ at, who }) => `${timeText(at)} ${who}`,
  empty: 'Nothing is in the audit log that fits.',
  columns: (paint) => [
    { title: 'TIME', value: ({ at }) => timeText(at) },
    { title: 'WHO', value: ({ who, by }) => (by === 'nobody' ? `${who} (unproven)` : who) },
    { title: 'BY', value: ({ by }) => by },
    { title: 'OUTCOME', value: ({ outcome }) => outcome, paint: (text) => paintState(paint, text) },
    { title: 'ACTION', value: ({ action }) => action },
    { title: 'SUBJECT', value: ({ subject }) => subject },
    { title: 'ROLE', value: ({ role }) => role, wide: true },
    { title: 'ADDRESS', value: ({ address }) => address, wide: true },
    { title: 'STATUS', value: ({ status }) => status, wide: true },
    { title: 'UNWRITTEN', value: ({ unwritten }) => unwritten, wide: true },
  ],
};
