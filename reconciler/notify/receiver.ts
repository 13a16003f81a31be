/** Receivers of notifications, over HTTP. */
import { readGuarded, secretFault } from '../../schemas/io/guarded-file.ts';
import type { ReceiverSettings } from '../../schemas/notifications.ts';
import { type Problem, ProblemError, problem } from '../../schemas/problem.ts';
import type { Notice } from '../core/alerts.ts';
import type { Receiver } from '../notifier.ts';
import { ntfyLetter, type Sender, webhookLetter } from './letter.ts';

/** Longest time that a receiver has for its answer, in ms. */
const patience = 10_000;
const longestToken = 4096;

/** Its `send` rejects with NOTIFICATION_FAILED, without a word of the token or of what is behind the host in the URL. */
export function createReceiver(settings: ReceiverSettings): Receiver {
  const { name, kind, url, after, remind } = settings;
  const { host } = new URL(url);
  return {
    name,
    kind,
    host,
    after,
    remind,
    async send(notices: readonly Notice[], sender: Sender, signal: AbortSignal) {
      const { headers, body } = kind === 'ntfy' ? ntfyLetter(notices, sender) : webhookLetter(notices, sender);
      const authorization =
        settings.tokenFile === undefined ? {} : { authorization: await bearer(settings.tokenFile, name) };
      const limit = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
      const post = {
        method: 'POST',
        headers: { ...headers, ...authorization },
        body,
        redirect: 'manual',
        signal: limit,
      } as const;
      const answer = await fetch(url, post).catch((error: unknown) => {
        throw failed(name, `${host} cannot be reached: ${reasonOf(error)}`);
      });
      await answer.body?.cancel();
      if (!answer.ok) throw failed(name, `${host} answered ${answer.status}`);
    },
  };
}

async function bearer(file: string, name: string): Promise<string> {
  const found = await readGuarded(file, longestToken, (info) => secretFault(file, info));
  if (found === undefined) throw failed(name, `there is no token file ${file}`);
  if ('why' in found) throw failed(name, `the token file ${file} does not count: ${found.why}`, found.hint);
  return `Bearer ${found.text.trim()}`;
}

function failed(name: string, message: string, hint?: string): ProblemError {
  const more: Partial<Problem> = { subject: `notifications/${name}`, ...(hint === undefined ? {} : { hint }) };
  return new ProblemError(problem('NOTIFICATION_FAILED', message, { disposition: 'retry', ...more }));
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `no answer within ${patience / 1000} s`;
  const { cause } = error;
  return cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? cause.message) : error.message;
}
