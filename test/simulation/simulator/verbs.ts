/** What people do with verbs that change what runs, or who is there: replicas, suspensions, what comes back, nodes that go. */
import type { ActualCopy } from '../../../agent/runtimes/runtime.ts';
import type { ControlPlane } from '../../../reconciler/control-plane.ts';
import { nodeSubject } from '../../../reconciler/core/suspends.ts';
import type { ByHand } from './bodies.ts';
import { left } from './extras.ts';
import type { Machine } from './facts.ts';
import type { Happening, World } from './faults.ts';
import { foreign, fullName, serviceOf } from './names.ts';

const actor = 'person';
/** Fewer nodes are too few for what is wanted. */
const fewest = 3;

/** Nobody asks for more of these: their number is looked at, or they would be done twice. */
const unreplicated: ReadonlySet<string> = new Set(['anchor', 'each', ...left].map((name) => fullName('git', name)));

/** The name that people gave a direct service. */
function directName({ person }: World, service: string): string | undefined {
  return [...person.direct.keys()].find((name) => fullName('direct', name) === service);
}

/** One more of a direct service is one more that is wanted: what was answered is looked at from then on. */
function replicateDirect(world: World, name: string, instance: string, to: string | undefined): void {
  const { person, facts } = world;
  const service = fullName('direct', name);
  const wish = person.direct.get(name);
  const answered = facts.answered.get(service);
  facts.answered.delete(service);
  const underWay = (facts.replicating.get(service) ?? 0) + 1;
  facts.replicating.set(service, underWay);
  const isSame = (): boolean => {
    const isOnly = facts.replicating.get(service) === 1 && underWay === 1;
    return isOnly && person.direct.get(name) === wish && !person.open.includes(`direct ${name}`);
  };
  person.tell(
    `replicate ${instance}`,
    (control) => control.replicate(instance, to, actor),
    () => {
      if (!wish || !isSame()) return;
      const more = { ...wish, replicas: Number(wish.replicas) + 1 };
      person.direct.set(name, more);
      facts.replicating.delete(service);
      facts.answered.set(service, { code: more.code, replicas: more.replicas });
    },
    () => {
      if (!isSame()) return;
      facts.replicating.delete(service);
      if (answered) facts.answered.set(service, answered);
    },
  );
}

/** The node is not to be confused with its clone. */
function isWhole({ facts }: World, { id, tag }: Machine): boolean {
  return tag === id && !facts.machines.has(`${id}.clone`) && !facts.removed.has(id);
}

/** Nothing is asked for it any more. */
function removed({ facts, person, hands }: World, machine: Machine): void {
  const { name } = machine;
  person.withdraw(`cordon ${name}`);
  for (const trouble of [`cordon of ${name}`, `full disk of ${name}`]) facts.troubles.delete(trouble);
  // Nobody mends it any more: what runs there cannot be stopped.
  if (facts.troubles.delete(`engine of ${name}`)) machine.hurtAt = Number.POSITIVE_INFINITY;
  hands.leave(machine);
}

/** Whoever gives up a machine says so until the cluster agrees, which is when it is lost. */
function giveUp(world: World, machine: Machine): void {
  machine.isGivenUp = true;
  world.facts.leaving.add(machine.id);
  world.person.insist(
    `rm ${machine.name} ${machine.id}`,
    (control) => control.removeNode(machine.id, { force: true, actor }),
    () => removed(world, machine),
  );
}

function subjectsOf({ cluster, person, dice }: World): string {
  const services = [...[...person.git.keys()].map((name) => fullName('git', name))];
  const direct = [...person.direct.keys()].map((name) => fullName('direct', name));
  return dice.pick([
    'cluster',
    dice.pick(['git.default', 'direct.default']),
    dice.pick([...services, ...direct]),
    nodeSubject(dice.pick(cluster.nodes).id),
  ]);
}

export const verbs: readonly Happening[] = [
  {
    weight: 2,
    run(world) {
      const { facts, cluster, dice, person } = world;
      if (!facts.isReady) return undefined;
      const countable = cluster.reconciler.control.instances().filter(({ service }) => !unreplicated.has(service));
      if (countable.length === 0) return undefined;
      const { name: instance, service } = dice.pick(countable);
      const to = dice.chance(0.5) ? dice.pick(cluster.nodes) : undefined;
      const name = directName(world, service);
      const text = `replicate ${instance} to ${to?.name ?? 'any node'}`;
      if (name !== undefined) replicateDirect(world, name, instance, to?.id);
      else person.tell(text, (control) => control.replicate(instance, to?.id, actor, { for: 60_000 }));
      return text;
    },
  },
  {
    weight: 1,
    run(world) {
      const { facts, cluster, dice, hands } = world;
      if (cluster.nodes.length <= fewest) return undefined;
      const machine = facts.machines.get(dice.pick(cluster.nodes).id);
      if (!machine || !isWhole(world, machine) || machine.isGivenUp) return undefined;
      const givenUp = [...facts.machines.values()].filter((one) => one.isGivenUp);
      if (cluster.nodes.length - givenUp.length <= fewest) return undefined;
      // Either it is switched off, or nobody can reach it any more, and it goes on.
      const isOff = dice.chance(0.5);
      if (isOff) hands.endAgent(machine, 'power');
      else if (!machine.isCut) cluster.broker.cut(machine.tag);
      if (!isOff) machine.isCut = true;
      giveUp(world, machine);
      return `${machine.name} is given up ${isOff ? 'and off' : 'and cut off'}`;
    },
  },
  {
    weight: 1,
    run(world) {
      const { facts, cluster, dice, person, rules } = world;
      if (cluster.nodes.length <= fewest) return undefined;
      const { id, name } = dice.pick(cluster.nodes);
      const machine = facts.machines.get(id);
      if (!machine || !isWhole(world, machine) || machine.isGivenUp) return undefined;
      facts.leaving.add(id);
      person.insist(
        `rm ${name} ${id}`,
        (control) => control.removeNode(name, { actor }),
        () => {
          rules.removed(machine);
          removed(world, machine);
        },
        () => undefined,
      );
      return `rm ${name}`;
    },
  },
  {
    weight: 1,
    run({ person, dice, cluster }) {
      if (!person.listed) return undefined;
      const { name } = dice.pick(cluster.nodes);
      const isThere = person.listed.delete(name);
      if (!isThere) person.listed.add(name);
      person.push(dice.chance(0.1) ? 'nodes.yaml' : undefined);
      return `push nodes.yaml with${isThere ? 'out' : ''} ${name}`;
    },
  },
  {
    weight: 1,
    run(world) {
      const { person, facts, cluster } = world;
      const subject = subjectsOf(world);
      const ms = world.dice.pick([10_000, 60_000, 120_000]);
      let until = 0;
      person.tell(
        `suspend ${subject}`,
        async (control) => {
          until = (await control.suspend(subject, { actor, for: ms })).suspended?.until ?? 0;
        },
        () => {
          if (facts.suspending.get(subject) === 'asked')
            facts.suspended.set(subject, { since: cluster.clock.now().mono, until });
        },
      );
      facts.suspending.set(subject, 'asked');
      return `suspend ${subject} at ${cluster.clock.now().wall}`;
    },
  },
  {
    weight: 1,
    run({ person, facts, dice }) {
      if (facts.suspending.size === 0) return undefined;
      const subject = dice.pick([...facts.suspending.keys()]);
      facts.suspending.set(subject, 'ending');
      facts.suspended.delete(subject);
      person.tell(
        `resume ${subject}`,
        (control) => control.resume(subject, actor),
        () => {
          if (facts.suspending.get(subject) === 'ending') facts.suspending.delete(subject);
        },
      );
      return `resume ${subject}`;
    },
  },
  {
    weight: 1,
    run({ person, facts, dice, cluster }) {
      if (!facts.isReady) return undefined;
      const gone = cluster.reconciler.control
        .services()
        .filter(({ holds }) => holds.some(({ code }) => code === 'REMOVED_BY_GIT'));
      if (gone.length === 0) return undefined;
      const { name } = dice.pick(gone);
      person.tell(`undelete ${name}`, (control) => control.undelete(name, { actor }));
      return `undelete ${name}`;
    },
  },
  {
    weight: 2,
    run(world) {
      const { facts, dice, bodies } = world;
      const machine = dice.pick([...facts.machines.values()]);
      const copies = [...machine.runtime.copies.values()].filter(
        ({ state, instance }) => instance !== foreign && state !== 'created' && !isJobOf(machine, instance),
      );
      if (copies.length === 0) return undefined;
      const copy = dice.pick(copies);
      const how = handsOn(world, copy);
      if (how === 'started' && serviceOf(copy.instance) === fullName('git', 'solo')) return undefined;
      bodies.byHand(machine, copy, how);
      return `${machine.name}: ${copy.instance}/${copy.copy} is ${how} by hand`;
    },
  },
  {
    weight: 2,
    run(world) {
      const { facts, dice, bodies } = world;
      const found = [...facts.machines.values()].flatMap((machine) =>
        prunable(world, machine).map((copy) => ({ machine, copy })),
      );
      if (found.length === 0) return undefined;
      const { machine, copy } = dice.pick(found);
      bodies.byHand(machine, copy, 'removed');
      return `${machine.name}: ${copy.instance}/${copy.copy} is pruned`;
    },
  },
];

/** ms after which a node knows for good what was done there, unless something went wrong with it meanwhile. */
const known = 90_000;

/** Containers of jobs that came to their end, and are in nobody's way but take place on the disk. */
function prunable({ facts, cluster }: World, machine: Machine): ActualCopy[] {
  const { mono } = cluster.clock.now();
  const isHurt = [`engine of ${machine.name}`, `full disk of ${machine.name}`].some((one) => facts.troubles.has(one));
  if (!machine.life.alive || isHurt || mono - machine.hurtAt <= known) return [];
  return [...machine.runtime.copies.values()].filter(({ instance, copy, state }) => {
    const end = facts.done.get(`${instance}/${copy}`);
    return state === 'exited' && end !== undefined && mono - end > known;
  });
}

function handsOn({ dice }: World, { state, paused }: ActualCopy): ByHand {
  if (state !== 'running') return 'started';
  return dice.pick(
    paused ? ['stopped', 'removed', 'unpaused', 'unpaused'] : ['stopped', 'removed', 'paused', 'paused'],
  );
}

/** What is done by hand to jobs would have them done twice. */
function isJobOf(machine: Machine, instance: string): boolean {
  return [...machine.runtime.copies.values()].some(
    (copy) => copy.instance === instance && machine.runtime.runOf(copy)?.one_shot,
  );
}

/** What was asked for a time, or said of nodes, ends. */
export function endVerbs({ person, facts, cluster, hands }: World): void {
  for (const machine of facts.machines.values())
    if (machine.isGivenUp && machine.life.alive) hands.endAgent(machine, 'power');
  for (const subject of [...facts.suspending.keys()].sort((a, b) => a.length - b.length)) {
    facts.suspended.delete(subject);
    facts.suspending.delete(subject);
    person.insist(
      `resume ${subject}`,
      (control: ControlPlane) => control.resume(subject, actor),
      () => undefined,
    );
  }
  if (person.listed) person.listed = new Set([...cluster.nodes.map(({ name }) => name), ...facts.joining]);
}
