/** What tests of plans read from a fleet. */
import { planAll } from '../../../../reconciler/core/plan.ts';
import { apply } from '../../../../reconciler/core/world.ts';
import { at } from '../../../support/builders.ts';
import type { Fleet } from '../../../support/fleet.ts';

const web = 'shop.default.web.default';

/** `instance/want` of every job of the service, with its node. */
export function jobs(fleet: Fleet): string[] {
  return [...(fleet.world.copies.get(web)?.values() ?? [])]
    .flatMap(({ instance, job, node }) =>
      job ? [`${instance.slice(-1)} ${job.want} ${codeOf(fleet, node, job.digest)} ${node}`] : [],
    )
    .sort();
}

export function codeOf(fleet: Fleet, node: string, digest: string): string {
  return fleet.world.nodes.get(node)?.part.documents[digest]?.code ?? '';
}

export const codes = (fleet: Fleet): string[] =>
  planAll(fleet.world, fleet.policy, at(fleet.now())).holds.map((hold) => `${hold.code} ${hold.subject.slice(-1)}`);

/** The source moves on to a commit without the service. */
export function unwant(fleet: Fleet): void {
  apply(fleet.world, { kind: 'desired', service: web });
  apply(fleet.world, { kind: 'head', source: 'main', commit: 'c2' });
  apply(fleet.world, { kind: 'ancestry', source: 'main', commit: 'c1', ancestor: true });
}
