/** What is suspended, by whom and until when: how that reaches a service or a node, and how it is said. */
import { type NodeId, parseServiceName, type ServiceName } from '../../schemas/names.ts';
import type { Hold } from '../../schemas/status.ts';
import type { SuspendView } from '../../schemas/views.ts';
import type { Action } from './action.ts';
import type { Suspend } from './deviations.ts';
import type { View } from './model.ts';

type Known = Pick<View, 'suspends'>;

/** The subject of a suspension of everything. */
export const wholeCluster = 'cluster';

const ofNodes = 'node/';

/** The subject of a suspension of one node. */
export function nodeSubject(id: NodeId): string {
  return `${ofNodes}${id}`;
}

/** Undefined: the subject is no node. */
export function suspendedNode(subject: string): NodeId | undefined {
  return subject.startsWith(ofNodes) ? subject.slice(ofNodes.length) : undefined;
}

/** What suspends a service. Of several the widest: whoever ends that finds the next one. */
export function suspendOf({ suspends }: Known, service: ServiceName): Suspend | undefined {
  if (suspends.size === 0) return undefined;
  const parts = parseServiceName(service);
  const app = parts && suspends.get(`${parts.app}.${parts.appNamespace}`);
  return suspends.get(wholeCluster) ?? app ?? suspends.get(service);
}

/** What suspends a node, the widest. */
export function suspendOfNode({ suspends }: Known, node: NodeId): Suspend | undefined {
  return suspends.size === 0 ? undefined : (suspends.get(wholeCluster) ?? suspends.get(nodeSubject(node)));
}

/** Does a suspension of this subject reach the service by its name? */
export function covers(subject: string, service: ServiceName): boolean {
  return subject === wholeCluster || subject === service || service.startsWith(`${subject}.`);
}

/** As people see it: nodes by their names. */
export function suspendView(view: Pick<View, 'nodes'>, suspend: Suspend): SuspendView {
  return { ...suspend, subject: shownSubject(view, suspend.subject) };
}

/** The subject with the name of its node, if it is one. */
export function shownSubject({ nodes }: Pick<View, 'nodes'>, subject: string): string {
  const id = suspendedNode(subject);
  return id === undefined ? subject : nodeSubject(nodes.get(id)?.record.name ?? id);
}

/** All of them, by subject. */
export function suspendViews(view: Pick<View, 'nodes' | 'suspends'>): readonly SuspendView[] {
  return [...view.suspends.values()]
    .map((suspend) => suspendView(view, suspend))
    .sort((a, b) => (a.subject < b.subject ? -1 : 1));
}

/** `subject` is as it is, whatever is wanted of it. */
export function suspendedHold(view: Pick<View, 'nodes'>, subject: string, suspend: Suspend): Hold {
  const shown = suspendView(view, suspend);
  const message = subject === shown.subject ? suspendedText(shown) : `${shown.subject} is ${suspendedText(shown)}`;
  return { code: 'SUSPENDED', subject, message, hint: `oakctl resume ${shown.subject}` };
}

/** By whom, until when, and why. */
export function suspendedText({ actor, reason, until }: Omit<SuspendView, 'subject' | 'since'>): string {
  const why = reason === undefined ? '' : `: ${reason}`;
  return `suspended by ${actor} until ${new Date(until).toISOString().slice(0, 19)}Z${why}`;
}

/** Of actions that each stand for themselves: those on suspended nodes wait. */
export function withheld(
  view: Pick<View, 'nodes' | 'suspends'>,
  actions: readonly Action[],
): { readonly actions: readonly Action[]; readonly holds: readonly Hold[] } {
  if (view.suspends.size === 0) return { actions, holds: [] };
  const holds = new Map<string, Hold>();
  const rest = actions.filter(({ node, instance }) => {
    const suspend = suspendOfNode(view, node);
    if (suspend) holds.set(instance, suspendedHold(view, instance, suspend));
    return suspend === undefined;
  });
  return { actions: rest, holds: [...holds.values()] };
}
