/** Looks after running processes: tells what changed, keeps healthchecks going and logs short. Lives as long as somebody watches. */

import { join } from 'node:path';
import type { RuntimeEvent } from '../runtime.ts';
import { environmentOf } from './environment.ts';
import { keepChecking } from './health.ts';
import { rotateLogs } from './logs.ts';
import { ageOf, type ProcessIdentity } from './proc.ts';
import { files } from './shim.ts';
import type { CopyStore, StoredCopy } from './store.ts';

/** ms between two looks. The end of a process that this agent started is known at once, without looking. */
const lookEvery = 1000;
/** Looks between two rounds of log rotation. */
const rotateEvery = 10;

export interface MonitorDeps {
  readonly store: CopyStore;
  readonly ip: string;
  readonly path: string;
  readonly onEvent: (event: RuntimeEvent) => void;
}

export interface Monitor {
  /** Looks now: something may have changed. */
  look(): void;
}

/** Runs until aborted. */
export function startMonitor(deps: MonitorDeps, signal: AbortSignal): Monitor {
  const checks = new Map<string, { readonly process: ProcessIdentity; stop(): void }>();
  let known: ReadonlyMap<string, StoredCopy> | undefined;
  const pause = createPause(signal);

  async function round(rotate: boolean): Promise<void> {
    const { copies } = await deps.store.list();
    const now = new Map(copies.map((copy) => [copy.name, copy]));
    for (const event of differences(known, now)) deps.onEvent(event);
    known = now;
    for (const [name, check] of checks) if (!isSame(now.get(name), check.process)) check.stop();
    for (const copy of copies) if (!checks.has(copy.name)) beginChecks(copy);
    if (rotate) for (const copy of copies) if (copy.state === 'running') await rotateLogs(copy.folder);
  }

  function beginChecks(copy: StoredCopy): void {
    const check = copy.record.run.healthcheck;
    const { process, folder, name, record } = copy;
    if (!check || !process || copy.state !== 'running') return;
    const controller = new AbortController();
    const stop = () => {
      controller.abort();
      signal.removeEventListener('abort', stop);
      checks.delete(name);
    };
    signal.addEventListener('abort', stop, { once: true });
    checks.set(name, { process, stop });
    const cwd = join(folder, files.work);
    const environment = environmentOf(record, record.run, { ip: deps.ip, path: deps.path, home: cwd });
    const changed: Parameters<typeof keepChecking>[0]['changed'] = async (health, failed) => {
      await deps.store.saveHealth(folder, health, failed);
      deps.onEvent({ kind: 'health', instance: record.instance, copy: record.copy });
    };
    const work = { check, cwd, environment, age: () => ageOf(process), changed };
    // Fails when the copy is removed under it; the next look begins anew if there is still something to check.
    keepChecking(work, copy.health ?? 'starting', controller.signal).catch(stop);
  }

  void (async () => {
    for (let looks = 0; !signal.aborted; looks += 1) {
      // A look that fails is made up for by the next one.
      await round(looks % rotateEvery === rotateEvery - 1).catch(() => {});
      await pause.wait(lookEvery);
    }
  })();
  return { look: pause.end };
}

/** A pause that can be ended early, also before it began; then the next one is skipped. */
function createPause(signal: AbortSignal) {
  let wake: (() => void) | undefined;
  let skip = false;
  const end = () => {
    if (wake) wake();
    else skip = true;
  };
  signal.addEventListener('abort', end, { once: true });
  return {
    end,
    async wait(ms: number): Promise<void> {
      if (!skip && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms).unref();
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      wake = undefined;
      skip = false;
    },
  };
}

function isSame(copy: StoredCopy | undefined, process: ProcessIdentity): boolean {
  return copy?.state === 'running' && copy.process?.pid === process.pid && copy.process.start === process.start;
}

/** What changed between two looks; nothing at the first. Pure. */
export function differences(
  before: ReadonlyMap<string, StoredCopy> | undefined,
  now: ReadonlyMap<string, StoredCopy>,
): RuntimeEvent[] {
  if (!before) return [];
  const event = (kind: RuntimeEvent['kind'], { record }: StoredCopy): RuntimeEvent => ({
    kind,
    instance: record.instance,
    copy: record.copy,
  });
  const gone = [...before].filter(([name]) => !now.has(name)).map(([, copy]) => event('removed', copy));
  const changed = [...now].flatMap(([name, copy]) => {
    const old = before.get(name);
    const ran = copy.process && !isSameRun(old, copy) ? [event('started', copy)] : [];
    const ended = copy.state === 'exited' && (ran.length > 0 || old?.state !== 'exited') ? [event('ended', copy)] : [];
    return [...ran, ...ended];
  });
  return [...gone, ...changed];
}

function isSameRun(old: StoredCopy | undefined, copy: StoredCopy): boolean {
  return old?.process?.pid === copy.process?.pid && old?.process?.start === copy.process?.start;
}
