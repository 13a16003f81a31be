/** What instances wrote: line by line, of one or of many, and on through restarts, replacements and lost connections. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from '../../schemas/io/api-client.ts';
import { parseInstanceName } from '../../schemas/names.ts';
import { isProblemError, ProblemError, problem } from '../../schemas/problem.ts';
import type { InstanceView } from '../../schemas/views.ts';

export interface LogLine {
  /** Full name of the instance. */
  readonly instance: string;
  /** Without its line end. */
  readonly text: string;
}

export interface LogOptions {
  readonly follow: boolean;
  /** Only the last lines. */
  readonly tail?: number;
}

export interface LogSink {
  /** Resolves when the next line may come: a slow reader makes the sender wait. */
  line(line: LogLine): Promise<void>;
  /** Narration: ends, restarts, lost connections. */
  say(text: string): void;
}

type Api = Pick<ApiClient, 'instances' | 'logs'>;

/** Most instances that are followed at once: each takes a connection, and a stream of its agent. */
const followedAtOnce = 50;
/** Lines that are shown again when the same copy was started again: its own first words are among them. */
const linesAfterRestart = 20;
/** ms between two looks at an instance that does not run, or cannot be reached. */
const defaultPause = 1000;

/** The instances that names tell: instances, services for all of theirs. NOT_FOUND when a service has none; USAGE for too many. */
export async function instancesToRead(
  api: Api,
  names: readonly string[],
  follow: boolean,
  signal: AbortSignal,
): Promise<readonly InstanceView[]> {
  const instances = await api.instances(names, signal);
  if (instances.length === 0) {
    const hint = '`oakctl services inspect` says why';
    throw new ProblemError(problem('NOT_FOUND', `${names.join(', ')} has no instance`, { hint }));
  }
  if (follow && instances.length > followedAtOnce) {
    const text = `${instances.length} instances are too many to follow at once; ${followedAtOnce} are the most`;
    throw new ProblemError(problem('USAGE', text, { hint: 'name some of them: `oakctl instances ls -o name`' }));
  }
  return instances;
}

/** Sends the lines of all: one after the other, or mixed as they come when followed. Returns at the end, or when aborted. */
export async function sendLogs(
  api: Api,
  instances: readonly InstanceView[],
  options: LogOptions,
  sink: LogSink,
  signal: AbortSignal,
  pause = defaultPause,
): Promise<void> {
  if (!options.follow) {
    for (const { name } of instances) await readOnce(api, name, options, sink, signal);
    return;
  }
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  try {
    await Promise.all(instances.map((instance) => follow(api, instance, options, sink, either, pause)));
  } finally {
    over.abort();
  }
}

/** Until the stream ends; cuts what comes into lines. */
async function readOnce(
  api: Api,
  name: string,
  options: LogOptions,
  sink: LogSink,
  signal: AbortSignal,
): Promise<void> {
  let rest = '';
  for await (const piece of api.logs(name, options, signal)) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    for (const text of lines) await sink.line({ instance: name, text: text.replace(/\r$/, '') });
  }
  if (rest !== '') await sink.line({ instance: name, text: rest });
}

async function follow(
  api: Api,
  first: InstanceView,
  options: LogOptions,
  sink: LogSink,
  signal: AbortSignal,
  pause: number,
): Promise<void> {
  const { name } = first;
  let known = first;
  let next: LogOptions = options;
  for (;;) {
    const broken = await readOnce(api, name, next, sink, signal).then(() => undefined, away);
    if (signal.aborted) return;
    sink.say(broken ? `${name}: ${broken}; trying again` : `${name}: its log ended; waiting for the next start`);
    const now = await runningAgain(api, name, broken === undefined ? known : undefined, signal, pause);
    if (now === 'gone') return sink.say(`${name} is gone`);
    if (now === 'completed') return sink.say(`${name} is completed`);
    if (now === undefined) return;
    if (now.copy !== known.copy) {
      sink.say(`${name}: copy ${now.copy ?? 'unknown'}${now.node ? ` on ${now.node}` : ''}`);
      next = { follow: true };
    } else if (broken === undefined || now.restarts !== known.restarts) {
      sink.say(`${name}: started again; its last ${linesAfterRestart} lines and what comes:`);
      next = { follow: true, tail: linesAfterRestart };
    } else {
      sink.say(`${name}: connected again; lines in between are missing`);
      next = { follow: true, tail: 0 };
    }
    known = now;
  }
}

/** The message of a failure that passes; others are thrown. */
function away(error: unknown): string {
  if (isProblemError(error) && ['UNREACHABLE', 'UNAVAILABLE'].includes(error.problem.code))
    return error.problem.message;
  throw error;
}

const runs: ReadonlySet<InstanceView['status']> = new Set(['starting', 'running', 'unhealthy']);

/**
 * Waits until the instance runs: anew, if `ended` tells how it was when its log ended. undefined when aborted.
 */
async function runningAgain(
  api: Api,
  name: string,
  ended: InstanceView | undefined,
  signal: AbortSignal,
  pause: number,
): Promise<InstanceView | 'gone' | 'completed' | undefined> {
  let stopped = false;
  while (!signal.aborted) {
    await sleep(pause, undefined, { signal }).catch(() => {});
    const view = await look(api, name, signal);
    if (view === 'gone') return 'gone';
    if (!view) continue;
    if (view.status === 'completed') return 'completed';
    if (!runs.has(view.status)) {
      stopped = true;
      continue;
    }
    // A report may be older than the end of the log: the same copy counts once it was seen down, or counted a restart.
    if (!ended || stopped || view.copy !== ended.copy || view.restarts !== ended.restarts) return view;
    // It runs on, and its log ended all the same: read on from here.
    if (view.seen !== undefined && view.seen < pause) return view;
  }
  return undefined;
}

async function look(api: Api, name: string, signal: AbortSignal): Promise<InstanceView | 'gone' | undefined> {
  try {
    return (await api.instances([name], signal)).find((one) => one.name === name) ?? 'gone';
  } catch (error) {
    if (signal.aborted) return undefined;
    if (isProblemError(error) && error.problem.code === 'NOT_FOUND') return 'gone';
    away(error);
    return undefined;
  }
}

/** What stands before the lines of each: `web.0`, or full names where two would be called the same. */
export function prefixesOf(names: readonly string[]): ReadonlyMap<string, string> {
  const short = names.map((name) => {
    const parsed = parseInstanceName(name);
    return parsed ? `${parsed.service.split('.')[2]}.${parsed.slot}` : name;
  });
  const unique = new Set(short).size === names.length;
  const texts = unique ? short : names;
  const size = Math.max(...texts.map((text) => text.length));
  return new Map(names.map((name, i) => [name, (texts[i] ?? name).padEnd(size)]));
}
