/** Overrides as people see them. */

import { instanceName, type ServiceName } from '../../schemas/names.ts';
import type { OverrideView } from '../../schemas/views.ts';
import type { Override, Seat } from './deviations.ts';
import type { View } from './model.ts';
import { optional } from './view-input.ts';

type Known = Pick<View, 'deviations' | 'nodes'>;

/** The oldest first. */
export function overrideViews(view: Known, service: ServiceName): readonly OverrideView[] {
  return (view.deviations.get(service)?.overrides ?? []).map((override) => overrideView(view, override));
}

export function overrideView(view: Known, override: Override): OverrideView {
  const { id, service, change, actor, reason, since, until } = override;
  return {
    id,
    subject: change.kind === 'move' ? instanceName(service, change.slot) : service,
    kind: change.kind,
    change: changeText(view, override),
    ...(change.kind === 'scale' ? { replicas: change.slots.length } : {}),
    ...(change.kind === 'move' ? optional('node', nodeOf(view, change.seat)) : {}),
    actor,
    ...optional('reason', reason),
    since,
    ...optional('until', until),
  };
}

function changeText(view: Known, { change }: Override): string {
  if (change.kind === 'stop') return 'stopped';
  if (change.kind === 'undelete') return 'runs, though its source removed it';
  if (change.kind === 'scale') return `${change.slots.length} instances`;
  return `on ${nodeOf(view, change.seat) ?? 'any node'}`;
}

/** By its name; by its id if it is forgotten. */
function nodeOf(view: Known, { to }: Seat): string | undefined {
  return to === undefined ? undefined : (view.nodes.get(to)?.record.name ?? to);
}
