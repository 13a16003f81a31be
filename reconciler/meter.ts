import type { EventKind } from '../schemas/cluster-events.ts';

/**
 * What the loop tells of its work while it does it; what merely is, is asked for at each scrape. Costs next to nothing and never
 * throws. Implemented in metrics/.
 */
export interface Meter {
  /** What was dirty is planned, on disk, and on its way to the nodes. */
  reconciled(pass: { readonly ms: number; readonly services: number; readonly actions: number }): void;
  /** The journal was told of something. */
  happened(kind: EventKind): void;
}
