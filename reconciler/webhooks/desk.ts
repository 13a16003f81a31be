/** Takes webhooks: checks who calls, and has the sources that the call is about looked at. A replayed one does no more than a poll. */
import { mountedSecretFault, readGuarded } from '../../schemas/io/guarded-file.ts';
import type { Log } from '../../schemas/io/log.ts';
import type { Clock } from '../../schemas/ports.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { SourceSettings } from '../../schemas/settings-source.ts';
import type { WebhookKind, WebhookSettings } from '../../schemas/settings-webhooks.ts';
import { createBuckets, networkOf } from '../broker/limits.ts';
import { concerns, isProven, subjectOf, type WebhookCall } from './call.ts';

export interface WebhookDesk {
  /** May somebody at this address call now? To be asked before anything is read. */
  mayCall(address: string): boolean;
  /** NOT_FOUND for a kind that cluster.yaml does not have, UNAUTHORIZED, UNAVAILABLE. Answers with the sources that are looked at. */
  receive(kind: string, call: Omit<WebhookCall, 'kind'>): Promise<{ readonly woken: readonly string[] }>;
}

/** Calls of one address: a large forge sends those of all its repositories from few. */
const allowance = { rate: 5, burst: 60 };
/** ms between two looks at a source that webhooks ask for: those in between are one. */
const between = 1_000;
const longestSecret = 64 * 1024;

export function createWebhookDesk(deps: {
  readonly webhooks: WebhookSettings;
  readonly sources: readonly Pick<SourceSettings, 'name' | 'url' | 'branch'>[];
  readonly clock: Clock;
  readonly log: Log;
  /** Has a source looked at now. */
  readonly wake: (source: string) => void;
}): WebhookDesk {
  const { clock, webhooks } = deps;
  const bucketOf = createBuckets(allowance, () => clock.now().mono);
  const wake = createSparing(clock, deps.wake);

  const secretOf = async (kind: WebhookKind, file: string): Promise<string> => {
    const read = await readGuarded(file, longestSecret, (info) => mountedSecretFault(file, info), {
      followLinks: true,
    });
    const secret = read && 'text' in read ? read.text.trim() : '';
    if (secret !== '') return secret;
    const why = read === undefined ? 'it is not there' : 'why' in read ? read.why : 'it is empty';
    deps.log('error', 'webhook_secret', { kind, file, why });
    throw new ProblemError(problem('UNAVAILABLE', 'the secret of this webhook cannot be read: the log says why'));
  };

  return {
    mayCall(address) {
      const bucket = bucketOf(networkOf(address));
      if (bucket.take(1) === 0) return true;
      // What is refused costs nothing: a forge may stand behind the same proxy as whoever knocks on and on.
      bucket.take(-1);
      return false;
    },
    async receive(named, call) {
      const kind = (Object.keys(webhooks) as WebhookKind[]).find((one) => one === named);
      const file = kind && webhooks[kind];
      if (kind === undefined || file === undefined) {
        const hint = `webhooks: { ${named.slice(0, 20)}: { secret_file: ... } } in cluster.yaml`;
        throw new ProblemError(problem('NOT_FOUND', 'there is no such webhook', { hint }));
      }
      if (!isProven({ ...call, kind }, await secretOf(kind, file)))
        throw new ProblemError(problem('UNAUTHORIZED', 'the signature or token is missing, or wrong'));
      const subject = subjectOf({ ...call, kind });
      const woken = subject ? deps.sources.filter((source) => concerns(source, subject)).map(({ name }) => name) : [];
      for (const name of woken) wake(name);
      deps.log('info', 'webhook', { kind, woken });
      return { woken };
    },
  };
}

/** At once, and then one more when the time is over, however many ask in between. */
function createSparing(clock: Clock, wake: (name: string) => void): (name: string) => void {
  const last = new Map<string, number>();
  const waiting = new Set<string>();
  const now = (name: string): void => {
    last.set(name, clock.now().mono);
    wake(name);
  };
  return (name) => {
    if (waiting.has(name)) return;
    const left = (last.get(name) ?? Number.NEGATIVE_INFINITY) + between - clock.now().mono;
    if (left <= 0) return now(name);
    waiting.add(name);
    clock.after(left, () => {
      waiting.delete(name);
      now(name);
    });
  };
}
