/** How what a plan starts came to its nodes: the scores that the choice rests on, and who else could have taken it. */
import type { Now } from '../../schemas/ports.ts';
import type { PlacementView } from '../../schemas/views.ts';
import type { Action } from './action.ts';
import type { Policy } from './model.ts';
import { createPlacer } from './place.ts';
import type { Planned } from './plan.ts';
import { wantedOf } from './wanted.ts';

export interface Placements {
  /** To be called by the fold of the plans. */
  readonly planned: Planned;
  of(action: Action): PlacementView | undefined;
}

/** All nodes are looked at again for as many starts as this allows: a plan must not hold up the loop. Then only the score is said. */
const mostLooks = 30_000;

export function createPlacements(policy: Policy, now: Now): Placements {
  const found = new Map<Action, PlacementView>();
  let looks = mostLooks;
  return {
    of: (action) => found.get(action),
    planned(view, service, { actions }) {
      const { spec, sealed } = wantedOf(view, service) ?? {};
      const placer = createPlacer(view, service, policy, now);
      for (const action of actions) {
        if (action.kind !== 'start' || !spec || !view.nodes.has(action.node)) continue;
        const { instance, run, digest, node } = action;
        const request = { instance, run, digest, placement: spec.placement, needs: spec.needs, sealed };
        looks -= view.nodes.size;
        found.set(action, placer.consider(request, node, looks >= 0));
      }
    },
  };
}
