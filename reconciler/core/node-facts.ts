/** What a node is, from both sides: what it says itself and what nodes.yaml says of it. nodes.yaml wins. */
import type { Cordon, Node, Policy } from './model.ts';

/** Own labels merged with the entry's; undefined while nobody said anything: unknown, not empty. */
export function labelsOf(node: Node): Readonly<Record<string, string>> | undefined {
  if (!node.information && !node.listing) return undefined;
  return { ...node.information?.labels, ...node.listing?.labels };
}

/** Speaks the seeds' wire: it takes controls, and never reports its copies. */
export function isSeed(node: Pick<Node, 'record'>): boolean {
  return node.record.dialect === 'seed';
}

/** Cores, MB and GPUs; undefined while nobody said anything. */
export function capacityOf(
  node: Node,
): { readonly cpu: number; readonly memory: number; readonly gpu?: number } | undefined {
  const { listing } = node;
  // A seed node says how busy it is, not how large.
  const information = isSeed(node) ? undefined : node.information;
  const cpu = listing?.capacity?.cpu ?? information?.capacity.cpu;
  const memory = listing?.capacity?.memory ?? information?.capacity.memory;
  if (cpu === undefined || memory === undefined) return undefined;
  const gpu = information?.capacity.gpu;
  return { cpu, memory, ...(gpu !== undefined && { gpu }) };
}

/** It said that it cannot write down what it is told: what it has goes on, and nothing new would ever begin there. */
export function isUnwritable({ information }: Pick<Node, 'information'>): boolean {
  return information?.problems?.some(({ code }) => code === 'FILE_UNWRITABLE') ?? false;
}

/** Why nothing new may be placed on the node by somebody's will; undefined when it may. */
export function cordonOf(node: Node, policy: Pick<Policy, 'undeclared'>): Cordon | undefined {
  if (node.record.cordon) return node.record.cordon;
  if (node.listing?.cordon) return { cause: 'nodes.yaml' };
  if (!node.listing && policy.undeclared !== 'use') return { cause: 'it is not in nodes.yaml' };
  return undefined;
}
