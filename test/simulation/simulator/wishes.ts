/** What people do to a simulated cluster while things happen to it. */
import { extras, left, updated } from './extras.ts';
import type { Happening, World } from './faults.ts';
import { fullName } from './names.ts';
import type { Wish } from './person.ts';

const actor = 'person';
const images = ['oakctl/test:1', 'oakctl/test:2', 'oakctl/test:3'] as const;

/** Never changed by anybody: whatever runs of them is to go on. */
export const steady: Readonly<Record<string, Wish>> = { anchor: { replicas: 2, code: 'oakctl/test:1' } };
/** One instance on each node. */
export const everywhere: Wish = { replicas: 'every', code: 'oakctl/test:1' };
/** Never twice at once, on a lease. */
export const exclusive: Wish = { replicas: 1, code: 'oakctl/test:1', more: { exclusive: true } };
/** Services of git that nobody changes. */
export const fixed: ReadonlySet<string> = new Set([...Object.keys(steady), 'each', 'solo', 'after', 'tick']);
/** Those of which people want more or less than was written at first. */
const isFree = (name: string): boolean => !fixed.has(name) && !left.has(name);

/** Nobody moves these: they stay where they are, have no other place, or would be done twice. */
const unmoved: ReadonlySet<string> = new Set(['anchor', 'each', 'once'].map((name) => fullName('git', name)));

/** Of a service that people change as they like. `number`: of the service, for a port of its own. */
export function anyWish({ dice }: World, number: number): Wish {
  const order = dice.pick(['start_first', 'stop_first', 'recreate', undefined]);
  const hasPort = dice.chance(0.2);
  const port = hasPort ? { port: `${8_000 + number}:80` } : {};
  const update = { settle: '1s', timeout: '60s', ...(order && { strategy: order }) };
  const bad = dice.chance(0.08);
  const isChecked = dice.chance(0.3);
  return {
    replicas: 1 + dice.below(hasPort ? 2 : 4),
    code: bad ? 'oakctl/test:bad' : dice.pick(images),
    more: { update, ...port, ...(isChecked && { healthcheck: { command: ['true'] } }) },
  };
}

export const wishes: readonly Happening[] = [
  {
    weight: 5,
    run(world) {
      const number = world.dice.below(3);
      const name = `g${number}`;
      const wish = anyWish(world, number);
      world.person.git.set(name, wish);
      world.person.push();
      return `push ${name}: ${JSON.stringify(wish)}`;
    },
  },
  {
    weight: 4,
    run({ person, dice }) {
      const names = [...updated].filter((name) => person.git.has(name));
      if (names.length === 0) return undefined;
      const name = dice.pick(names);
      const wish = extras.flatMap((group) => group[name] ?? [])[0] as Wish;
      const code = dice.pick([...images, ...images, 'oakctl/test:bad', 'oakctl/test:sick']);
      person.git.set(name, { ...wish, code });
      person.push();
      return `push ${name} as ${code}`;
    },
  },
  {
    weight: 2,
    run({ person, dice }) {
      const names = [...person.git.keys()].filter(isFree);
      if (names.length === 0) return undefined;
      const name = dice.pick(names);
      person.git.delete(name);
      person.push();
      return `push without ${name}`;
    },
  },
  {
    weight: 1,
    run({ person, dice }) {
      const name = dice.pick([...person.git.keys()]);
      person.push(name);
      return `push with a broken ${name}`;
    },
  },
  {
    weight: 4,
    run(world) {
      const number = world.dice.below(3);
      const name = `d${number}`;
      const wish = anyWish(world, 10 + number);
      world.person.deploy(name, wish);
      return `deploy ${name}: ${JSON.stringify(wish)}`;
    },
  },
  {
    weight: 2,
    run({ person, dice }) {
      if (person.direct.size === 0) return undefined;
      const name = dice.pick([...person.direct.keys()]);
      person.remove(name);
      return `delete ${name}`;
    },
  },
  {
    weight: 1,
    run({ person, dice }) {
      const names = [...person.git.keys()].filter(isFree);
      if (names.length === 0) return undefined;
      const name = fullName('git', dice.pick(names));
      const replicas = dice.below(5);
      person.tell(`scale ${name}`, (control) => control.scale(name, replicas, { actor, for: 60_000 }));
      return `scale ${name} to ${replicas}`;
    },
  },
  {
    weight: 1,
    run({ person, dice, facts, cluster }) {
      if (!facts.isReady) return undefined;
      const movable = cluster.reconciler.control.instances().filter(({ service }) => !unmoved.has(service));
      if (movable.length === 0) return undefined;
      const { name } = dice.pick(movable);
      const to = dice.pick(cluster.nodes);
      const acceptEmptyVolume = dice.chance(0.3);
      if (acceptEmptyVolume) facts.given.add(name);
      // What is deployed directly moves for good.
      const how = name.startsWith('direct.') ? { acceptEmptyVolume } : { for: 60_000, acceptEmptyVolume };
      person.tell(`move ${name}`, (control) => control.move(name, to.id, actor, how));
      return `move ${name} to ${to.name}`;
    },
  },
  {
    weight: 1,
    run({ person, dice }) {
      const names = [...person.direct.keys()];
      if (names.length === 0) return undefined;
      const name = fullName('direct', dice.pick(names));
      const verb = dice.pick(['stop', 'start', 'restart'] as const);
      person.tell(`${verb} ${name}`, (control) => {
        if (verb === 'stop') return control.stop(name, { actor, for: 60_000 });
        return verb === 'start' ? control.start(name, actor) : control.restart(name, undefined, actor);
      });
      return `${verb} ${name}`;
    },
  },
  {
    weight: 1,
    run({ person, dice, facts, cluster }) {
      const { id, name } = dice.pick(cluster.nodes);
      const verb = dice.pick(['cordon', 'drain', 'uncordon', 'uncordon'] as const);
      facts.cordoned.delete(id);
      facts.handled.add(id);
      if (verb === 'uncordon') facts.troubles.delete(`cordon of ${name}`);
      else facts.troubles.add(`cordon of ${name}`);
      person.insist(
        `cordon ${name}`,
        (control) => (verb === 'uncordon' ? control.uncordon(id, actor) : control[verb](id, { actor })),
        () => facts.cordoned.set(id, verb !== 'uncordon'),
      );
      return `${verb} ${name}`;
    },
  },
];
