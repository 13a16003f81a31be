/** What the reconciler's loop needs from the world, declared by the loop, implemented at the rim. */
import type { ExecConnection } from '../schemas/exec.ts';
import type { NodeId } from '../schemas/names.ts';
import { type Problem, ProblemError } from '../schemas/problem.ts';
import type { Records } from './core/records.ts';
import type { Keyring } from './keys/keyring.ts';

/** One file of a commit, by object id. */
export interface TreeEntry {
  readonly path: string;
  readonly blob: string;
  readonly mode: string;
  readonly size: number;
}

/** The remote is there and refuses: it is asked less and less often, and not before `rest` ms are over. */
export class RemoteRefusal extends ProblemError {
  readonly rest: number;

  constructor(problem: Problem, rest: number) {
    super(problem);
    this.rest = rest;
  }
}

/** A git source: a bare mirror read by object id. All errors are ProblemErrors of codes SOURCE_*. */
export interface Git {
  /** Asks the remote for the head of the branch (or tag, or commit): one request when nothing changed. */
  head(signal: AbortSignal): Promise<string>;
  /** Makes the objects of `commit` available in the mirror. Heals a damaged mirror by cloning anew. */
  fetch(commit: string, signal: AbortSignal): Promise<void>;
  /** Files below `path`, sorted. SOURCE_REF_MISSING when the path is not in the commit. */
  tree(commit: string, path: string, signal: AbortSignal): Promise<readonly TreeEntry[]>;
  /** Texts by blob id, of the commit that was read last. */
  blobs(ids: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, string>>;
  /** As `blobs`, of commits before it: those that are gone here and at the remote, with their history, are left out. */
  oldBlobs(ids: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, string>>;
  /** undefined when that cannot be told. May ask the remote for older commits. */
  isAncestor(commit: string, of: string, signal: AbortSignal): Promise<boolean | undefined>;
  /** Who wrote a commit and its first line. */
  describe(commit: string, signal: AbortSignal): Promise<{ readonly author: string; readonly subject: string }>;
  /** Values of a trailer in the messages of `commit` and of what leads to it from `since`, which is in its history as `isAncestor` said; the newest first. What is not in the mirror says nothing. */
  trailers(key: string, since: string, commit: string, signal: AbortSignal): Promise<readonly string[]>;
  /**
   * Commits that no key of the file `signers` signed, of `commit` alone, or with `since` of all that lead from there to it: the first few. undefined: that
   * cannot be told. Throws what is wrong with the file.
   */
  unsigned(
    signers: string,
    commit: string,
    since: string | undefined,
    signal: AbortSignal,
  ): Promise<readonly string[] | undefined>;
  /** Calls back when a local remote changed. A no-op for remote URLs. Returns how to stop. */
  watch(changed: () => void): () => void;
}

/** Streams that agents open to us when asked (logs, ledger). */
export interface Streams {
  /** A new stream id under which `node` may connect, and the text that arrives. Ends when the agent ends it or on abort. */
  expect(node: NodeId, signal: AbortSignal): { readonly id: string; readonly chunks: AsyncIterable<string> };
  /** As `expect`, for a session with both directions. Absent where there are none. */
  session?(node: NodeId, signal: AbortSignal): { readonly id: string; readonly opened: Promise<ExecConnection> };
}

/** records/: loaded once, saved whole. `save` returns after the fsync; calls are applied in order. */
export interface RecordsStore {
  load(): Promise<Records>;
  save(records: Records): Promise<void>;
}

/** Keys of the cluster: the first ones come from the master key (HKDF), later ones from rotations. */
export interface Keys extends Keyring {
  /** Since when there is a master key, wall time. */
  readonly begun: number;
  /** 32 bytes for one purpose, derived from the master key; another purpose gives nothing away of it. */
  secretFor(purpose: string): Uint8Array;
  /** MQTT password of a node: `<serial>.<mac>`. */
  credential(node: NodeId, serial: number): string;
  /** The serial of a password that was made for this node; undefined for any other text. */
  verifyCredential(node: NodeId, password: string): number | undefined;
}
