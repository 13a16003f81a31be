/** `webhooks` in cluster.yaml: who may say that a repository changed, each with a secret in a file. */
import { type Static, Type } from 'typebox';
import { plainFilePattern } from './settings-source.ts';

const closed = { additionalProperties: false } as const;
export const webhookKinds = ['github', 'gitlab', 'gitea', 'plain'] as const;
export type WebhookKind = (typeof webhookKinds)[number];

const webhook = (description: string) =>
  Type.Optional(
    Type.Object(
      {
        secret_file: Type.String({
          pattern: plainFilePattern,
          description: 'File with the secret, for its owner only.',
        }),
      },
      { ...closed, description },
    ),
  );

export const WebhooksFile = Type.Object(
  {
    github: webhook('GitHub signs with the secret.'),
    gitlab: webhook('GitLab sends the secret token.'),
    gitea: webhook('Gitea and Forgejo sign with the secret.'),
    plain: webhook('Whoever sends the secret as bearer token.'),
  },
  { ...closed, description: 'Who may have a repository looked at now: POST /v1/webhooks/<kind>.' },
);

/** The file of the secret, by kind. */
export type WebhookSettings = Readonly<Partial<Record<WebhookKind, string>>>;

export function webhooksOf(written: Static<typeof WebhooksFile> | undefined): WebhookSettings {
  const given = webhookKinds.flatMap((kind) => (written?.[kind] ? [[kind, written[kind].secret_file] as const] : []));
  return Object.fromEntries(given);
}
