/** Ctrl-C of what takes down by itself all that it made: people press it more than once, and nothing should be left half done for that. */
import type { EventEmitter } from 'node:events';

/** Aborts at the first SIGINT or SIGTERM that `process` gets. Of `further` the second one calls the first, and so on. */
export function interruptsOf(process: Pick<EventEmitter, 'on'>, further: readonly (() => void)[]): AbortSignal {
  const abort = new AbortController();
  const calls = [() => abort.abort(new Error('interrupted')), ...further].values();
  for (const name of ['SIGINT', 'SIGTERM']) process.on(name, () => calls.next().value?.());
  return abort.signal;
}
