/** What records say, told to a world that begins: nodes, rollouts, listings and homes. Decisions of people load their own. */
import type { Context } from './context.ts';
import { isMember } from './core/replace.ts';

export function recall(context: Context): void {
  const { deps, keeper } = context;
  const { nodes, rollouts, sources, homes } = keeper.now;
  for (const record of Object.values(nodes)) {
    if (isMember(record)) context.apply({ kind: 'node', record });
    if (record.heir !== undefined) context.apply({ kind: 'heir', node: record.id, heir: record.heir });
  }
  const at = deps.clock.now().mono;
  for (const [service, rollout] of Object.entries(rollouts))
    context.apply({ kind: 'rollout', service, rollout, at, restored: true });
  // What nodes.yaml said last is known before any source is read: labels and cordons do not depend on a remote.
  const listings = deps.sources.flatMap(({ name }) => sources[name]?.listings ?? []);
  if (listings.length > 0) context.apply({ kind: 'listings', listings, removed: [] });
  for (const [instance, node] of Object.entries(homes)) context.apply({ kind: 'home', instance, node });
}
