/** Whom the reconciler tells what is wrong, and when it is well again: as cluster.yaml says it, and as the API shows it. */
import { type Static, Type } from 'typebox';
import { hostOf, isLoopback } from './addresses.ts';
import { durationSchema, parseDuration } from './duration.ts';
import type { Findings } from './findings.ts';

const closed = { additionalProperties: false } as const;
const url = (description: string) =>
  Type.Optional(Type.String({ pattern: '^https?://', maxLength: 2048, description }));

/** As it is written. */
export const NotificationsFile = Type.Array(
  Type.Object(
    {
      name: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$', description: 'Name of the receiver.' }),
      webhook: url('Gets each notification as JSON.'),
      ntfy: url('A topic of ntfy: https://<server>/<topic>.'),
      token_file: Type.Optional(
        Type.String({
          pattern: '^/',
          maxLength: 4096,
          description: 'File with the bearer token; only its owner may read it.',
        }),
      ),
      after: Type.Optional(
        durationSchema('How long something is wrong before it is told, and well before that is; default 30s'),
      ),
      remind: Type.Optional(durationSchema('Time between reminders of what is still wrong, 0 for none; default 1h')),
    },
    closed,
  ),
  { maxItems: 16, description: 'Who is told what is wrong, and when it is well again.' },
);

/** One who is told. Times in ms. */
export interface ReceiverSettings {
  readonly name: string;
  readonly kind: 'webhook' | 'ntfy';
  readonly url: string;
  readonly tokenFile?: string;
  readonly after: number;
  /** 0: never. */
  readonly remind: number;
}

const defaults = { after: 30_000, remind: 3_600_000 } as const;

/** The receivers. Adds to the findings what is wrong with them. `insecure`: tokens may travel in the open. */
export function receiversOf(
  written: Static<typeof NotificationsFile> | undefined,
  insecure: boolean,
  findings: Findings,
): readonly ReceiverSettings[] {
  const names = new Set<string>();
  return (written ?? []).flatMap((entry, index) => {
    const path = ['notifications', index];
    const { name, webhook, ntfy, token_file: tokenFile, after, remind } = entry;
    if (names.has(name)) findings.error('NAME_TAKEN', [...path, 'name'], `two receivers are called ${name}`);
    names.add(name);
    const address = webhook ?? ntfy;
    if (address === undefined || (webhook !== undefined && ntfy !== undefined)) {
      findings.error(
        'SETTINGS_INVALID',
        path,
        `${name} has either \`webhook\` or \`ntfy\``,
        'webhook: https://host/path',
      );
      return [];
    }
    const fault = addressFault(address, tokenFile !== undefined && !insecure);
    if (fault) findings.error(fault.code, path, fault.message, fault.hint);
    return [
      {
        name,
        kind: webhook === undefined ? 'ntfy' : 'webhook',
        url: address,
        ...(tokenFile === undefined ? {} : { tokenFile }),
        after: parseDuration(after) ?? defaults.after,
        remind: parseDuration(remind) ?? defaults.remind,
      },
    ];
  });
}

/** What is wrong with the address of a receiver; `secret`: a token goes there that nobody else may read. */
function addressFault(address: string, secret: boolean) {
  const at = URL.canParse(address) ? new URL(address) : undefined;
  if (!at)
    return { code: 'SETTINGS_INVALID', message: `\`${address}\` is not a URL`, hint: 'https://host/path' } as const;
  if (at.username !== '' || at.password !== '') {
    return { code: 'SETTINGS_INVALID', message: 'a password in a URL is shown in logs', hint: 'token_file' } as const;
  }
  if (!secret || at.protocol === 'https:' || isLoopback(hostOf(at))) return undefined;
  const message = `the token would be readable on the way to ${at.host}`;
  return { code: 'TLS_REQUIRED', message, hint: `https://${at.host}` } as const;
}

/** One who is told, for people. Times in ms, `delivered` in ms since 1970. */
export const ReceiverSchema = Type.Object(
  {
    name: Type.String(),
    kind: Type.Enum(['webhook', 'ntfy']),
    host: Type.String({ description: 'of its URL, of which the rest may be a secret' }),
    after: Type.Number(),
    remind: Type.Number(),
    delivered: Type.Optional(Type.Number({ description: 'when it was told something last; ms since 1970' })),
    problem: Type.Optional(Type.String({ description: 'why the last attempt failed' })),
  },
  closed,
);
export type ReceiverView = Static<typeof ReceiverSchema>;
