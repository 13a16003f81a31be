/** Where copies of a service failed lately: other nodes are tried first. A memory of this process, and a short one. */
import type { CopyReport } from '../../schemas/messages.ts';
import { type NodeId, parseInstanceName, type ServiceName } from '../../schemas/names.ts';
import type { Mono } from '../../schemas/ports.ts';
import { copyKey } from './copy-index.ts';
import type { Failure, View, World } from './model.ts';

/** A failure counts for as many ms. */
const memory = 10 * 60_000;
/** Nodes that are remembered per service. */
const mostNodes = 16;
/** More failures are no worse. */
const mostTimes = 3;
const failed: ReadonlySet<string> = new Set(['failed', 'crash_loop']);

/** Remembers the copies in a report that failed since the report before. To be called before the report is merged. */
export function noteFailures(world: World, node: NodeId, reports: readonly CopyReport[], at: Mono): void {
  for (const report of reports) {
    if (!failed.has(report.status)) continue;
    const service = parseInstanceName(report.instance)?.service;
    if (service === undefined) continue;
    const known = world.copies.get(service)?.get(copyKey(report.instance, report.copy));
    const before = known?.report?.status;
    if (known?.node === node && !failed.has(before ?? '')) note(world, service, node, at);
  }
}

function note(world: World, service: ServiceName, node: NodeId, at: Mono): void {
  const recent = [...(world.failures.get(service) ?? [])].filter(([, failure]) => at - failure.at < memory);
  const times = (recent.find(([id]) => id === node)?.[1].times ?? 0) + 1;
  const others = recent.filter(([id]) => id !== node).slice(1 - mostNodes);
  world.failures.set(service, new Map([...others, [node, { times, at } satisfies Failure]]));
}

/** Nothing that failed on this node counts any more. */
export function forgetFailures(world: World, node: NodeId): void {
  for (const [service, nodes] of world.failures) {
    if (!nodes.has(node)) continue;
    const rest = new Map([...nodes].filter(([id]) => id !== node));
    if (rest.size > 0) world.failures.set(service, rest);
    else world.failures.delete(service);
  }
}

/** Nodes that are worse for the service than they look, each by how many instances. */
export function penaltiesOf(view: View, service: ServiceName, now: Mono): ReadonlyMap<NodeId, number> {
  const recent = [...(view.failures.get(service) ?? [])].filter(([, failure]) => now - failure.at < memory);
  return new Map(recent.map(([id, { times }]) => [id, Math.min(times, mostTimes)]));
}
