/** What happens to the world. */
import type { Part } from '../../schemas/assignment.ts';
import type { InformationMessage, InstancesMessage, OnlineMessage } from '../../schemas/messages.ts';
import type { CopyId, InstanceName, NodeId, ServiceName } from '../../schemas/names.ts';
import type { Mono } from '../../schemas/ports.ts';
import type { Hold } from '../../schemas/status.ts';
import type { Action } from './action.ts';
import type { Deviation, Suspend } from './deviations.ts';
import type { Lease } from './leases.ts';
import type { Desired, Listing, Node, NodeRecord, Rollout } from './model.ts';
import type { ScheduleState } from './runs.ts';
import type { Tags } from './tags.ts';

/** What a promised action made of its node's part: all that a control needs. */
export interface Promised {
  readonly node: NodeId;
  readonly before: Part;
  readonly after: Part;
  /** The copy that the action is about; for `start` the one that it made. */
  readonly copy: CopyId;
  /** Of its instance before: where its data was, and the node to which it was to go if it could. */
  readonly home?: NodeId;
  readonly heir?: NodeId;
}

/** What happened; `apply` makes a world of it. */
export type WorldEvent =
  | { readonly kind: 'node'; readonly record: NodeRecord }
  /** Revoked or removed: forgotten, with its copies. */
  | { readonly kind: 'node_forgotten'; readonly node: NodeId }
  /** `heir` took the place of the node: what is missing of it from now on goes there if it can. */
  | { readonly kind: 'heir'; readonly node: NodeId; readonly heir: NodeId }
  /** The machine whose place the node took asks to be let in. */
  | { readonly kind: 'former'; readonly node: NodeId; readonly at: Mono }
  /** Two agents speak for the node; absent: only one of them any more. */
  | { readonly kind: 'duplicate'; readonly node: NodeId; readonly duplicate?: NonNullable<Node['duplicate']> }
  | {
      readonly kind: 'information';
      readonly node: NodeId;
      readonly message: InformationMessage;
      readonly retained: boolean;
      readonly at: Mono;
    }
  | {
      readonly kind: 'instances';
      readonly node: NodeId;
      readonly message: InstancesMessage;
      readonly retained: boolean;
      readonly at: Mono;
    }
  | {
      readonly kind: 'online';
      readonly node: NodeId;
      readonly message: OnlineMessage;
      readonly retained: boolean;
      readonly at: Mono;
    }
  /** A live message of a version of the wire that is not read here. */
  | { readonly kind: 'foreign'; readonly node: NodeId; readonly version: number; readonly at: Mono }
  /** The node's ledger as read from it: becomes its part (never over an already adopted one). */
  | { readonly kind: 'ledger'; readonly node: NodeId; readonly part: Part }
  /** It has a later ledger than the one that was read: what is in it is not known before it is read again. */
  | { readonly kind: 'ledger_moved'; readonly node: NodeId }
  | { readonly kind: 'desired'; readonly service: ServiceName; readonly desired?: Desired }
  | { readonly kind: 'deviation'; readonly service: ServiceName; readonly deviation?: Deviation }
  /** By its subject; absent: it ended. */
  | { readonly kind: 'suspend'; readonly subject: string; readonly suspend?: Suspend; readonly at: Mono }
  | { readonly kind: 'held'; readonly service: ServiceName; readonly hold?: Hold }
  | {
      readonly kind: 'rollout';
      readonly service: ServiceName;
      readonly rollout?: Rollout;
      readonly at: Mono;
      /** As records/ had it when this process began. */
      readonly restored?: true;
    }
  | { readonly kind: 'schedule'; readonly service: ServiceName; readonly state?: ScheduleState }
  /** What is known of its tags; absent: nothing. */
  | { readonly kind: 'tags'; readonly service: ServiceName; readonly tags?: Tags }
  | { readonly kind: 'tombstone'; readonly service: ServiceName; readonly copy?: CopyId }
  | { readonly kind: 'head'; readonly source: string; readonly commit: string }
  | { readonly kind: 'ancestry'; readonly source: string; readonly commit: string; readonly ancestor: boolean }
  | { readonly kind: 'listings'; readonly listings: readonly Listing[]; readonly removed: readonly string[] }
  /** These copies of the service, and no others, are about to be stopped. */
  | { readonly kind: 'noticed'; readonly service: ServiceName; readonly copies: readonly string[]; readonly at: Mono }
  /** An action was decided: it counts as done from now on. Draws the next gen. */
  | { readonly kind: 'promised'; readonly action: Action; readonly at?: Mono }
  /** A plan ended with (or without) holds that a change of the nodes could free, see `waitsForNodes`. */
  | {
      readonly kind: 'waiting';
      readonly service: ServiceName;
      readonly waits: boolean;
      /** Services that it waits for. */
      readonly for?: readonly ServiceName[];
    }
  /** A node's state may have changed with time alone (suspect, lost): plan what is on it. */
  | { readonly kind: 'presence'; readonly node: NodeId }
  /** Nobody was told of it, and nothing came after it: all is as before. */
  | { readonly kind: 'unpromised'; readonly action: Action; readonly promised: Promised }
  /** Where the volumes of an instance are, as records/ has it. */
  | { readonly kind: 'home'; readonly instance: InstanceName; readonly node: NodeId }
  /** Who has the lease of an exclusive service; absent: nobody, and nobody's copy can run. */
  | { readonly kind: 'lease'; readonly service: ServiceName; readonly lease?: Lease }
  /** A node of this cluster spoke, or asked to be let in, that no record knows. */
  | { readonly kind: 'stranger'; readonly node: NodeId; readonly at: Mono }
  | { readonly kind: 'recovered' };
