/** People who look at a plan, think for a while, and ask for exactly that (`deploy --plan-token`). */
import type { PlanView } from '../../../schemas/views.ts';
import type { Happening, World } from './faults.ts';
import { fullName } from './names.ts';
import type { Wish } from './person.ts';
import { anyWish } from './wishes.ts';

/** ms for which somebody thinks. */
const thinks = [0, 0, 1_000, 10_000, 60_000];
/** ms after which whoever has no answer asks for it as it would be by then. */
const patience = 10_000;

interface Review {
  readonly name: string;
  readonly wish: Wish;
  /** What was wanted when the plan was made. */
  readonly before: Wish | undefined;
  readonly seen: PlanView;
}

function carryOut(world: World, { name, wish, before, seen }: Review): void {
  const { person, facts, rules, cluster } = world;
  const isOpen = (): boolean => person.open.includes(`direct ${name}`);
  // Once all faults ended people ask for nothing that could fail.
  if (!facts.isReady || facts.mendedAt > 0 || isOpen() || person.direct.get(name) !== before) return;
  const service = fullName('direct', name);
  const documents = person.documents(name, wish);
  const [wasAnswered, answered] = [facts.answered.has(service), facts.answered.get(service)];
  facts.answered.delete(service);
  person.direct.set(name, wish);
  let isOver = false;
  const end = (then: () => void): void => {
    if (!isOver && person.direct.get(name) === wish && !isOpen()) then();
    isOver = true;
  };
  person.tell(
    `deploy ${name} as planned`,
    async (control) => {
      // In one turn: nothing comes between what it would be and what it is.
      const wouldBe = control.plan({ documents });
      const deployed = control.deploy({ documents, plan: seen.token ?? '' });
      deployed.catch(() => undefined);
      const promise = rules.planAsked(service, seen, await wouldBe, () => person.direct.get(name) === wish);
      promise.accepted((await deployed).services[0]?.digest ?? '');
    },
    () => end(() => facts.answered.set(service, { code: wish.code, replicas: Number(wish.replicas) })),
    () =>
      end(() => {
        if (before) person.direct.set(name, before);
        else person.direct.delete(name);
        if (wasAnswered) facts.answered.set(service, answered);
      }),
  );
  cluster.clock.after(patience, () => end(() => person.deploy(name, wish)));
}

export const reviews: readonly Happening[] = [
  {
    weight: 3,
    run(world) {
      const { person, facts, dice, cluster } = world;
      const number = dice.below(3);
      const name = `d${number}`;
      if (!facts.isReady || person.open.includes(`direct ${name}`)) return undefined;
      const wish = anyWish(world, 10 + number);
      const before = person.direct.get(name);
      const after = dice.pick(thinks);
      let seen: PlanView | undefined;
      person.tell(
        `plan ${name}`,
        async (control) => {
          seen = await control.plan({ documents: person.documents(name, wish) });
        },
        () => cluster.clock.after(after, () => seen && carryOut(world, { name, wish, before, seen })),
      );
      return `plan ${name}: ${JSON.stringify(wish)}`;
    },
  },
];
