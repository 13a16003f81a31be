/** Filters for what is free on a node: ports, amounts, and room in its assignment. */
import type { InstanceName } from '../../schemas/names.ts';
import { addedBytes, type Candidate, type Leaves, type Wish } from './candidates.ts';
import type { Filter } from './filter.ts';
import { longestPart, mostJobs } from './part-size.ts';
import type { Scene } from './scene.ts';
import { count, largest, listed } from './sentence.ts';

/** What is reserved by number. */
interface Amount {
  readonly name: string;
  readonly unit: string;
  readonly needed: (wish: Wish) => number;
  /** What a copy that stops first leaves. */
  readonly left: (leaves: Leaves) => number;
  /** Infinite where nobody states it and nobody has to. */
  readonly free: (candidate: Candidate) => number;
}

const amounts: readonly Amount[] = [
  {
    name: 'memory',
    unit: ' MB',
    needed: ({ run }) => run.memory ?? 0,
    left: ({ run }) => run.memory ?? 0,
    free: ({ facts, reserved }) => facts.capacity.memory - reserved.memory,
  },
  {
    name: 'vcpus',
    unit: ' vcpus',
    needed: ({ run }) => run.vcpus ?? 0,
    left: ({ run }) => run.vcpus ?? 0,
    free: ({ facts, overcommit, reserved }) => facts.capacity.cpu * overcommit - reserved.vcpus,
  },
  {
    name: 'vgpus',
    unit: ' vgpus',
    needed: ({ run }) => run.vgpus ?? 0,
    left: ({ run }) => run.vgpus ?? 0,
    free: ({ facts, reserved }) => (facts.capacity.gpu ?? 0) - reserved.vgpus,
  },
  ...stated('storage', ' MB of disk'),
  ...stated('bandwidth_in', ' kbit/s in'),
  ...stated('bandwidth_out', ' kbit/s out'),
];

function stated(name: 'storage' | 'bandwidth_in' | 'bandwidth_out', unit: string): Amount[] {
  const free = ({ facts, reserved }: Candidate): number =>
    (facts.capacity[name] ?? Number.POSITIVE_INFINITY) - reserved[name];
  const left = ({ reserves }: Leaves): number => reserves?.[name] ?? 0;
  return [{ name, unit, needed: ({ needs }) => needs?.[name] ?? 0, left, free }];
}

/** Amounts that the wish needs and the node does not state: they count nowhere there. */
export function uncounted({ facts }: Candidate, { needs }: Wish): string[] {
  const names = ['storage', 'bandwidth_in', 'bandwidth_out'] as const;
  return names.filter((name) => (needs?.[name] ?? 0) > 0 && facts.capacity[name] === undefined);
}

/** Fractions of cores add up with rounding errors; a thousandth of a core is nothing. */
const tolerance = 0.001;

function amountFilter({ name, unit, needed, left, free }: Amount): Filter {
  const freeFor = (candidate: Candidate, { releases }: Wish): number =>
    free(candidate) + (releases?.node === candidate.id ? left(releases) : 0);
  return {
    name,
    code: 'NO_CAPACITY',
    admits: (candidate, wish) => {
      const wanted = needed(wish);
      return wanted === 0 || wanted <= freeFor(candidate, wish) + tolerance;
    },
    explain: (refused, wish) => {
      const short = unit === ' vcpus' || unit === ' vgpus' ? '' : unit;
      return `needs ${needed(wish)}${unit}, largest free ${largest(refused, (one) => freeFor(one, wish), short)}`;
    },
  };
}

export const roomFilters: readonly Filter[] = [
  {
    name: 'ports',
    code: 'PORT_CONFLICT',
    admits: (candidate, wish, scene) => takenPort(candidate, wish, scene) === undefined,
    explain: (refused, wish, scene) => {
      const [first] = refused;
      const [port, holder] = (first && takenPort(first, wish, scene)) ?? ['', ''];
      return `${count(refused)} whose ${port} is published already (by ${holder} on ${first?.node.record.name})`;
    },
  },
  ...amounts.map(amountFilter),
  {
    name: 'assignment',
    code: 'ASSIGNMENT_FULL',
    admits: (candidate, wish) =>
      candidate.jobs < mostJobs && candidate.size + addedBytes(candidate, wish) <= longestPart,
    explain: (refused, wish) => {
      const least = refused.reduce((a, b) => (b.size < a.size ? b : a));
      const kib = (bytes: number): string => `${Math.ceil(bytes / 1024)} KiB`;
      const needs = `needs ${kib(addedBytes(least, wish))} of an assignment, at most ${kib(longestPart)} in all`;
      return `${needs}: ${count(refused)} too full (${listed(refused)})`;
    },
  },
];

/** What a copy gives back while it is stopped: its place in the assignment it keeps. */
export const resumeFilters: readonly Filter[] = roomFilters.filter(({ code }) => code !== 'ASSIGNMENT_FULL');

/** A wanted host port that is taken, with who has it. */
function takenPort({ id, node }: Candidate, wish: Wish, scene: Scene): [string, InstanceName] | undefined {
  for (const key of wish.ports) {
    const holder = scene.portHolder(node, key, wish.instance);
    if (holder === undefined || (holder === wish.instance && (wish.yields || wish.releases?.node === id))) continue;
    return [key, holder];
  }
  return undefined;
}
