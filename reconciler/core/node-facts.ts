/** What a node is, from both sides: what it says itself and what nodes.yaml says of it. nodes.yaml wins. */
import { architecture } from '../../schemas/architecture.ts';
import type { Cordon } from './deviations.ts';
import type { Node, Policy } from './model.ts';

/** Own labels merged with the entry's; undefined while nobody said anything: unknown, not empty. */
export function labelsOf(node: Node): Readonly<Record<string, string>> | undefined {
  if (!node.information && !node.listing) return undefined;
  return { ...node.information?.labels, ...node.listing?.labels };
}

/** Speaks the seeds' wire: it takes controls, and never reports its copies. */
export function isSeed(node: Pick<Node, 'record'>): boolean {
  return node.record.dialect === 'seed';
}

/** As engines call it; undefined while unknown. */
export function archOf({ information }: Node): string | undefined {
  return information && information.arch !== 'unknown' ? architecture(information.arch) : undefined;
}

/** What can be reserved on a node: cores, MB, GPUs, and MB of disk and kbit/s where somebody states them. */
export interface Capacity {
  readonly cpu: number;
  readonly memory: number;
  readonly gpu?: number;
  readonly storage?: number;
  readonly bandwidth_in?: number;
  readonly bandwidth_out?: number;
}

/** Undefined while nobody said anything. */
export function capacityOf(node: Node): Capacity | undefined {
  // A seed node says how busy it is, not how large.
  const information = isSeed(node) ? undefined : node.information;
  const stated = { ...information?.capacity, ...node.listing?.capacity };
  const { cpu, memory } = stated;
  return cpu === undefined || memory === undefined ? undefined : { ...stated, cpu, memory };
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

/**
 * Where the node publishes ports. Agents on one machine share it; machines of two sites that have the same private address are told
 * apart by where others reach them.
 */
export function addressOf({ information, record }: Node): string {
  if (!information) return record.id;
  const { ip, advertise } = information;
  return advertise === undefined || advertise.ip === ip ? ip : `${ip} ${advertise.ip}`;
}
