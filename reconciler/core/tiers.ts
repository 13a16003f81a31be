/** Classes of nodes in the order of the spread rules: where the fewest instances are comes first, equal ones together. */
import type { SpreadRule } from '../../schemas/spec.ts';
import type { Wish } from './candidates.ts';
import type { Scene } from './scene.ts';
import { around } from './score.ts';
import type { Strand } from './strand.ts';

/** A class of like nodes that are of a kind to take the wish. */
export interface Lane {
  /** Its value of each spread label. */
  readonly values: readonly (string | undefined)[];
  /** Its nodes without an instance of the service (and others, which are passed). */
  readonly empty: Strand;
  /** Its nodes with instances, by how many. */
  readonly levels: Map<number, Strand>;
}

export interface Tiers {
  /** Counts anew, for this wish. */
  start(wish: Wish): void;
  /** The next tier; undefined after the last one. The answer is good until the next question. */
  next(): Tier | undefined;
}

export interface Tier {
  readonly lanes: readonly Lane[];
  readonly empties: readonly Strand[];
}

/** Lanes with the same value of each spread label. */
interface Domain {
  readonly values: readonly (string | undefined)[];
  readonly lanes: Lane[];
  /** Other instances at each of the values. */
  readonly counts: number[];
}

export function createTiers(lanes: readonly Lane[], rules: readonly SpreadRule[], scene: Scene): Tiers {
  if (rules.length === 0) return oneTier(lanes);
  const domains = domainsOf(lanes);
  const tier = { lanes: [] as Lane[], empties: [] as Strand[] };
  /** More than so many would break a rule. */
  const most = rules.map(() => Number.POSITIVE_INFINITY);
  /** The counts of the tier before; undefined at the start. */
  let last: readonly number[] | undefined;
  return {
    start(wish) {
      last = undefined;
      rules.forEach(({ label, required }, n) => {
        if (required) most[n] = scene.fewest(label, wish);
      });
      for (const { values, counts } of domains) {
        for (let n = 0; n < rules.length; n += 1) {
          counts[n] = around(values[n], (rules[n] as SpreadRule).label, wish, scene);
        }
      }
    },
    next() {
      let least: readonly number[] | undefined;
      for (const { counts } of domains) {
        const isLeft = (last === undefined || compareCounts(counts, last) > 0) && isWithin(counts, most);
        if (isLeft && (least === undefined || compareCounts(counts, least) < 0)) least = counts;
      }
      if (least === undefined) return undefined;
      tier.lanes.length = 0;
      tier.empties.length = 0;
      for (const domain of domains) {
        if (compareCounts(domain.counts, least) !== 0) continue;
        for (const lane of domain.lanes) {
          tier.lanes.push(lane);
          tier.empties.push(lane.empty);
        }
      }
      last = least;
      return tier;
    },
  };
}

function oneTier(lanes: readonly Lane[]): Tiers {
  const tier: Tier = { lanes, empties: lanes.map(({ empty }) => empty) };
  let isLeft = false;
  return {
    start: () => {
      isLeft = true;
    },
    next() {
      const answer = isLeft ? tier : undefined;
      isLeft = false;
      return answer;
    },
  };
}

function domainsOf(lanes: readonly Lane[]): readonly Domain[] {
  const domains = new Map<string, Domain>();
  for (const lane of lanes) {
    const key = JSON.stringify(lane.values.map((value) => value ?? null));
    const known = domains.get(key);
    if (known) known.lanes.push(lane);
    else domains.set(key, { values: lane.values, lanes: [lane], counts: lane.values.map(() => 0) });
  }
  return [...domains.values()];
}

function isWithin(counts: readonly number[], most: readonly number[]): boolean {
  return counts.every((count, n) => count <= (most[n] as number));
}

/** Negative when `a` comes first. */
function compareCounts(a: readonly number[], b: readonly number[]): number {
  for (let n = 0; n < a.length; n += 1) {
    const order = (a[n] as number) - (b[n] as number);
    if (order !== 0) return order;
  }
  return 0;
}
