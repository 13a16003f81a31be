/** What a placement filter is. */
import type { HoldCode } from '../../schemas/status.ts';
import type { Candidate, Wish } from './candidates.ts';
import type { Scene } from './scene.ts';

export interface Filter {
  readonly name: string;
  readonly code: HoldCode;
  readonly admits: (candidate: Candidate, wish: Wish, scene: Scene) => boolean;
  /** Half a sentence about the nodes that it turned away, with the numbers. */
  readonly explain: (refused: readonly Candidate[], wish: Wish, scene: Scene) => string;
}
