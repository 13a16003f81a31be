/**
 * Who is to be told, at the pace of the broker: what was decided goes before what is only repeated, and neither fills the
 * connection. Thousands of messages at once would keep a new decision waiting behind them, and look like a broker that does not read.
 */
import type { NodeId } from '../schemas/names.ts';
import type { Bus, Clock } from '../schemas/ports.ts';

export interface Outbox {
  /** The node gets these messages in order, then its assignment. */
  decided(node: NodeId, controls: readonly string[]): void;
  /** The node gets its assignment when nothing was decided for others. */
  repeated(node: NodeId): void;
  /** Nodes that have not been told yet. */
  waiting(): number;
  stop(): void;
}

/** Unacknowledged messages with which the next node still gets its own. */
const mostPending = 200;
const lookAgain = 10;

/** `tell` publishes the controls, and the assignment as it stands then. */
export function createOutbox(
  { bus, clock }: { readonly bus: Pick<Bus, 'pending'>; readonly clock: Pick<Clock, 'after'> },
  tell: (node: NodeId, controls: readonly string[]) => void,
): Outbox {
  const urgent = new Map<NodeId, readonly string[]>();
  const later = new Set<NodeId>();
  let cancel: (() => void) | undefined;

  const next = (): readonly [NodeId, readonly string[]] | undefined => {
    for (const entry of urgent) return entry;
    for (const node of later) return [node, []];
    return undefined;
  };
  const pump = (): void => {
    cancel = undefined;
    for (let due = next(); due; due = next()) {
      if (bus.pending() >= mostPending) {
        cancel = clock.after(lookAgain, pump);
        return;
      }
      const [node, controls] = due;
      urgent.delete(node);
      later.delete(node);
      tell(node, controls);
    }
  };
  const wake = (): void => {
    if (!cancel) pump();
  };

  return {
    decided(node, controls) {
      urgent.set(node, [...(urgent.get(node) ?? []), ...controls]);
      wake();
    },
    repeated(node) {
      later.add(node);
      wake();
    },
    waiting: () => urgent.size + later.size,
    stop() {
      cancel?.();
      urgent.clear();
      later.clear();
    },
  };
}
