/** The end of all trouble: what was broken is mended, what was asked for a time ends, and then everything must come as wanted. */
import type { ControlPlane } from '../../../reconciler/control-plane.ts';
import { yearly } from './extras.ts';
import { quietNetwork, setWall, type World } from './faults.ts';
import { foreign, fullName } from './names.ts';
import type { Wish } from './person.ts';
import { plantDifferences, plantService } from './plants.ts';
import { endVerbs } from './verbs.ts';
import { fixed } from './wishes.ts';

const actor = 'person';
/** ms after which a node that had a clone counts as one again, and a beat or two. */
const unique = 135_000;
/** ms after which nothing is under way that was said before. */
const registersAfter = 5_000;

/** Ends all faults; nothing new happens. */
export function mend(world: World): void {
  const { cluster, facts, hands, disk, person } = world;
  cluster.broker.fate = quietNetwork;
  cluster.git.unreachable = false;
  cluster.git.hanging = false;
  disk.full = false;
  setWall(world, -facts.wallOff);
  facts.mendedAt = cluster.clock.now().wall;
  for (const machine of facts.machines.values()) {
    machine.disk.full = false;
    machine.runtime.engine('up');
    machine.hurtAt = cluster.clock.now().mono;
    if (machine.isCut) cluster.broker.heal(machine.tag);
    machine.isCut = false;
  }
  cluster.broker.heal('reconciler');
  world.rivals?.end();
  hands.mendAll();
  facts.troubles.clear();
  facts.troubledAt = cluster.clock.now().mono;
  for (const [name, wish] of person.direct) person.deploy(name, sound(wish));
  for (const [name, wish] of person.git) if (!fixed.has(name)) person.git.set(name, sound(wish));
  endVerbs(world);
  // What was on its way to it before is there by then.
  const { plant } = world;
  if (plant) {
    plant.quietUntil = 0;
    cluster.clock.after(registersAfter, () => plant.register(person));
  }
  person.push();
  for (const { id, name } of cluster.nodes) {
    // Whose entry in nodes.yaml was gone is free by its return.
    if (!facts.handled.has(id)) continue;
    facts.cordoned.delete(id);
    person.insist(
      `cordon ${name}`,
      (control) => control.uncordon(id, actor),
      () => facts.cordoned.set(id, false),
    );
  }
}

/** Another version: one that failed while everything was broken is not tried again. */
function sound(wish: Wish): Wish {
  return { ...wish, code: 'oakctl/test:9' };
}

/** What people do when they come back: they end what they asked for a time, and approve what waits for them. */
export function tidy({ facts, person, cluster }: World): void {
  if (!facts.isReady) return;
  const { control } = cluster.reconciler;
  const ids = new Set(control.holds().flatMap(({ id }) => id ?? []));
  for (const id of ids) person.tell(`approve ${id}`, (on: ControlPlane) => on.approve(id, actor));
  if (facts.rivals > 0) dropOrphans({ person, cluster });
  endTicks({ facts, person, cluster });
  moveApart({ person, cluster });
  const lost = moveFromLost({ facts, person, cluster });
  for (const { id, subject } of control.overrides())
    if (!lost.has(subject)) person.tell(`end ${id}`, (on) => on.removeOverride(id, actor));
}

/** Agents that are there. */
function onlineNodes(control: ControlPlane): string[] {
  return control
    .nodes()
    .flatMap(({ id, state, dialect }) => (id && state === 'online' && dialect !== 'seed' ? [id] : []));
}

/** Whose data is on a node that was removed begins anew elsewhere. Gives the instances. */
function moveFromLost({ facts, person, cluster }: Pick<World, 'facts' | 'person' | 'cluster'>): ReadonlySet<string> {
  const { control } = cluster.reconciler;
  const lost = new Set(control.holds().flatMap(({ code, subject }) => (code === 'VOLUME_ON_LOST_NODE' ? subject : [])));
  const [to] = onlineNodes(control);
  const moved = new Set(control.overrides().flatMap(({ kind, subject }) => (kind === 'move' ? subject : [])));
  if (facts.removed.size === 0 || to === undefined) return lost;
  for (const instance of lost) {
    if (moved.has(instance)) continue;
    facts.given.add(instance);
    person.tell(`move ${instance}`, (on) => on.move(instance, to, actor, { acceptEmptyVolume: true }));
  }
  return lost;
}

/** Instances that people put on one node, before a version came that publishes a port, or asked for where another one went. */
function moveApart({ person, cluster }: Pick<World, 'person' | 'cluster'>): void {
  const { control } = cluster.reconciler;
  for (const { code, subject } of control.holds()) {
    if (code !== 'PORT_CONFLICT' || !subject.startsWith('direct.')) continue;
    const instances = control.instances();
    const held = instances.find(({ name }) => name === subject);
    if (!held) continue;
    const taken = instances.flatMap(({ name, service, node }) =>
      service === held.service && name !== subject ? [node] : [],
    );
    const free = onlineNodes(control).find((id) => !taken.includes(id));
    // What runs waits for a replacement only, and gets it.
    const isIdle = held.status !== 'running' || (held.node !== undefined && taken.includes(held.node));
    if (free && isIdle) person.tell(`move ${subject}`, (on) => on.move(subject, free, actor, {}));
  }
}

/** What a rival started from old records, and nobody wants. */
function dropOrphans({ person, cluster }: Pick<World, 'person' | 'cluster'>): void {
  const wanted = new Set([...person.direct.keys()].map((name) => fullName('direct', name)));
  for (const { name, outcome } of cluster.reconciler.control.services())
    if (outcome === 'orphaned' && !wanted.has(name))
      person.tell(`delete ${name}`, (on) => on.remove({ services: [name] }, actor));
}

/** A job that comes at its times has come, and may rest. */
function endTicks({ facts, person, cluster }: Pick<World, 'facts' | 'person' | 'cluster'>): void {
  const tick = cluster.reconciler.control.services().find(({ name }) => name === fullName('git', 'tick'));
  const { runs: [last] = [], current } = tick?.schedule ?? {};
  // What began before the faults ended may still fail for one of them.
  if (current || last?.outcome !== 'completed' || last.started < facts.mendedAt) return;
  if (tick?.outcome !== 'settled' || person.git.get('tick') === yearly) return;
  person.git.set('tick', yearly);
  person.push();
}

/** What is not as wanted, from the engines and from the reconciler; empty once all is well. */
export function differences(world: World): string[] {
  const { facts, person, cluster } = world;
  if (!facts.isReady) return ['the reconciler starts'];
  if (cluster.clock.now().mono - facts.clonedAt < unique) return ['a clone was there a moment ago'];
  // Old messages that come late look like a clone, too.
  const nodes = cluster.reconciler.control.nodes();
  if (nodes.some(({ problems }) => problems.some(({ code }) => code === 'DUPLICATE_NODE')))
    return ['a node is not unique'];
  const wrong = [...person.open.map((key) => `${key} has no answer`), ...plantDifferences(world)];
  const running = new Map<string, string[]>();
  for (const { runtime } of facts.machines.values()) {
    for (const copy of runtime.copies.values()) {
      if (copy.state !== 'running' || copy.instance === foreign) continue;
      if (copy.paused) wrong.push(`${copy.instance} is paused`);
      const { code = '' } = runtime.runOf(copy) ?? {};
      running.set(copy.instance, [...(running.get(copy.instance) ?? []), code]);
    }
  }
  const { accepted } = cluster.reconciler.control.status().sources[0] ?? {};
  if (accepted !== facts.commits.at(-1)) wrong.push(`${accepted} is in force, and not what was pushed last`);
  const views = new Map(cluster.reconciler.control.services().map((view) => [view.name, view]));
  const wanted = [
    ...[...person.git].map(([name, wish]) => [fullName('git', name), wish] as const),
    ...[...person.direct].map(([name, wish]) => [fullName('direct', name), wish] as const),
  ];
  let total = 0;
  if (person.git.has('tick') && person.git.get('tick') !== yearly) wrong.push('tick has not completed since');
  for (const [name, { replicas, code, more }] of wanted) {
    const count = more?.['one_shot'] ? 0 : replicas === 'every' ? cluster.nodes.length : replicas;
    if (name === plantService) {
      const { outcome, message } = views.get(name) ?? {};
      if (outcome !== 'unconfirmed') wrong.push(`${name} is ${outcome}: ${message ?? ''}`);
      continue;
    }
    const mine = [...running].filter(([instance]) => instance.startsWith(`${name}.instance.`));
    total += mine.length;
    if (mine.length !== count) wrong.push(`${name}: ${mine.length} of ${count} instances run`);
    for (const [instance, codes] of mine)
      if (codes.length !== 1 || codes[0] !== code) wrong.push(`${instance} runs ${codes.join()}, wanted is ${code}`);
    const outcome = views.get(name)?.outcome;
    if (outcome !== 'settled') wrong.push(`${name} is ${outcome}: ${views.get(name)?.message ?? ''}`);
  }
  if (running.size !== total) wrong.push(`${running.size - total} instances run that nobody wants`);
  if (wrong.length === 0) return wrong;
  return [...wrong, ...cluster.reconciler.control.holds().map((hold) => `${hold.code} ${hold.message}`)];
}
