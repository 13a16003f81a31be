/** Nodes as people see them: those that joined, those that nodes.yaml expects, and those that were revoked. */

import { formatAdvertised } from '../../schemas/addresses.ts';
import { type Problem, problem } from '../../schemas/problem.ts';
import { holdCodes } from '../../schemas/status.ts';
import type { NodeState, NodeView } from '../../schemas/views.ts';
import type { Cordon } from './deviations.ts';
import { drainView } from './drain-view.ts';
import type { Listing, Node, NodeRecord } from './model.ts';
import { capacityOf, cordonOf, labelsOf } from './node-facts.ts';
import { isBack, presenceOf } from './presence.ts';
import { suspendOfNode, suspendView } from './suspends.ts';
import { foreignProblem, skewOf } from './version-skew.ts';
import { formatAge, optional, type ViewInput } from './view-input.ts';

const defaultPool = 'default';

/** All nodes, by name. */
export function nodeViews(input: ViewInput): readonly NodeView[] {
  return [
    ...joinedNodes(input).map((node) => joinedView(input, node)),
    ...[...input.view.expected.values()].map(expectedView),
    ...revokedNodes(input).map(revokedView),
  ].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** The node that joined under exactly this name, or has this id: the others are not looked at. */
export function nodeView(input: ViewInput, text: string): NodeView | undefined {
  const { nodes, names } = input.view;
  const node = nodes.get(names.get(text) ?? text);
  return node && node.record.revoked === undefined ? joinedView(input, node) : undefined;
}

/** How many nodes are in each state. */
export function nodeCounts(input: ViewInput): Record<NodeState, number> {
  const counts = { online: 0, suspect: 0, lost: 0, expected: input.view.expected.size, revoked: 0 };
  for (const node of joinedNodes(input)) counts[presenceOf(node, input.policy, input.now).state] += 1;
  return { ...counts, revoked: revokedNodes(input).length };
}

function joinedNodes({ view }: ViewInput): readonly Node[] {
  return [...view.nodes.values()].filter(({ record }) => record.revoked === undefined);
}

function revokedNodes({ records }: ViewInput): readonly NodeRecord[] {
  return Object.values(records.nodes).filter(({ revoked, removed }) => revoked !== undefined && removed === undefined);
}

function joinedView(input: ViewInput, node: Node): NodeView {
  const { record, listing, information } = node;
  const { id, name } = record;
  const reserved = input.view.reserved.get(id);
  const suspended = suspendOfNode(input.view, id);
  return {
    name,
    id,
    aliases: node.aliases,
    state: presenceOf(node, input.policy, input.now).state,
    ...optional('dialect', record.dialect),
    ...optional('cordoned', cordonView(cordonOf(node, input.policy))),
    ...optional('drain', drainView(input, node)),
    ...optional('suspended', suspended && suspendView(input.view, suspended)),
    listed: listing !== undefined,
    ...optional('ip', information?.ip ?? listing?.ip),
    ...optional('advertise', information?.advertise && formatAdvertised(information.advertise)),
    pool: listing?.pool ?? defaultPool,
    labels: labelsOf(node) ?? {},
    ...optional('location', listing?.location ?? information?.location),
    ...optional('capacity', capacityOf(node)),
    used: { cpu: reserved?.vcpus ?? 0, memory: reserved?.memory ?? 0 },
    ...optional('usage', information && { cpu: information.cpu, memory: information.memory }),
    runtimes: information?.runtimes.map((runtime) => runtime.name) ?? [],
    ...optional('arch', information?.arch),
    ...optional('version', information?.version),
    ...optional('recipient', record.recipient),
    ...optional('secrets', information?.secrets),
    ...optional('skew', skewOf(node)),
    instances: instancesOn(node),
    ...optional('seen', node.heard === undefined ? undefined : Math.max(0, input.now.mono - node.heard)),
    problems: problemsOf(input, node),
  };
}

function expectedView(listing: Listing): NodeView {
  return {
    name: listing.name,
    aliases: [],
    state: 'expected',
    ...optional('cordoned', listing.cordon === true ? { cause: 'nodes.yaml' } : undefined),
    listed: true,
    ...optional('ip', listing.ip),
    pool: listing.pool ?? defaultPool,
    labels: listing.labels,
    ...optional('location', listing.location),
    runtimes: [],
    instances: 0,
    problems: [],
  };
}

function revokedView({ id, name }: NodeRecord): NodeView {
  return {
    name,
    id,
    aliases: [],
    state: 'revoked',
    listed: false,
    pool: defaultPool,
    labels: {},
    runtimes: [],
    instances: 0,
    problems: [],
  };
}

function cordonView(cordon: Cordon | undefined): NodeView['cordoned'] {
  if (!cordon) return undefined;
  const { drain: _shownApart, ...shown } = cordon;
  return shown;
}

function shortOf({ code, message }: Problem): NodeView['problems'][number] {
  return { code, message };
}

/** Two agents with the identity of one node: what people are told of it, wherever they look. */
export function duplicateProblem({ record, duplicate }: Node): Problem {
  const from = duplicate?.from === undefined ? '' : `; the one that is turned away comes from ${duplicate.from}`;
  return problem('DUPLICATE_NODE', `two agents with the identity of ${record.name} are alive${from}`, {
    subject: `node/${record.name}`,
    hint: `stop one of them, or let it join under a name of its own; nothing new is placed on ${record.name} until then`,
  });
}

/** ms for which it is shown that the machine from before asked to be let in. It asks every minute or so. */
const formerFor = 600_000;

function formerText(age: number): string {
  return `the machine that it was before it was replaced asked to be let in ${formatAge(age)} ago, and was refused: what runs there is nobody's`;
}

function instancesOn({ part }: Node): number {
  return new Set(part.jobs.filter(({ want }) => want === 'run').map(({ instance }) => instance)).size;
}

function problemsOf(input: ViewInput, node: Node): NodeView['problems'] {
  const own = node.information?.problems ?? [];
  const unread = node.heard !== undefined && !node.adopted && !input.view.recovering;
  const gone = node.gone && {
    code: 'GONE',
    message: `its connection ended ${formatAge(input.now.mono - node.gone.at)} ago${node.gone.reason ? `: ${node.gone.reason}` : ''}`,
  };
  const foreign = foreignProblem(node);
  const unproven = input.unproven?.get(node.record.id);
  const unsaid = !unread && !foreign && isBack(node, input.policy, input.now);
  const message = 'it spoke and did not report yet: nothing new is placed there before';
  const former =
    node.former === undefined || input.now.mono - node.former > formerFor
      ? undefined
      : { code: 'REVOKED', message: formerText(input.now.mono - node.former) };
  return [
    ...(former ? [former] : []),
    ...(node.duplicate ? [shortOf(duplicateProblem(node))] : []),
    ...(unproven ? [shortOf(unproven)] : []),
    ...(foreign ? [shortOf(foreign)] : []),
    ...(gone ? [gone] : []),
    ...(unsaid ? [{ code: 'NOT_REPORTED', message }] : []),
    ...(unread ? [{ code: 'LEDGER_UNREAD', message: holdCodes.LEDGER_UNREAD }] : []),
    ...own,
  ];
}
