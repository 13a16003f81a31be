/** What people ask for beside the sources: cordons, places of slots, restarts, overrides. As data, kept in the records. */
import type { CopyId, InstanceName, NodeId, ServiceName } from '../../schemas/names.ts';
import type { Wall } from '../../schemas/ports.ts';
import type { Command } from '../../schemas/seed.ts';

/** Slot (as a text: records are JSON) -> where it was told to be. */
export type Seats = Readonly<Record<string, Seat>>;

/** The place of one slot: asked for once (a move, a replica), or for as long as the slot is. */
export interface Seat {
  /** Absent: anywhere. */
  readonly to?: NodeId;
  /** It belongs there, and waits for that node. Absent: it goes there once, and is free again when it is healthy there. */
  readonly keep?: true;
  /** What was asked for and is under way. */
  readonly command?: Exclude<Command, 'delete'>;
  /** Where a move came from: it goes back there if it fails. */
  readonly origin?: NodeId;
  /** The instance that it is a replica of. */
  readonly from?: InstanceName;
}

/** No new copies here. */
export interface Cordon {
  /** For people: who, or what. */
  readonly cause: string;
  readonly actor?: string;
  readonly reason?: string;
  readonly since?: Wall;
  /** Its copies move elsewhere, but for the instances in `stays`: what was tried for them failed. */
  readonly drain?: { readonly stays: Readonly<Record<InstanceName, Stay>> };
}

/** An instance that could not move: it stays until another digest is wanted, or the node is drained again. */
export interface Stay {
  readonly digest: string;
  readonly reason: string;
}

/** A move away from a node that came to nothing. */
export interface StuckMove extends Stay {
  readonly instance: InstanceName;
  readonly node: NodeId;
}

/**
 * Somebody wants a thing left alone for a time. `subject`: `cluster`, an application (`app.appns`), the full name of a service, or
 * `node/<id>`.
 */
export interface Suspend {
  readonly subject: string;
  readonly actor: string;
  readonly reason?: string;
  readonly since: Wall;
  readonly until: Wall;
}

/** A visible, mostly time-limited deviation from what the source of a service says. */
export interface Override {
  readonly id: string;
  readonly service: ServiceName;
  readonly change: OverrideChange;
  readonly actor: string;
  readonly reason?: string;
  readonly since: Wall;
  /** Absent: until somebody ends it (only what was deployed directly). */
  readonly until?: Wall;
  /** Hash of the document that it deviates from: it ends when that changes. */
  readonly base: string;
  /** The last commit that said this document. Read otherwise by another version of oakctl, it says the same. */
  readonly commit?: string;
}

export type OverrideChange =
  /** Other slots than the source says; `seats`: places of those that were added. */
  | { readonly kind: 'scale'; readonly slots: readonly number[]; readonly counter: number; readonly seats?: Seats }
  | { readonly kind: 'move'; readonly slot: number; readonly seat: Seat }
  /** Nothing runs; everything stays where it is. */
  | { readonly kind: 'stop' }
  /** It runs although its source removed it. */
  | { readonly kind: 'undelete' };

/**
 * Its source removed a service at this commit: it is stopped, and removed once its time is over. Without `until` that time does not
 * run: somebody brought it back, or suspended it.
 */
export interface Retired {
  readonly commit: string;
  readonly since: Wall;
  readonly until?: Wall;
}

/** An override whose change is of this kind. */
export type OverrideOf<K extends OverrideChange['kind']> = Override & {
  readonly change: Extract<OverrideChange, { kind: K }>;
};

/** Slot (as a text) -> copies up to this id are to be replaced, though nothing about them changed: a restart. */
export type Renewals = Readonly<Record<string, CopyId>>;

/** Everything that people asked of one service. */
export interface Deviation {
  readonly overrides: readonly Override[];
  readonly renew: Renewals;
}
