/** The engine's event stream, kept open. Streams stop silently and engines restart: events are hints, and a gap is made up for. */
import type { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import type { ActualCopy, CopyKey, RuntimeEvent } from '../runtime.ts';
import { type Engine, limits } from './engine.ts';
import { type Owner, ownerFilter, ownership } from './labels.ts';

/** ms between attempts: doubles from the first to the last. */
const backOff = { first: 200, last: 5000 };

const kinds: Readonly<Record<string, RuntimeEvent['kind']>> = {
  start: 'started',
  oom: 'oom',
  die: 'ended',
  destroy: 'removed',
  health_status: 'health',
  kill: 'signalled',
  update: 'changed',
  pause: 'changed',
  unpause: 'changed',
};

/** HUP, USR1, USR2: what programs take for other wishes than to end. */
const asksForNoEnd: ReadonlySet<string> = new Set(['1', '10', '12']);

/** Calls `onEvent` until `signal` aborts. After a gap it says for every copy, also those that vanished, that it should be looked at. */
export async function watchEngine(
  deps: { engine: Engine; owner: Owner; list: (signal: AbortSignal) => Promise<readonly ActualCopy[]> },
  onEvent: (event: RuntimeEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  const known = new Map<string, CopyKey>();
  const emit = (event: RuntimeEvent) => {
    const name = `${event.instance} ${event.copy}`;
    if (event.kind === 'removed') known.delete(name);
    else known.set(name, { instance: event.instance, copy: event.copy });
    onEvent(event);
  };
  let delay = backOff.first;
  for (let gap = false; !signal.aborted; gap = true) {
    let stream: Readable | undefined;
    try {
      stream = await openEvents(deps.engine, deps.owner, signal);
      const copies = await deps.list(signal);
      delay = backOff.first;
      for (const event of catchUp(known, copies, gap)) emit(event);
      await readEvents(stream, deps.owner, emit);
    } catch {
      // Whatever it was: the engine is not there, which calls and probes report better than a stream.
    } finally {
      // An engine may give events and no list: what nobody reads would stay open for good.
      stream?.destroy();
    }
    await wait(delay, undefined, { signal, ref: false }).catch(() => {});
    delay = Math.min(delay * 2, backOff.last);
  }
}

function openEvents(engine: Engine, owner: Owner, signal: AbortSignal): Promise<Readable> {
  const filters = { type: ['container' as const], event: Object.keys(kinds), label: ownerFilter(owner) };
  return engine.stream(limits.read, signal, (docker) => docker.getEvents({ filters }));
}

/** What to say at (re)connection: nothing new the first time, everything after a gap. Remembers what is there. */
export function catchUp(known: Map<string, CopyKey>, copies: readonly ActualCopy[], gap: boolean): RuntimeEvent[] {
  const present = new Map(copies.map((copy) => [`${copy.instance} ${copy.copy}`, copy]));
  const gone = [...known].filter(([name]) => !present.has(name)).map(([, key]) => key);
  for (const [name, { instance, copy }] of present) known.set(name, { instance, copy });
  if (!gap) return [];
  return [
    ...gone.map(({ instance, copy }): RuntimeEvent => ({ kind: 'removed', instance, copy })),
    ...copies.map(
      ({ instance, copy, state }): RuntimeEvent => ({ kind: state === 'exited' ? 'ended' : 'started', instance, copy }),
    ),
    // And as it was created?
    ...copies.flatMap(({ instance, copy, state }): RuntimeEvent[] =>
      state === 'running' ? [{ kind: 'changed', instance, copy }] : [],
    ),
  ];
}

async function readEvents(stream: Readable, owner: Owner, emit: (event: RuntimeEvent) => void): Promise<void> {
  let rest = '';
  stream.setEncoding('utf8');
  for await (const chunk of stream) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const event = readEvent(owner, line);
      if (event) emit(event);
    }
  }
}

/** One line of the event stream; undefined for what is not about a copy of ours. */
export function readEvent(owner: Owner, line: string): RuntimeEvent | undefined {
  const message = parse(line);
  const attributes = message?.Actor?.Attributes;
  const kind = kinds[message?.Action?.split(':')[0] ?? ''];
  if (!attributes?.['name'] || !kind) return undefined;
  const owned = ownership(owner, [attributes['name']], attributes);
  if (owned.kind !== 'ours') return undefined;
  const { instance, copy } = owned;
  if (kind === 'signalled' && asksForNoEnd.has(attributes['signal'] ?? '')) return undefined;
  const code = Number(attributes['exitCode'] || Number.NaN);
  return { kind, instance, copy, ...(kind === 'ended' && Number.isInteger(code) && { exitCode: code }) };
}

interface EngineEvent {
  readonly Action?: string;
  readonly Actor?: { readonly Attributes?: Readonly<Record<string, string>> };
}

function parse(line: string): EngineEvent | undefined {
  try {
    return JSON.parse(line) as EngineEvent;
  } catch {
    return undefined;
  }
}
