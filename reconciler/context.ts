/** What the parts of the reconciler's loop share. One value, made in loop.ts; the world changes only through `apply`. */

import type { Endpoint } from '../schemas/endpoints.ts';
import type { Log } from '../schemas/io/log.ts';
import type { JoinAnswer } from '../schemas/joining.ts';
import type { Bus, Clock, Files, Random } from '../schemas/ports.ts';
import type { Problem } from '../schemas/problem.ts';
import type { ClusterSettings } from '../schemas/settings.ts';
import type { SignerSettings } from '../schemas/settings-source.ts';
import type { ServicePlan } from './core/action.ts';
import type { Policy, World } from './core/model.ts';
import type { WorldEvent } from './core/world-event.ts';
import type { Lists } from './endpoints.ts';
import type { Journal } from './journal.ts';
import type { Meter } from './meter.ts';
import type { Git, Keys, RecordsStore, Streams } from './ports.ts';
import type { RecordsKeeper } from './records-keeper.ts';
import type { RegistryDesk } from './registries.ts';
import type { Peers } from './rivals.ts';

/** A git source as configured, with its mirror. */
export interface Source {
  readonly name: string;
  readonly url: string;
  readonly branch: string;
  readonly path: string;
  /** ms between two looks at the remote. */
  readonly poll: number;
  readonly git: Git;
  readonly signers?: SignerSettings;
  /** A commit is carried out whole, or not at all. */
  readonly strict?: true;
  /** The same for all sources that read one repository: they are polled together. Absent: it is alone. */
  readonly repository?: string;
}

/** The credentials that the broker checks; an external broker gets a file instead. */
export interface BrokerAccess {
  /** The least valid serial of every node that may connect. */
  setNodes(nodes: readonly { readonly id: string; readonly serial: number }[]): void;
  /** Cuts a node's connection now. */
  disconnect(node: string): void;
}

export interface ReconcilerDeps {
  readonly settings: ClusterSettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly bus: Bus;
  /** The broker is not our own, so that other reconcilers may be there. Absent: it is. */
  readonly shared?: {
    readonly broker: string;
    /** Who we are there. */
    readonly user: string;
    /** Of our API, for people. */
    readonly url: () => string;
  };
  readonly keys: Keys;
  readonly records: RecordsStore;
  /** state/: may be empty at any time. */
  readonly state: Files;
  readonly sources: readonly Source[];
  readonly streams: Streams;
  /** Logins and mirrors. Absent: none are known, and no registry is asked. */
  readonly registries?: RegistryDesk;
  readonly broker: BrokerAccess;
  /** Where agents find the broker. */
  readonly mqtt: Omit<JoinAnswer['mqtt'], 'username' | 'password'>;
  /** Where else the cluster can be reached, and from where it is reached here. Absent: nobody is told. */
  readonly endpoints?: () => readonly Endpoint[];
  /** Other reconcilers may be there. Absent: nobody is asked. */
  readonly peers?: Peers;
  /** The pin of the authority that agents are to trust; join tokens carry it. Absent: no TLS, or a public authority. */
  readonly authority?: () => string | undefined;
  /** The first account has another password than the one that was made for it. */
  readonly onFirstPassword?: () => void;
  /** Conditions of the process beside those of sources: certificates, exposure. */
  readonly conditions?: () => readonly Problem[];
  /** Lets others have a turn in the middle of long work. Absent: nobody else is there. */
  readonly pause?: () => Promise<void>;
  readonly log: Log;
  /** Absent: nobody counts. */
  readonly meter?: Meter;
  /** A rival speaks for this cluster, or another reason to end the process. */
  readonly fatal: (error: Error) => void;
}

export interface Context {
  readonly deps: ReconcilerDeps;
  readonly world: World;
  readonly keeper: RecordsKeeper;
  readonly journal: Journal;
  /** The last plan of every service, for views. */
  readonly plans: Map<string, ServicePlan>;
  policy(): Policy;
  /** The list that agents are given, signed; undefined: there is nothing to tell them. */
  readonly endpoints: Lists;
  /** Applies an event to the world and makes sure that what it dirtied is planned. */
  apply(event: WorldEvent): void;
}
