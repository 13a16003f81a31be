/** Nodes of the seeds' wire in a simulated world: they register, beat, and do what controls say; nobody hears what they run. */
import type { Records } from '../../../reconciler/core/records.ts';
import type { PlainControl } from '../../../schemas/seed.ts';
import { topic } from '../../../schemas/topics.ts';
import type { MemoryCluster } from '../../support/memory-cluster.ts';
import type { Happening, World } from './faults.ts';
import { fullName } from './names.ts';
import type { Person, Wish } from './person.ts';
import type { RuleDeps, Rules } from './rules.ts';
import type { Witness } from './witness.ts';

/** A machine without our agent. */
export interface Plant {
  readonly id: string;
  readonly name: string;
  /** Instance -> image, as it was told. */
  readonly runs: Map<string, string>;
  /** Silent until then. */
  quietUntil: number;
  /** Registers as after a reboot: it has forgotten everything. */
  register(person: Person): void;
}

/** The only service that has its place there. */
export const plantWish = 'p0';
export const plantService = fullName('direct', plantWish);
const images = ['oakctl/test:1', 'oakctl/test:2', 'oakctl/test:3'] as const;
const beat = 5_000;

/** A new one, which beats from now on. */
export async function joinPlant(
  cluster: MemoryCluster,
  witness: Witness,
  rules: Pick<Rules, 'registers'>,
): Promise<Plant> {
  const { clock, broker } = cluster;
  const { token } = await cluster.reconciler.control.createToken({});
  const request = { id: '', name: 'plant', ip: '10.0.0.9', port: 3_000 };
  const { id, password } = await cluster.reconciler.control.register(request, token);
  const bus = broker.client(id, { kind: 'node', id });
  const plant: Plant = {
    id,
    name: 'plant',
    runs: new Map(),
    quietUntil: 0,
    register(person) {
      plant.runs.clear();
      rules.registers();
      witness.saw('plant registers');
      person.insist(
        'plant registers',
        (control) => control.register({ ...request, id }, password),
        () => rules.registers(),
      );
    },
  };
  const information = JSON.stringify({ cpu: '12.5', memory: 40 });
  const say = (): void => {
    if (clock.now().mono >= plant.quietUntil)
      bus.publish(topic(id, 'information'), information, { qos: 0, retain: false });
    clock.after(beat, say);
  };
  const message = ({ payload }: { readonly payload: string }): void => {
    const { command, job } = JSON.parse(payload) as PlainControl;
    witness.saw(`plant is told to ${command} ${job.name}`);
    if (command === 'deploy' || command === 'replicate') plant.runs.set(job.name, job.image ?? '');
    else plant.runs.delete(job.name);
  };
  bus.open(
    { subscribe: [{ filter: topic(id, 'controls'), qos: 1 }] },
    { connected: () => undefined, disconnected: () => undefined, message },
  );
  clock.after(10, say);
  return plant;
}

function anyPlantWish({ dice }: World, { name }: Plant): Wish {
  const more = { constraints: [{ type: 'direct', node: name }] };
  return { replicas: 1 + dice.below(2), code: dice.pick(images), more };
}

export const plantHappenings: readonly Happening[] = [
  {
    weight: 2,
    run(world) {
      const { plant, person, dice } = world;
      if (!plant) return undefined;
      if (person.direct.has(plantWish) && dice.chance(0.3)) {
        person.remove(plantWish);
        return `delete ${plantWish}`;
      }
      const wish = anyPlantWish(world, plant);
      person.deploy(plantWish, wish);
      return `deploy ${plantWish}: ${JSON.stringify(wish)}`;
    },
  },
  {
    weight: 1,
    run({ plant, person, dice, cluster }) {
      if (!plant) return undefined;
      if (dice.chance(0.5)) {
        plant.register(person);
        return 'plant reboots';
      }
      plant.quietUntil = cluster.clock.now().mono + dice.pick([10_000, 40_000, 100_000]);
      return 'plant is silent';
    },
  },
];

/** What it should run, and does not; what it runs, and should not. */
export function plantDifferences({ plant, person }: World): string[] {
  if (!plant) return [];
  const { replicas = 0, code } = person.direct.get(plantWish) ?? {};
  const wrong = [...plant.runs].flatMap(([instance, image]) =>
    image === code ? [] : [`plant runs ${instance} as ${image}, wanted is ${code}`],
  );
  return plant.runs.size === replicas ? wrong : [...wrong, `plant runs ${plant.runs.size} of ${replicas}`];
}

export interface PlantRules {
  /** It is told something. */
  told(payload: string): void;
  /** Somebody registers it: whatever it was told may be told again. */
  registers(): void;
  saved(records: Records): void;
}

/** Each change is told once, and nothing else than what belongs there. */
export function createPlantRules({ witness, facts }: RuleDeps): PlantRules {
  /** Instance -> the last command since it registered. */
  const last = new Map<string, PlainControl['command']>();
  /** Instances of which the reconciler has on disk that it told them. */
  const written = new Set<string>();
  return {
    registers() {
      last.clear();
      written.clear();
    },
    saved({ assumed }) {
      const { told = {} } = assumed[facts.plant ?? ''] ?? {};
      for (const instance of Object.keys(told)) if (last.get(instance) === 'deploy') written.add(instance);
    },
    told(payload) {
      const { command, job } = JSON.parse(payload) as PlainControl;
      witness.saw(`reconciler tells plant to ${command} ${job.name}`);
      if (!job.name.startsWith(`${plantService}.instance.`))
        witness.broken('W1 only what belongs there', `plant is told to ${command} ${job.name}`);
      // Who dies between saying it and writing that down says it again.
      if (command === 'deploy' && last.get(job.name) === command && written.has(job.name))
        witness.broken('W2 a change is told once', `plant is told to ${command} ${job.name} again`);
      last.set(job.name, command);
      written.delete(job.name);
    },
  };
}
