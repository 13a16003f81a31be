/**
 * Placement filters, in order: first what a node is, then how it is at the moment, then what is beside and free on it. When no
 * node passes, the filter that the best node got as far as is the reason, so that a hold names the last thing in the way.
 */
import { knows } from '../../schemas/features.ts';
import { type MissingGrant, missingGrant } from '../../schemas/grants.ts';
import { imageRefused } from '../../schemas/image-rules.ts';
import { type LabelRule, type RunSpec, type RuntimeName, runtimesFor } from '../../schemas/spec.ts';
import { labelOfVariable } from '../../schemas/variables.ts';
import type { Candidate, Wish } from './candidates.ts';
import type { Filter } from './filter.ts';
import type { Node } from './model.ts';
import { isUnwritable } from './node-facts.ts';
import { roomFilters } from './room.ts';
import { spreadBlock } from './score.ts';
import { absentOn, unknownSecrets, unreadableOn } from './sealed.ts';
import { count, listed } from './sentence.ts';

/** Decides by what the node says of itself alone. */
interface StandingFilter extends Filter {
  readonly admits: (candidate: Pick<Candidate, 'node' | 'facts'>, wish: Wish) => boolean;
}

/** What a node is: the answer is the same for all nodes that say the same of themselves. */
export const standingFilters: readonly StandingFilter[] = [
  {
    name: 'direct',
    code: 'DIRECT_NODE_UNKNOWN',
    admits: ({ node }, { placement }) =>
      placement.nodes.length === 0 || placement.nodes.some((name) => isCalled(node, name)),
    explain: (refused, { placement }) => `${count(refused)} not named (${placement.nodes.join(', ')})`,
  },
  {
    name: 'labels',
    code: 'LABEL_MISMATCH',
    admits: ({ facts: { labels } }, { placement }) => labels === undefined || matchesLabels(labels, placement.labels),
    explain: (refused, { placement }) => `${count(refused)} without ${placement.labels.map(formatRule).join(' and ')}`,
  },
  {
    name: 'variables',
    code: 'LABEL_MISMATCH',
    admits: ({ facts: { labels } }, wish) => labels === undefined || missingLabels(labels, wish.variables).length === 0,
    explain: (refused, wish) => {
      const missing = new Set(refused.flatMap(({ facts: { labels } }) => missingLabels(labels ?? {}, wish.variables)));
      return `${count(refused)} without the label ${[...missing].sort().join(', ')} that its environment asks for`;
    },
  },
  {
    name: 'architecture',
    code: 'NO_ARCHITECTURE',
    admits: ({ facts: { arch } }, { placement }) => arch === undefined || (placement.arch?.includes(arch) ?? true),
    explain: (refused, { placement }) => {
      const found = [...new Set(refused.map(({ facts }) => facts.arch))].sort().join(' or ');
      return `${count(refused)} with ${found}, and it is for ${placement.arch?.join(' or ')}`;
    },
  },
  {
    name: 'runtime',
    code: 'NO_RUNTIME',
    admits: ({ node }, { run }) => !node.information || runtimeFor(node, run) !== undefined,
    explain: (refused, { run }) => `${count(refused)} without ${runtimesFor[run.virtualization].join(' or ')}`,
  },
  {
    name: 'fields',
    code: 'AGENT_TOO_OLD',
    admits: ({ node }, wish) => !node.information || unknownFields(node, wish).length === 0,
    explain: (refused, wish) => {
      const fields = new Set(refused.flatMap(({ node }) => unknownFields(node, wish)));
      return `${count(refused)} with an agent that does not know ${[...fields].sort().join(', ')}`;
    },
  },
  {
    name: 'host',
    code: 'HOST_NOT_GRANTED',
    admits: ({ node }, wish) => !node.information || missingOn(node, wish) === undefined,
    explain: (refused, wish) => {
      const [first] = refused;
      const missing = first && missingOn(first.node, wish);
      const lack = `${count(refused)} without a grant of ${missing?.what} (${listed(refused)})`;
      return `${lack}; policy.yaml of ${first?.node.record.name}, below grants, would need: ${missing?.line}`;
    },
  },
  {
    name: 'image',
    code: 'IMAGE_NOT_ALLOWED',
    admits: ({ node }, { run }) => imageRefused(run, node.information?.accepts) === undefined,
    explain: (refused, { run }) => {
      const [first] = refused;
      const why = first && imageRefused(run, first.node.information?.accepts);
      const name = first?.node.record.name;
      return `${count(refused)} that do not allow image ${run.code} (${listed(refused)}); by policy.yaml of ${name}: ${why}`;
    },
  },
];

/** How a node is at the moment, and what is beside. */
const presentFilters: readonly Filter[] = [
  {
    name: 'secrets',
    code: 'SECRET_NOT_FOR_NODE',
    admits: ({ node }, { run, sealed }) =>
      !run.secrets || (unreadableOn(node, run, sealed).length === 0 && absentOn(node, run).length === 0),
    explain: (refused, { run, sealed }) => {
      const gone = unknownSecrets(run, sealed);
      if (gone.length > 0) return `${count(refused)}, and nobody has ${gone.join(', ')} any more`;
      return [
        ...lacking(
          refused,
          (node) => unreadableOn(node, run, sealed),
          'that cannot read',
          'oakctl secret rekey --commit',
        ),
        ...lacking(refused, (node) => absentOn(node, run), 'without the file', 'its agent.yaml names the folder'),
      ].join('; ');
    },
  },
  {
    name: 'size',
    code: 'NO_CAPACITY',
    admits: ({ id, node, facts }, { placement, only }) =>
      facts.sized || placement.nodes.some((name) => isCalled(node, name)) || (only?.has(id) ?? false),
    explain: (refused) => `${count(refused)} of unknown capacity, only for services that name it (${listed(refused)})`,
  },
  {
    name: 'cordon',
    code: 'NODES_CORDONED',
    admits: ({ cordon }) => cordon === undefined,
    explain: (refused) => `${count(refused)} cordoned (${listed(refused)})`,
  },
  {
    name: 'taint',
    code: 'NODES_TAINTED',
    admits: ({ node }) => node.information?.level !== 'tainted',
    explain: (refused) => `${count(refused)} tainted (${listed(refused)})`,
  },
  {
    name: 'duplicate',
    code: 'NODES_DUPLICATED',
    admits: ({ node }) => node.duplicate === undefined,
    explain: (refused) => `${count(refused)} with two agents of one identity (${listed(refused)})`,
  },
  {
    name: 'version',
    code: 'VERSION_SKEW',
    admits: ({ node }) => node.foreign === undefined,
    explain: (refused) => `${count(refused)} with an agent of another version of the wire (${listed(refused)})`,
  },
  {
    name: 'disk',
    code: 'NODES_UNWRITABLE',
    admits: ({ node }) => !isUnwritable(node),
    explain: (refused) => `${count(refused)} whose disk takes nothing new (${listed(refused)})`,
  },
  {
    name: 'presence',
    code: 'NODES_AWAY',
    admits: ({ state, node }) => state === 'online' && node.information !== undefined,
    explain: (refused) => {
      const back = refused.filter(({ isBack }) => isBack);
      const silent = refused.filter(({ isBack }) => !isBack);
      return [
        ...(silent.length > 0 ? [`${count(silent)} silent (${listed(silent)})`] : []),
        ...(back.length > 0 ? [`${count(back)} that spoke and did not report yet (${listed(back)}): in a moment`] : []),
      ].join('; ');
    },
  },
  {
    name: 'ledger',
    code: 'LEDGER_UNREAD',
    admits: ({ node }) => node.adopted,
    explain: (refused) => `${count(refused)} whose ledger is being read (${listed(refused)})`,
  },
  {
    name: 'apart',
    code: 'KEPT_APART',
    admits: (candidate, wish, scene) => scene.neighbour(candidate, wish) === undefined,
    explain: (refused, wish, scene) => {
      const [first] = refused;
      const neighbour = first && scene.neighbour(first, wish);
      const where = neighbour?.label === undefined ? 'on it' : `near it by ${neighbour.label}`;
      return `${count(refused)} with ${neighbour?.instance} or its like ${where} (${listed(refused)})`;
    },
  },
  {
    name: 'spread',
    code: 'SPREAD_REQUIRED',
    admits: (candidate, wish, scene) => spreadBlock(candidate, wish, scene) === undefined,
    explain: (refused, wish, scene) => {
      const labels = new Set(refused.flatMap((one) => spreadBlock(one, wish, scene) ?? []));
      return `${count(refused)} not where the fewest instances are by ${[...labels].sort().join(', ')} (${listed(refused)})`;
    },
  },
];

/** What may change from one moment to the next. */
export const momentFilters: readonly Filter[] = [...presentFilters, ...roomFilters];

export const filters: readonly Filter[] = [...standingFilters, ...momentFilters];

/** Which of these candidates lack something, and what. */
function lacking(
  refused: readonly Candidate[],
  lacksOf: (node: Node) => readonly string[],
  what: string,
  hint: string,
): readonly string[] {
  const some = refused.filter(({ node }) => lacksOf(node).length > 0);
  const names = [...new Set(some.flatMap(({ node }) => lacksOf(node)))].sort().join(', ');
  return some.length > 0 ? [`${count(some)} ${what} ${names} (${listed(some)}): ${hint}`] : [];
}

/** What the node's policy would have to allow. */
function missingOn(node: Node, { service, run }: Wish): MissingGrant | undefined {
  return missingGrant(service, run, node.information?.grants ?? []);
}

/** True when `name` is the node's own name or one of its aliases. */
export function isCalled(node: Node, name: string): boolean {
  return node.record.name === name || node.aliases.includes(name);
}

/** True when every rule holds on these labels. */
export function matchesLabels(labels: Readonly<Record<string, string>>, rules: readonly LabelRule[]): boolean {
  return rules.every(({ label, op, values }) => {
    const value = Object.hasOwn(labels, label) ? labels[label] : undefined;
    if (op === 'exists') return value !== undefined;
    if (op === 'not_exists') return value === undefined;
    const named = value !== undefined && values.includes(value);
    return op === 'in' ? named : !named;
  });
}

/** The best runtime of the node for this run spec. */
export function runtimeFor(node: Node, run: RunSpec): RuntimeName | undefined {
  const runtimes = node.information?.runtimes ?? [];
  return runtimesFor[run.virtualization].find((name) => runtimes.some((runtime) => runtime.name === name));
}

/** Labels that variables stand for and the node has not. */
export function missingLabels(labels: Readonly<Record<string, string>>, variables: readonly string[]): string[] {
  const wanted = variables.map((name) => labelOfVariable(name) ?? name);
  return wanted.filter((label) => !Object.hasOwn(labels, label));
}

function unknownFields(node: Node, { fields, asks = [] }: Wish): string[] {
  const known = node.information?.fields ?? [];
  const needed = asks.length === 0 ? fields : [...fields, ...asks];
  return needed.filter((field) => !knows(known, field));
}

/** `disk in (ssd)`, `no gpu`. */
export function formatRule({ label, op, values }: LabelRule): string {
  if (op === 'exists') return label;
  if (op === 'not_exists') return `no ${label}`;
  return `${label} ${op === 'in' ? 'in' : 'not in'} (${values.join(', ')})`;
}
