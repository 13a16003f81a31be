/** Each cluster of a home has its own block of loopback addresses, so that their workers can publish the same ports. */
import { localClusters } from '../contexts.ts';
import { localPaths } from './folders.ts';
import { readMarker } from './marker.ts';

/** The lowest block that no cluster of the home uses. */
export async function freeBlock(home: string): Promise<number> {
  const names = await localClusters(home);
  const markers = await Promise.all(names.map((name) => readMarker(localPaths(home, name)).catch(() => undefined)));
  const used = new Set(markers.map((marker) => marker?.block));
  let block = 0;
  while (used.has(block)) block += 1;
  return block;
}
