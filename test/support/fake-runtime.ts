/**
 * A runtime in memory: fast, on virtual time, and scriptable. It keeps its copies when the agent dies, as an engine does.
 * It also checks what every engine would refuse: two running copies that publish the same port on the same address.
 */
import type { ActualCopy, Comparer, CopyKey, LogLine, Runtime, RuntimeEvent } from '../../agent/runtimes/runtime.ts';
import type { Clock } from '../../schemas/ports.ts';
import { type ProblemCode, ProblemError, problem } from '../../schemas/problem.ts';
import type { RunSpec, RuntimeName } from '../../schemas/spec.ts';

export type FakeCall = 'probe' | 'list' | 'inspect' | 'prepare' | 'create' | 'start' | 'stop' | 'remove';

/** How calls on a copy (or image, for `prepare`) go. `hang` ends only by abort. */
export type Script = { readonly fail: ProblemCode; readonly times?: number } | 'hang';

export interface FakeRuntimeOptions {
  readonly clock: Clock;
  readonly name?: RuntimeName;
  /** ms that calls take; default 0: they still settle asynchronously. */
  readonly delays?: Partial<Record<FakeCall, number | (() => number)>>;
  /** Asked at each call: will it be carried out even if its caller leaves, as engines do? */
  readonly goesOn?: () => boolean;
  /** Address of published ports. */
  readonly ip?: string;
  /** Told when a copy begins to run. */
  readonly onStarted?: (key: CopyKey, run: RunSpec) => void;
  /** ms by which the event of an end comes before the list shows it, as in real engines. */
  readonly endedLag?: number;
}

export interface FakeRuntime extends Runtime, Comparer {
  /** Everything that was called, `create app...0/1.2`, oldest first. */
  readonly calls: string[];
  /** What is there now, by `<instance>/<copy>`. */
  readonly copies: Map<string, ActualCopy>;
  /** What each copy was created with, by `<instance>/<copy>`. */
  runOf(key: CopyKey): RunSpec | undefined;
  /** Most calls (without probe, list and inspect) that were under way at once. */
  readonly peak: () => number;
  /** Calls of this kind on subjects that contain `part` go this way. Returns how to undo it. */
  script(call: FakeCall, part: string, script: Script): () => void;
  /** The copy ends by itself. */
  exit(key: CopyKey, code: number): void;
  health(key: CopyKey, health: 'starting' | 'healthy' | 'unhealthy'): void;
  /** The engine stops or starts answering. */
  engine(state: 'up' | 'down' | 'hung'): void;
  /** The machine lost power: everything that ran has exited. */
  powerCut(): void;
  /** A copy that was there before, or that somebody else made with our labels. */
  plant(copy: ActualCopy): void;
  /** Somebody removed the copy by hand. */
  vanish(key: CopyKey): void;
  /** Somebody stopped the copy by hand. */
  kill(key: CopyKey): void;
  /** It takes more memory than it may. */
  starve(key: CopyKey): void;
  /** Somebody started the copy by hand. */
  revive(key: CopyKey): void;
  /** Somebody froze the copy by hand, or let it go on. */
  pause(key: CopyKey): void;
  unpause(key: CopyKey): void;
  /** Somebody changed its options by hand, until it is made anew; none: changed them back. */
  alter(key: CopyKey, differences: readonly string[]): void;
  /** What `logs` gives, by `<instance>/<copy>`. */
  readonly logText: Map<string, readonly LogLine[]>;
}

interface Entry {
  copy: ActualCopy;
  run: RunSpec;
  changed: number;
  differences?: readonly string[];
}

/** Of what does not run any more nothing is said of these. */
const ofRunning = ['health', 'paused'] as const;

const keyOf = ({ instance, copy }: CopyKey): string => `${instance}/${copy}`;

export function createFakeRuntime(options: FakeRuntimeOptions): FakeRuntime {
  const { clock, name = 'docker', delays = {}, ip = '127.0.0.1', endedLag = 0 } = options;
  const entries = new Map<string, Entry>();
  const scripts: { call: FakeCall; part: string; script: Script; left: number }[] = [];
  const listeners = new Set<(event: RuntimeEvent) => void>();
  const calls: string[] = [];
  const logText = new Map<string, readonly LogLine[]>();
  let engine: 'up' | 'down' | 'hung' = 'up';
  let handles = 0;
  let active = 0;
  let peak = 0;
  let cuts = 0;

  /** What `copies` gives until something changes. */
  let shown: Map<string, ActualCopy> | undefined;
  const put = (key: string, entry: Entry): void => {
    entries.set(key, entry);
    shown = undefined;
  };
  const drop = (key: string): boolean => {
    shown = undefined;
    return entries.delete(key);
  };

  /** Ends that were told, and that the list does not show yet. */
  const ending = new Map<string, () => void>();

  const emit = (kind: RuntimeEvent['kind'], { instance, copy }: CopyKey, exitCode?: number): void => {
    if (engine !== 'up') return;
    for (const listener of listeners)
      listener({ kind, instance, copy, ...(exitCode === undefined ? {} : { exitCode }) });
  };
  const change = (key: CopyKey, next: Partial<ActualCopy>, drop: readonly (keyof ActualCopy)[] = []): void => {
    const entry = entries.get(keyOf(key));
    if (!entry) return;
    const kept = Object.fromEntries(Object.entries(entry.copy).filter(([k]) => !drop.includes(k as keyof ActualCopy)));
    entry.copy = { ...(kept as unknown as ActualCopy), ...next };
    entry.changed = clock.now().mono;
    shown = undefined;
  };
  const call = async <T>(kind: FakeCall, subject: string, signal: AbortSignal, work: () => T): Promise<T> => {
    signal.throwIfAborted();
    calls.push(`${kind} ${subject}`.trim());
    if (engine === 'hung') return forever(signal);
    const delay = delays[kind] ?? 0;
    const ms = typeof delay === 'function' ? delay() : delay;
    const goesOn = ms > 0 && options.goesOn?.();
    if (goesOn)
      return detached(
        clock,
        ms,
        signal,
        lifeOf(() => answer(kind, subject, signal, work)),
      );
    await wait(clock, ms, signal);
    return answer(kind, subject, signal, work);
  };
  /** What a call does when its time has come; nothing, if the machine lost power since. */
  const lifeOf = <T>(work: () => T | Promise<T>): (() => T | Promise<T>) => {
    const life = cuts;
    return () => (life === cuts ? work() : new Promise<never>(() => undefined));
  };
  const answer = <T>(kind: FakeCall, subject: string, signal: AbortSignal, work: () => T): T | Promise<T> => {
    if (engine === 'down') throw failure('RUNTIME_UNAVAILABLE', subject);
    const scripted = scripts.find((entry) => entry.call === kind && entry.left > 0 && subject.includes(entry.part));
    if (scripted?.script === 'hang') return forever(signal);
    if (scripted) {
      scripted.left -= 1;
      throw failure((scripted.script as { fail: ProblemCode }).fail, subject);
    }
    return work();
  };
  const stepCall = async <T>(kind: FakeCall, subject: string, signal: AbortSignal, work: () => T): Promise<T> => {
    active += 1;
    peak = Math.max(peak, active);
    try {
      return await call(kind, subject, signal, work);
    } finally {
      active -= 1;
    }
  };
  const found = (key: CopyKey): Entry => {
    const entry = entries.get(keyOf(key));
    if (!entry) throw failure('NOT_FOUND', keyOf(key));
    return entry;
  };
  const assertPortsFree = (entry: Entry): void => {
    const wanted = new Set(portsOf(entry.run));
    for (const other of entries.values()) {
      if (other === entry || other.copy.state !== 'running') continue;
      const taken = portsOf(other.run).find((port) => wanted.has(port));
      if (taken) throw failure('START_FAILED', `${keyOf(entry.copy)}: port ${taken} is taken by ${keyOf(other.copy)}`);
    }
  };

  return {
    name,
    calls,
    logText,
    get copies() {
      shown ??= new Map([...entries].map(([key, { copy }]) => [key, copy]));
      return shown;
    },
    runOf: (key) => entries.get(keyOf(key))?.run,
    peak: () => peak,
    script(kind, part, script) {
      const times = typeof script === 'object' ? script.times : undefined;
      const entry = { call: kind, part, script, left: times ?? Number.POSITIVE_INFINITY };
      scripts.push(entry);
      return () => {
        entry.left = 0;
      };
    },
    exit(key, code) {
      const end = (): void => change(key, { state: 'exited', exitCode: code, addresses: [] }, ofRunning);
      if (endedLag === 0) end();
      else {
        const cancel = clock.after(endedLag, () => ending.get(keyOf(key))?.());
        ending.set(keyOf(key), () => {
          cancel();
          ending.delete(keyOf(key));
          end();
        });
      }
      emit('ended', key, code);
    },
    health(key, health) {
      change(key, { health });
      emit('health', key);
    },
    engine(state) {
      engine = state;
    },
    powerCut() {
      cuts += 1;
      for (const { copy } of entries.values()) {
        if (copy.state === 'running') change(copy, { state: 'exited', exitCode: 137, addresses: [] }, ofRunning);
      }
    },
    plant(copy) {
      const run: RunSpec = { virtualization: 'container', code: 'planted' };
      put(keyOf(copy), { copy, run, changed: clock.now().mono - (copy.since ?? 0) });
    },
    vanish(key) {
      drop(keyOf(key));
      emit('removed', key);
    },
    kill(key) {
      emit('signalled', key);
      change(key, { state: 'exited', exitCode: 143, addresses: [] }, ofRunning);
      emit('ended', key, 143);
    },
    starve(key) {
      emit('oom', key);
      this.exit(key, 137);
    },
    revive(key) {
      const isChecked = entries.get(keyOf(key))?.run.healthcheck !== undefined;
      change(key, { state: 'running', ...(isChecked && { health: 'starting' as const }) }, ['exitCode']);
      emit('started', key);
    },
    pause(key) {
      const entry = entries.get(keyOf(key));
      if (entry?.copy.state !== 'running' || entry.copy.paused) return;
      change(key, { paused: true });
      emit('changed', key);
    },
    unpause(key) {
      const entry = entries.get(keyOf(key));
      if (!entry?.copy.paused) return;
      change(key, {}, ['paused']);
      emit('changed', key);
    },
    alter(key, differences) {
      const entry = entries.get(keyOf(key));
      if (!entry) return;
      entry.differences = differences;
      emit('changed', key);
    },
    differences: (key, _run, signal) =>
      call('inspect', keyOf(key), signal, () => {
        const { copy, differences = [] } = entries.get(keyOf(key)) ?? {};
        return copy?.paused ? ['paused', ...differences] : differences;
      }),
    probe: (signal) => call('probe', '', signal, () => ({ name, version: '1.0.0-fake' })),
    list(signal) {
      // As it was when it was asked: an answer is old when it arrives.
      const now = clock.now().mono;
      const seen = [...entries.values()].map(({ copy, changed }) => ({ ...copy, since: Math.max(0, now - changed) }));
      return call('list', '', signal, () => seen);
    },
    prepare: (run, signal) => stepCall('prepare', run.code, signal, () => undefined),
    create: (plan, signal) =>
      stepCall('create', keyOf(plan), signal, () => {
        const there = entries.get(keyOf(plan));
        if (there?.copy.digest === plan.digest) return;
        if (there) throw failure('NAME_CONFLICT', keyOf(plan));
        handles += 1;
        const { instance, copy, digest, run } = plan;
        const made: ActualCopy = {
          instance,
          copy,
          digest,
          runtime: name,
          state: 'created',
          handle: `h${handles}`,
          addresses: [],
        };
        put(keyOf(plan), { copy: made, run, changed: clock.now().mono });
      }),
    start: (key, signal) =>
      stepCall('start', keyOf(key), signal, () => {
        // As an engine, which ends one before it starts the next.
        ending.get(keyOf(key))?.();
        const entry = found(key);
        if (entry.copy.state === 'running') return;
        assertPortsFree(entry);
        const addresses = (entry.run.ports ?? []).map((port) => `${ip}:${port.host}`);
        const health = entry.run.healthcheck ? { health: 'starting' as const } : {};
        change(key, { state: 'running', addresses, ...health }, ['exitCode']);
        emit('started', key);
        options.onStarted?.(entry.copy, entry.run);
      }),
    stop: (key, grace, signal) =>
      stepCall('stop', keyOf(key), signal, () => {
        if (!Number.isFinite(grace) || grace < 0) throw new TypeError(`grace ${grace}`);
        if (entries.get(keyOf(key))?.copy.state !== 'running') return;
        change(key, { state: 'exited', exitCode: 143, addresses: [] }, ofRunning);
        emit('ended', key);
      }),
    remove: (key, signal) =>
      stepCall('remove', keyOf(key), signal, () => {
        if (drop(keyOf(key))) emit('removed', key);
      }),
    async *logs(key, { tail = Number.POSITIVE_INFINITY }, signal) {
      const lines = logText.get(keyOf(key)) ?? [];
      for (const line of lines.slice(Math.max(0, lines.length - tail))) {
        signal.throwIfAborted();
        yield line;
      }
    },
    watch(onEvent, signal) {
      listeners.add(onEvent);
      signal.addEventListener('abort', () => listeners.delete(onEvent), { once: true });
    },
  };
}

function portsOf(run: RunSpec): string[] {
  return (run.ports ?? []).map(({ host, protocol }) => `${protocol}/${host}`);
}

function failure(code: ProblemCode, subject: string): ProblemError {
  return new ProblemError(problem(code, `the fake says ${code}`, { subject, disposition: 'retry' }));
}

function forever(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** Rejects when the caller leaves, and does the work all the same. */
function detached<T>(clock: Clock, ms: number, signal: AbortSignal, work: () => T | Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    clock.after(ms, () => void Promise.resolve().then(work).then(resolve, reject));
  });
}

function wait(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (ms === 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => {
      signal.removeEventListener('abort', aborted);
      resolve();
    });
    const aborted = (): void => {
      cancel();
      reject(signal.reason);
    };
    signal.addEventListener('abort', aborted, { once: true });
  });
}
