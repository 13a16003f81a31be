/**
 * The ports that both the reconciler and the agent stand on. Loops take these as values, so that a test can run
 * the real decisions and the real loops in memory on virtual time. Adapters live in `schemas/io/`, fakes in `test/support/`.
 */

/** Milliseconds on a clock that never jumps. Only differences mean anything; never stored, never sent. */
export type Mono = number & { readonly __brand: 'mono' };

/** Milliseconds since 1970 on this machine's clock. May jump; never compared between machines. */
export type Wall = number & { readonly __brand: 'wall' };

/** One reading of both clocks. Decisions receive it as data. */
export interface Now {
  readonly mono: Mono;
  readonly wall: Wall;
}

/** Time. `after` never fires early and never fires once cancelled; callbacks run in order of due time. */
export interface Clock {
  now(): Now;
  /** Calls `run` once, `ms` milliseconds from now. Returns a function that cancels it (idempotent). */
  after(ms: number, run: () => void): () => void;
}

/** Randomness: cryptographic in production, seeded in tests. */
export interface Random {
  /** Uniform in [0, 1). */
  number(): number;
  /** `bytes` random bytes. */
  bytes(bytes: number): Uint8Array;
}

/** A message as the broker delivers it. `retained` is the retain flag of the delivery: content, never freshness. */
export interface BusMessage {
  readonly topic: string;
  readonly payload: string;
  readonly retained: boolean;
}

/** What the broker publishes for us when our connection dies. */
export interface Will {
  readonly topic: string;
  readonly payload: string;
}

export interface BusHandlers {
  /** The connection stands and the subscriptions are active. Called again after every reconnect. */
  connected(): void;
  /** The connection is gone; the adapter reconnects by itself with back-off. */
  disconnected(reason: string): void;
  message(message: BusMessage): void;
}

export interface BusOptions {
  /** Topic filters, subscribed at every connect before `connected` is called. */
  readonly subscribe: readonly { readonly filter: string; readonly qos: 0 | 1 }[];
  /** A function is asked at every connect. */
  readonly will?: Will | (() => Will);
}

/** MQTT 3.1.1 as oakctl uses it. Publishing while disconnected drops the message: owners republish at `connected`. */
export interface Bus {
  /** Starts connecting and keeps the connection until `close`. Call once. */
  open(options: BusOptions, handlers: BusHandlers): void;
  /** Fire and forget: QoS 1 is retried by the adapter within one connection; an empty payload clears a retained row. */
  publish(topic: string, payload: string, options: { readonly qos: 0 | 1; readonly retain: boolean }): void;
  /** QoS 1 messages that the broker has not acknowledged; 0 while disconnected. Who has much to say waits for it to fall. */
  pending(): number;
  /** Publishes `last` (if any), then disconnects cleanly so that the will is not sent. */
  close(last?: { readonly topic: string; readonly payload: string }): Promise<void>;
}

/**
 * Durable files. `write` returns only when the content survives a power cut (unique temporary file, fsync of file and
 * folder, checksum, previous version kept). `read` falls back to the previous version when the current one is torn.
 */
export interface Files {
  /** Content last written under `name`; undefined when never written. Throws ProblemError FILE_DAMAGED when no version is whole. */
  read(name: string): Promise<string | undefined>;
  write(name: string, content: string): Promise<void>;
  remove(name: string): Promise<void>;
  /** Names written and not removed, sorted. */
  list(): Promise<readonly string[]>;
}
