/** Tells receivers what is wrong with the cluster. What one of them does not take is told again later, as it is by then. */
import type { Log } from '../schemas/io/log.ts';
import type { ReceiverView } from '../schemas/notifications.ts';
import type { Clock, Files } from '../schemas/ports.ts';
import { isProblemError, type Problem, ProblemError, problem } from '../schemas/problem.ts';
import type { ControlPlane } from './control-plane.ts';
import {
  type Alert,
  type AlertMemory,
  alertsOf,
  looked,
  type Notice,
  type NoticeTimes,
  noticesOf,
  toldNow,
} from './core/alerts.ts';
import type { Sender } from './notify/letter.ts';
import { createPatience, createRounds, type Patience } from './rounds.ts';

export interface Receiver extends NoticeTimes {
  readonly name: string;
  readonly kind: 'webhook' | 'ntfy';
  /** For people; the rest of a URL may be a secret. */
  readonly host: string;
  /** Nothing to tell is a test. Rejects with a ProblemError when it did not arrive. */
  send(notices: readonly Notice[], sender: Sender, signal: AbortSignal): Promise<void>;
}

export interface Notifier {
  /** Looks at the cluster from now on. */
  start(): void;
  views(): readonly ReceiverView[];
  /** Sends a test to one, or to all. NOT_FOUND, and what receivers throw. */
  test(name: string | undefined, signal: AbortSignal): Promise<readonly ReceiverView[]>;
  /** Receivers that could not be told. */
  conditions(): readonly Problem[];
  stop(): Promise<void>;
}

export interface NotifierDeps {
  readonly control: Pick<ControlPlane, 'cluster' | 'status' | 'services' | 'nodes'>;
  readonly receivers: readonly Receiver[];
  readonly clock: Clock;
  /** state/: without it everything that is wrong is told once more. */
  readonly files: Files;
  readonly log: Log;
}

/** ms between two looks. */
const pulse = 5_000;
const firstPause = 10_000;
const longestPause = 300_000;
const file = 'notifications';

/** What is known of one receiver. */
interface Post {
  memory: AlertMemory;
  delivered?: number;
  trouble?: Problem;
  readonly patience: Patience;
}

export function createNotifier({ control, receivers, clock, files, log }: NotifierDeps): Notifier {
  const posts = new Map<string, Post>();

  const postOf = ({ name }: Receiver): Post => {
    const post = posts.get(name) ?? { memory: {}, patience: createPatience(clock, firstPause, longestPause) };
    posts.set(name, post);
    return post;
  };
  const sender = (): Sender => ({ cluster: control.cluster, at: clock.now().wall });

  const load = async (): Promise<void> => {
    const text = await files.read(file).catch(() => undefined);
    const kept = (text === undefined ? {} : JSON.parse(text)) as Record<string, AlertMemory>;
    for (const receiver of receivers) postOf(receiver).memory = kept[receiver.name] ?? {};
  };
  const save = async (): Promise<void> => {
    const kept = Object.fromEntries([...posts].map(([name, { memory }]) => [name, memory]));
    await files.write(file, JSON.stringify(kept)).catch((error: unknown) => {
      log('warn', 'notifications_unwritable', { why: String(error) });
    });
  };

  const tell = async (receiver: Receiver, alerts: ReadonlyMap<string, Alert>, signal: AbortSignal): Promise<void> => {
    const post = postOf(receiver);
    const { wall } = clock.now();
    post.memory = looked(post.memory, alerts, wall);
    if (!post.patience.ready()) return;
    const notices = noticesOf(post.memory, alerts, wall, receiver);
    if (notices.length === 0) return;
    if (!(await deliver(receiver, post, notices, signal))) return;
    post.memory = toldNow(post.memory, notices, wall);
    await save();
  };
  const delivered = (post: Post): void => {
    post.delivered = clock.now().wall;
    post.patience.succeeded();
    delete post.trouble;
  };
  const deliver = async (
    receiver: Receiver,
    post: Post,
    notices: readonly Notice[],
    signal: AbortSignal,
  ): Promise<boolean> => {
    try {
      await receiver.send(notices, sender(), signal);
      delivered(post);
      return true;
    } catch (error) {
      if (!isProblemError(error)) throw error;
      post.trouble = error.problem;
      post.patience.failed();
      if (!signal.aborted) log('warn', 'notification_failed', { problem: error.problem });
      return false;
    }
  };

  const look = async (signal: AbortSignal): Promise<void> => {
    const status = control.status();
    // Who listens only, or stands by, does not know what is wrong.
    if (status.phase !== 'running') return;
    const conditions = status.conditions.filter(({ code }) => code !== 'NOTIFICATION_FAILED');
    const alerts = alertsOf({ ...status, conditions }, control.services(), control.nodes());
    await Promise.all(receivers.map((receiver) => tell(receiver, alerts, signal)));
  };
  const rounds = createRounds({ clock, log }, pulse, look);
  const viewOf = (receiver: Receiver): ReceiverView => {
    const { delivered, trouble } = postOf(receiver);
    const { name, kind, host, after, remind } = receiver;
    return {
      ...{ name, kind, host, after, remind },
      ...(delivered === undefined ? {} : { delivered }),
      ...(trouble === undefined ? {} : { problem: trouble.message }),
    };
  };

  return {
    start() {
      if (receivers.length > 0) void load().then(rounds.start, rounds.start);
    },
    views: () => receivers.map(viewOf),
    async test(name, signal) {
      const asked = receivers.filter((one) => name === undefined || one.name === name);
      if (asked.length === 0) {
        const hint = 'notifications: [{name: ops, ntfy: https://...}] in cluster.yaml';
        throw new ProblemError(
          problem('NOT_FOUND', name ? `no receiver is called ${name}` : 'nobody is notified', { hint }),
        );
      }
      for (const receiver of asked) {
        await receiver.send([], sender(), signal);
        delivered(postOf(receiver));
      }
      return asked.map(viewOf);
    },
    conditions: () => [...posts.values()].flatMap(({ trouble }) => (trouble === undefined ? [] : [trouble])),
    stop: rounds.stop,
  };
}
