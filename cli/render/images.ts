/** Images that went to nodes: one line per node, while they go and at the end. */
import type { LoadProgress, LoadResult } from '../services/load-images.ts';
import type { Listing } from './output.ts';
import { paintState } from './paint.ts';
import type { ProgressLine } from './progress.ts';

/** Images that a cell names; the rest is counted. */
const listed = 3;

export const loadListing: Listing<LoadResult> = {
  nameOf: ({ node }) => node,
  empty: 'No nodes.',
  columns: (paint) => [
    { title: 'NODE', value: ({ node }) => node },
    { title: 'STATE', value: ({ state }) => state, paint: (state) => paintState(paint, state) },
    { title: 'IMAGES', value: imagesText },
    { title: 'IDS', value: ({ images }) => images.map(({ id }) => shortId(id)).join(', '), wide: true },
    { title: 'WHY', value: whyText },
  ],
};

function imagesText({ images }: LoadResult): string {
  const names = images.flatMap((image) => (image.names.length > 0 ? image.names : [shortId(image.id)]));
  const more = names.length > listed ? ` and ${names.length - listed} more` : '';
  return `${names.slice(0, listed).join(', ')}${more}`;
}

function shortId(id: string): string {
  return id.replace('sha256:', '').slice(0, 12);
}

function whyText({ problem }: LoadResult): string | undefined {
  // Words of a node, and of its engine.
  const hint = problem?.hint ? ` (${problem.hint})` : '';
  return problem && `${problem.code}: ${problem.message}${hint}`.replace(/\p{Cc}+/gu, ' ');
}

/** `step`: percent between two texts that differ; a log wants fewer lines than a terminal. */
export function loadLines(nodes: readonly LoadProgress[], bytes: number, step: number): readonly ProgressLine[] {
  return nodes.map(({ node, state, taken }) => {
    const part = Math.floor(((taken ?? 0) / bytes) * 100);
    const percent = Math.min(100, part - (part % step));
    const all = `${(bytes / 1e6).toFixed(1)} MB`;
    const how = state !== 'sending' ? state : part >= 100 ? 'its engine unpacks' : `${percent} % of ${all}`;
    return { key: node, text: `${node}  ${how}` };
  });
}
