/** From a verdict on a revision to what the world is told. Only what changed is told: the cost follows the change. */
import { canonicalJson } from '../../schemas/digest.ts';
import type { ServiceName } from '../../schemas/names.ts';
import type { Wall } from '../../schemas/ports.ts';
import type { ServiceSpec } from '../../schemas/spec.ts';
import type { Admission } from './admit.ts';
import type { Desired, Listing, View } from './model.ts';
import { isSameSealed, withFormer } from './sealed.ts';
import type { SnapshotService } from './snapshot.ts';
import type { WorldEvent } from './world-event.ts';

/** How long what a source removed is only stopped, ms: time to notice, and to bring it back without a pull. */
export const retirement = 600_000;

/**
 * Events that make the world want what `verdict` accepted. `previouslyHeld`: names that the last verdict of this source held.
 * `listings`: the entries of all sources.
 */
export function verdictEvents(
  view: View,
  revision: { readonly source: string; readonly commit: string },
  verdict: Admission,
  beside: {
    readonly previouslyHeld: ReadonlySet<ServiceName>;
    readonly listings: readonly Listing[];
    readonly now: Wall;
  },
): WorldEvent[] {
  const { source, commit } = revision;
  const events: WorldEvent[] = [{ kind: 'head', source, commit }];
  for (const name of beside.previouslyHeld) if (!verdict.held.has(name)) events.push({ kind: 'held', service: name });
  for (const [name, hold] of verdict.held) events.push({ kind: 'held', service: name, hold });
  for (const [name, service] of verdict.services) {
    const old = view.desired.get(name);
    const isThere = old?.origin?.file === service.file && old.origin.line === service.line;
    const same = old?.source.name === source && isThere && isSame(old.spec, service.spec);
    if (same && !old.retired && isSameSealed(old.sealed, service.sealed)) continue;
    const sealed = withFormer(service.sealed, old?.sealed, view.rollouts.get(name)?.good?.run);
    events.push({ kind: 'desired', service: name, desired: desiredOf({ ...service, sealed }, revision) });
  }
  for (const [name, desired] of view.desired) {
    const gone = desired.source.name === source && !verdict.services.has(name) && !verdict.held.has(name);
    if (!gone || desired.retired) continue;
    const retired = { commit, since: beside.now, until: (beside.now + retirement) as Wall };
    events.push({ kind: 'desired', service: name, desired: { ...desired, retired } });
  }
  events.push({ kind: 'listings', listings: beside.listings, removed: verdict.removedListings });
  return events;
}

function desiredOf(
  { spec, file, line, sealed = [] }: SnapshotService,
  { source, commit }: { readonly source: string; readonly commit: string },
): Desired {
  return {
    spec,
    source: { name: source, commit },
    origin: { file, line },
    ...(sealed.length > 0 && { sealed }),
    slots: spec.replicas === 'every' ? [] : Array.from({ length: spec.replicas }, (_, slot) => slot),
  };
}

/** Of a file that did not change it is the very same. */
function isSame(old: ServiceSpec, now: ServiceSpec): boolean {
  return old === now || canonicalJson(old) === canonicalJson(now);
}
