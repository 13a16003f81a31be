/** What views are made of, and the words that they share. */
import type { Now } from '../../schemas/ports.ts';
import type { Problem } from '../../schemas/problem.ts';
import type { ServicePlan } from './action.ts';
import type { Policy, Rollout, View } from './model.ts';
import type { Records } from './records.ts';

/** The reconciler at one moment. */
export interface ViewInput {
  readonly view: View;
  /** The last plan of every service. */
  readonly plans: ReadonlyMap<string, ServicePlan>;
  readonly policy: Policy;
  readonly now: Now;
  /** Of interest: the nodes that were revoked, and when something was deployed directly. */
  readonly records: Pick<Records, 'nodes'> & Partial<Pick<Records, 'direct'>>;
  /** Nodes that speak of another reconciler, without a proof of it. */
  readonly unproven?: ReadonlyMap<string, Problem>;
}

/** The rollout of a service as it stands. */
export function rolloutOf(input: ViewInput, service: string): Rollout | undefined {
  return input.plans.get(service)?.rollout ?? input.view.rollouts.get(service);
}

/** Name of a node for people; the id while it is unknown. */
export function nodeName(input: ViewInput, id: string): string {
  return input.view.nodes.get(id)?.record.name ?? id;
}

/** `850 ms`, `12 s`, `3 min`, `5 h`, `2 d`: one number, rounded down. */
export function formatAge(ms: number): string {
  const units = [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'min'],
    [1_000, 's'],
  ] as const;
  const [size, unit] = units.find(([length]) => ms >= length) ?? [1, 'ms'];
  return `${Math.floor(Math.max(ms, 0) / size)} ${unit}`;
}

/** An object with this member, or an empty one when there is no value. */
export function optional<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return (value === undefined ? nothing : { [key]: value }) as { readonly [P in K]?: V };
}

const nothing = {};
