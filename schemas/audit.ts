/** The audit log: who did what, when, and what came of it. */
import { type Static, Type } from 'typebox';
import { roles } from './accounts.ts';
import { words } from './view-schemas.ts';

export const auditOutcomes = ['done', 'refused', 'failed'] as const;
export type AuditOutcome = (typeof auditOutcomes)[number];

export const AuditEntrySchema = Type.Object({
  at: Type.Number({ description: 'ms since 1970' }),
  who: Type.String({ description: 'the account; of the token file, and of a login that failed: who it said it was' }),
  by: words(['cluster', 'login', 'token', 'nobody']),
  role: Type.Optional(words(roles)),
  address: Type.String({ description: 'where the request came from' }),
  action: Type.String({ description: 'method and route' }),
  subject: Type.Optional(Type.String({ description: 'what the request names' })),
  outcome: words(auditOutcomes),
  status: Type.Integer({ description: 'of the answer' }),
  unwritten: Type.Optional(
    Type.Integer({
      description: 'what the same caller did before this one that was too much to write, mostly refusals',
    }),
  ),
});
export type AuditEntry = Readonly<Static<typeof AuditEntrySchema>>;

export const mostAuditEntries = 10_000;

export interface AuditQuery {
  /** How many at most. */
  readonly last?: number | undefined;
  readonly who?: string | undefined;
  readonly outcome?: AuditOutcome | undefined;
}
