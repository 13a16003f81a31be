/** The events of a cluster, as the API (api.ts) tells them. */

/** What happened, in order. `seq` counts within one reconciler process; `run` tells processes apart. */
export interface ClusterEvent {
  readonly seq: number;
  readonly run: string;
  /** ms since 1970 on the reconciler's clock. */
  readonly at: number;
  readonly kind: EventKind;
  /** Service, instance, `node/<name>`, `source/<name>`, `token/<id>` or `cluster`. */
  readonly subject: string;
  readonly message: string;
}

/** Where a reader of events is: after this one. A mere number: whatever process counted; `latest`: only what comes. */
export type EventPosition = number | Pick<ClusterEvent, 'run' | 'seq'> | 'latest';

/** What a reader that was cut off says to go on after an event: of an older process, too. */
export function eventId({ run, seq }: Pick<ClusterEvent, 'run' | 'seq'>): `${string}.${number}` {
  return `${run}.${seq}`;
}

/** A position as text: a number, {@link eventId}, or `latest`; undefined for anything else. */
export function parseEventPosition(text: string): EventPosition | undefined {
  if (text === 'latest') return text;
  const [, run, digits] = /^(?:([\w-]{1,64})\.)?(0|[1-9][0-9]{0,14})$/.exec(text) ?? [];
  if (digits === undefined) return undefined;
  return run === undefined ? Number(digits) : { run, seq: Number(digits) };
}

export const eventKinds = [
  'source_accepted',
  'source_refused',
  'source_unreachable',
  'source_recovered',
  'source_pinned',
  'source_unpinned',
  'service_deployed',
  'service_deleted',
  'service_settled',
  'service_failed',
  'service_rolled_back',
  'instance_started',
  'instance_stopped',
  'instance_status',
  'instance_exec',
  'instance_drift',
  'images_loaded',
  'lease_taken',
  'slot_added',
  'slot_moved',
  'slot_dropped',
  'override_added',
  'override_ended',
  'suspended',
  'resumed',
  'service_restarted',
  'service_started',
  'run_started',
  'run_ended',
  'run_skipped',
  'control_sent',
  'control_taken',
  'node_joined',
  'node_online',
  'node_suspect',
  'node_lost',
  'node_returned',
  'node_revoked',
  'node_forgotten',
  'node_removed',
  'node_replaced',
  'node_refused',
  'node_duplicate',
  'node_unique',
  'node_cordoned',
  'node_uncordoned',
  'key_rotated',
  'token_created',
  'token_revoked',
  'user_added',
  'user_changed',
  'user_removed',
  'user_locked',
  'session_reused',
  'registry_login',
  'registry_logout',
  'hold_added',
  'hold_cleared',
  'approved',
  'reconciler_started',
  'reconciler_standby',
  'reconciler_took_over',
  'reconciler_rival',
  'recovered',
  'broker_restarted',
  'events_missed',
] as const;
export type EventKind = (typeof eventKinds)[number];
