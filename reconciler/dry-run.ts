/** `plan`: the real planner on a copy of the world that was told what would be. Nothing is published, nothing is recorded. */

import type { PlanRequest } from '../schemas/api.ts';
import { sha256 } from '../schemas/digest.ts';
import type { ServiceName } from '../schemas/names.ts';
import { ProblemError, problem } from '../schemas/problem.ts';
import { selectPaths } from '../schemas/selection.ts';
import { directSource } from '../schemas/spec.ts';
import type { Hold } from '../schemas/status.ts';
import type { PlacementView, PlanChange, PlanView } from '../schemas/views.ts';
import type { Action } from './core/action.ts';
import { admit } from './core/admit.ts';
import { strictHold } from './core/head-holds.ts';
import type { Listing, World } from './core/model.ts';
import { createPlacements } from './core/placements.ts';
import { foldSteps } from './core/plan.ts';
import { seatsFor } from './core/seats.ts';
import { composeSnapshot, type ReadFile, readFile } from './core/snapshot.ts';
import { atOnce, type Steps } from './core/steps.ts';
import { tokenOf } from './core/token.ts';
import { verdictEvents } from './core/verdict.ts';
import { ancestryKey, apply, cloneWorld } from './core/world.ts';
import { orphanSlots, resize } from './direct.ts';
import type { Planning } from './planning.ts';
import { readDescriptors } from './read-descriptors.ts';
import { sourceNamed } from './source-named.ts';

/** Will happen, one after the other: for a plan that is a change, not a hold. */
const queued = 'UPDATE_QUEUED';
/** Was decided before: nothing of it is new. */
const retired = 'REMOVED_BY_GIT';
/** What a plan calls the revision that a working copy would be. */
const revision = 'working copy';

/**
 * What would happen: with `documents` as if deployed directly, or (`asSource`) as if they were the whole source. ProblemErrors: what
 * is wrong with the documents, OWNED_BY_GIT, and those of {@link sourceNamed}. `counts`: whose instances are counted as settled.
 */
export function planOf(planning: Planning, request: PlanRequest, counts?: (service: ServiceName) => boolean): PlanView {
  return atOnce(planSteps(planning, request, counts));
}

/** As {@link planOf}, in steps. All of the world that it rests on is copied with the first one: what comes later is not in the plan. */
export function* planSteps(
  planning: Planning,
  request: PlanRequest,
  counts: (service: ServiceName) => boolean = () => true,
): Steps<PlanView> {
  const { schedules, heads, desired } = planning.world;
  const copies: World['copies'] = new Map();
  const before = { schedules: new Map(schedules), heads: new Map(heads), desired: new Map(desired), copies };
  const world = cloneWorld(planning.world);
  yield;
  const told = yield* request.asSource ? tellAsSource(planning, world, request) : tellDirect(planning, world, request);
  const policy = { ...planning.policy, isDryRun: true as const };
  const placements = createPlacements(policy, planning.now);
  const plan = yield* foldSteps(world, policy, planning.now, (view, service, made) => {
    // Nobody but its own plan changes the copies of a service: these are as they were.
    if (made.actions.length > 0) copies.set(service, new Map(view.copies.get(service)));
    placements.planned(view, service, made);
  });
  const later = plan.holds.filter((hold) => hold.code === queued);
  const changes: PlanChange[] = [];
  for (const action of plan.actions) {
    const change = changeOf({ nodes: world.nodes, copies }, action, placements.of(action));
    if (change) changes.push(change);
    yield;
  }
  const begun = new Set(changes.map(({ subject }) => subject));
  // That a job waits for its schedule is worth a line when the schedule is new.
  const isKnown = (name: string): boolean =>
    before.schedules.get(name)?.rule === plan.services.get(name)?.schedule?.rule;
  const held = plan.holds.filter(
    ({ code, subject }) =>
      code !== queued &&
      code !== retired &&
      !(code === 'IN_PROGRESS' && begun.has(subject)) &&
      !(code === 'SCHEDULED' && isKnown(subject)),
  );
  yield;
  return {
    changes: [
      ...told.changes,
      ...changes,
      ...later.map(({ subject, message }): PlanChange => ({ action: 'replace', subject, detail: message })),
    ],
    holds: distinct([...told.holds, ...held]),
    settled: [...plan.services].reduce((sum, [name, { settled }]) => sum + (counts(name) ? settled : 0), 0),
    problems: told.problems,
    token: tokenOf(before, plan),
  };
}

/** One hold that keeps several services is one. */
function distinct(holds: readonly Hold[]): Hold[] {
  return [...new Map(holds.map((hold) => [`${hold.code} ${hold.subject} ${hold.message}`, hold])).values()];
}

type Told = Pick<PlanView, 'changes' | 'holds' | 'problems'>;

function* tellDirect({ limits, labels, direct }: Planning, world: World, request: PlanRequest): Steps<Told> {
  if (!request.documents) return { changes: [], holds: [], problems: [] };
  const options = { limits, cluster: world.cluster, ...(labels && { labels }) };
  const { services, warnings } = readDescriptors(request.documents, options);
  for (const { spec, sealed } of services) {
    const old = direct[spec.name];
    const known = world.desired.get(spec.name);
    const owner = known?.retired ? undefined : known?.source.name;
    if (owner !== undefined && owner !== directSource) {
      const hint = 'change it there and push, or: oakctl deploy --commit';
      throw new ProblemError(problem('OWNED_BY_GIT', `git owns it: source ${owner}`, { subject: spec.name, hint }));
    }
    const { slots } = resize(old ?? orphanSlots(world, spec.name), spec.replicas);
    const seats = seatsFor(old?.seats, slots);
    const desired = { spec, source: { name: directSource }, slots, ...seats, ...(sealed && { sealed }) };
    apply(world, { kind: 'desired', service: spec.name, desired });
    yield;
  }
  return { changes: [], holds: [], problems: warnings };
}

function* tellAsSource(
  { limits, labels, policy, sources, now: at }: Planning,
  world: World,
  request: PlanRequest,
): Steps<Told> {
  const source = sourceNamed(sources, request.source);
  const { name, previous, before } = source;
  const where = { cluster: world.cluster, path: source.path, limits, ...(labels && { labels }) };
  const documents = request.documents ?? [];
  const files = documents.map(({ file, text, files: taken }) => ({
    path: file,
    text,
    blob: sha256(text),
    mode: '100644',
    ...(taken && { files: taken }),
  }));
  const now: ReadFile[] = [];
  for (const file of selectPaths(files, where)) {
    now.push({ path: file.path, blob: file.blob, reading: readFile(file, where) });
    yield;
  }
  const snapshot = composeSnapshot({ source: name, commit: revision, previous, now, before });
  const verdict = admit(previous, snapshot, {
    guard: policy.guard,
    approvals: new Set(source.approvals),
    owners: new Map(Object.entries(source.owners)),
  });
  const strict = source.strict && strictHold(snapshot, verdict.holds);
  if (strict) return { changes: [], holds: [strict, ...verdict.holds], problems: snapshot.problems };
  const listings = [...source.listingsBeside, ...verdict.listings];
  const listed = world.listed.byName;
  const events = verdictEvents(world, { source: name, commit: revision }, verdict, {
    previouslyHeld: new Set(source.held),
    listings,
    now: at.wall,
  });
  for (const event of events) {
    // Of what leaves, a plan says what becomes of it in the end.
    const isLeaving = event.kind === 'desired' && event.desired?.retired !== undefined;
    apply(world, isLeaving ? { kind: 'desired', service: event.service } : event);
    yield;
  }
  // The working copy is taken for a child of what was accepted: what it leaves out may go.
  for (const copies of world.copies.values()) {
    for (const { job } of copies.values())
      if (job?.source.name === name) world.ancestry.set(ancestryKey(job.source), true);
  }
  const holds: readonly Hold[] = verdict.holds.filter((hold) => hold.subject.startsWith('source/'));
  return { changes: nodeChanges(listed, world.listed.byName), holds, problems: snapshot.problems };
}

function nodeChanges(before: ReadonlyMap<string, Listing>, after: ReadonlyMap<string, Listing>): PlanChange[] {
  const line = (name: string, detail: string): PlanChange => ({ action: 'node', subject: `node/${name}`, detail });
  const changes: PlanChange[] = [];
  for (const [name, listing] of after) {
    const old = before.get(name);
    if (!old) changes.push(line(name, 'a new entry of nodes.yaml'));
    else if (JSON.stringify(old) !== JSON.stringify(listing)) changes.push(line(name, differences(old, listing)));
  }
  for (const name of before.keys())
    if (!after.has(name)) changes.push(line(name, 'its entry leaves nodes.yaml: cordoned'));
  return changes;
}

function differences(old: Listing, now: Listing): string {
  const keys = ['ip', 'labels', 'pool', 'capacity', 'location', 'cordon'] as const;
  const changed = keys.filter((key) => JSON.stringify(old[key]) !== JSON.stringify(now[key]));
  return changed
    .map((key) => `${key}: ${JSON.stringify(old[key] ?? null)} -> ${JSON.stringify(now[key] ?? null)}`)
    .join('; ');
}

function changeOf(
  world: Pick<World, 'nodes' | 'copies'>,
  action: Action,
  placement: PlacementView | undefined,
): PlanChange | undefined {
  const node = world.nodes.get(action.node)?.record.name ?? action.node;
  const copies = [...(world.copies.get(action.service)?.values() ?? [])].filter(
    (copy) => copy.instance === action.instance,
  );
  const at = { subject: action.instance, node, detail: action.why };
  if (action.kind === 'start') {
    const replaces = copies.some((copy) => copy.job !== undefined);
    return { action: replaces ? 'replace' : 'start', ...at, ...(placement && { placement }) };
  }
  if (action.kind === 'drop') return { action: 'remove', ...at };
  return action.want === 'stopped' ? { action: 'stop', ...at } : undefined;
}
