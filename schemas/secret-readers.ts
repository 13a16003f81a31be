/** Who is to read a secret: its file says it in the open, for whoever encrypts it for nodes that come later. */
import type { SopsLeaf } from './sops.ts';

export interface Readers {
  /** Names of nodes. */
  readonly nodes: readonly string[];
  /** `key=value`: beside them, nodes that have all of these. With neither it is for all nodes. */
  readonly labels: readonly string[];
  /** Recipients that are no nodes. Absent: the file does not say which are none. */
  readonly others?: readonly string[];
}

const places = {
  nodes: 'nodes_unencrypted:',
  labels: 'labels_unencrypted:',
  others: 'recipients_unencrypted:',
} as const;

/** Where a file says it. */
export const placesOfReaders: readonly string[] = Object.values(places);

/** What the file says; one that says nothing is for all nodes. */
export function readersOf(leaves: readonly SopsLeaf[]): Readers {
  const said = (place: string): readonly string[] | undefined => {
    const text = leaves.find(([path]) => path === place)?.[1];
    return text?.split('\n').filter((line) => line !== '');
  };
  const others = said(places.others);
  return { nodes: said(places.nodes) ?? [], labels: said(places.labels) ?? [], ...(others && { others }) };
}

/** As it stands in a file: one line each. */
export function leavesOfReaders({ nodes, labels, others }: Readers): readonly SopsLeaf[] {
  const lines = (list: readonly string[]): string => [...new Set(list)].sort().join('\n');
  return [
    ...(nodes.length > 0 ? [[places.nodes, lines(nodes)] as const] : []),
    ...(labels.length > 0 ? [[places.labels, lines(labels)] as const] : []),
    ...(others ? [[places.others, lines(others)] as const] : []),
  ];
}
