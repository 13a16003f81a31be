/** What a plan rests on and says, as a short text: two plans with one token are the same plan of the same state. */
import { canonicalJson, sha256 } from '../../schemas/digest.ts';
import type { ServiceName } from '../../schemas/names.ts';
import type { Action } from './action.ts';
import { holdKey, passingHolds } from './holds.ts';
import type { View } from './model.ts';
import type { Plan } from './plan.ts';

export type Before = Pick<View, 'heads' | 'desired' | 'copies'>;

/**
 * `<of the accepted commits>.<of what would change, and of what it changes>`. `view`: before the plan, with the services that it changes. What waits for a
 * while in services that the plan leaves alone is not in it.
 */
export function tokenOf(view: Before, { actions, holds }: Plan): string {
  const services = [...new Set(actions.map(({ service }) => service))].sort();
  const state = {
    actions: actions.map(said).sort(),
    holds: holds
      .filter(({ code }) => !passingHolds.has(code))
      .map(holdKey)
      .sort(),
    services: services.map((service) => before(view, service)),
  };
  return `${short([...view.heads].sort())}.${short(state)}`;
}

function short(value: unknown): string {
  return sha256(canonicalJson(value)).slice(0, 16);
}

function said(action: Action): string {
  const what = action.kind === 'start' ? action.digest : action.copy;
  return [action.kind, action.instance, action.node, what].join(' ');
}

function before(view: Before, service: ServiceName): unknown {
  const desired = view.desired.get(service);
  const copies = [...(view.copies.get(service)?.values() ?? [])].map(({ instance, copy, node, job }) =>
    [instance, copy, node, job?.digest, job?.want].join(' '),
  );
  return [service, desired?.spec.digest, desired?.slots, copies.sort()];
}
