/** Receivers of notifications, over HTTP. */
import type { ReceiverSettings } from '../../schemas/notifications.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { Notice } from '../core/alerts.ts';
import type { Receiver } from '../notifier.ts';
import { ntfyLetter, type Sender, webhookLetter } from './letter.ts';
import { post } from './post.ts';

/** Its `send` rejects with NOTIFICATION_FAILED, without a word of the token or of what is behind the host in the URL. */
export function createReceiver({ name, kind, url, tokenFile, after, remind }: ReceiverSettings): Receiver {
  return {
    name,
    kind,
    host: new URL(url).host,
    after,
    remind,
    async send(notices: readonly Notice[], sender: Sender, signal: AbortSignal) {
      const letter = kind === 'ntfy' ? ntfyLetter(notices, sender) : webhookLetter(notices, sender);
      const secret = tokenFile === undefined ? {} : { secret: { file: tokenFile, header: bearer } };
      const fault = await post({ url, ...letter, ...secret }, signal);
      if (!fault) return;
      const { why, hint } = fault;
      const details = { subject: `notifications/${name}`, disposition: 'retry', ...(hint && { hint }) } as const;
      throw new ProblemError(problem('NOTIFICATION_FAILED', why, details));
    },
  };
}

function bearer(token: string): readonly [string, string] {
  return ['authorization', `Bearer ${token}`];
}
