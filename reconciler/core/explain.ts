/** Why no node takes a copy, in one sentence with numbers. */
import type { Hold } from '../../schemas/status.ts';
import type { Candidate, Wish } from './candidates.ts';
import type { Filter } from './filter.ts';
import { filters } from './filters.ts';
import type { Scene } from './scene.ts';

/** One hold: the last filter in the way gives the code and comes first in the sentence. */
export function explain(among: readonly Candidate[], wish: Wish, scene: Scene): Hold {
  const subject = wish.instance;
  if (among.length === 0) {
    return {
      code: 'NO_NODE',
      subject,
      message: 'the cluster has no node that could take it',
      hint: 'oakctl nodes token',
    };
  }
  const refused = sift(byName(among), wish, scene);
  const inTheWay = filters.filter((filter) => refused.has(filter)).reverse();
  const message = inTheWay.map((filter) => filter.explain(refused.get(filter) ?? [], wish, scene)).join('; ');
  return { code: inTheWay[0]?.code ?? 'NO_NODE', subject, message };
}

/** In one order, whatever the index has. */
export function byName(candidates: readonly Candidate[]): readonly Candidate[] {
  return [...candidates].sort((a, b) => (a.node.record.name < b.node.record.name ? -1 : 1));
}

/** By the first filter that turned each away. */
export function sift(among: readonly Candidate[], wish: Wish, scene: Scene): ReadonlyMap<Filter, Candidate[]> {
  const refused = new Map<Filter, Candidate[]>();
  for (const candidate of among) {
    const filter = filters.find((one) => !one.admits(candidate, wish, scene));
    if (!filter) continue;
    const before = refused.get(filter);
    if (before) before.push(candidate);
    else refused.set(filter, [candidate]);
  }
  return refused;
}
