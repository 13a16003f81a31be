/** May a node be forgotten? What runs on it would be nobody's. */
import type { Now } from '../../schemas/ports.ts';
import { type Problem, problem } from '../../schemas/problem.ts';
import type { NodeRecord, Policy, View } from './model.ts';
import { presenceOf } from './presence.ts';

/** Instances that a message names. */
const mostListed = 5;

/** REFUSED with what is in the way; undefined when it may go. `force` counts for lost nodes only. */
export function refuseRemoval(
  view: Pick<View, 'nodes' | 'copiesOn'>,
  record: NodeRecord,
  { policy, now, force }: { readonly policy: Policy; readonly now: Now; readonly force: boolean },
): Problem | undefined {
  const { id, name } = record;
  const node = view.nodes.get(id);
  if (!node) return undefined;
  const copies = [...(view.copiesOn.get(id)?.values() ?? [])].map(({ instance, copy }) => `${instance}/${copy}`).sort();
  // Before its ledger was read, nobody knows what it carries; but who never came carries nothing.
  const isUnknown = (!node.adopted || node.stale === true) && record.unheard === undefined;
  if (copies.length === 0 && !isUnknown) return undefined;
  const { state } = presenceOf(node, policy, now);
  if (force && state === 'lost') return undefined;
  const subject = `node/${name}`;
  const what = copies.length > 0 ? carries(copies) : 'has not told what it carries';
  if (force) {
    const hint = `oakctl nodes revoke ${name} shuts it out now; it can be removed by --force once it is lost`;
    return problem('REFUSED', `${name} ${what}, and it is ${state}: --force is for lost nodes`, { subject, hint });
  }
  const hint =
    state === 'lost'
      ? `if the machine is gone for good: oakctl nodes rm ${name} --force`
      : copies.length > 0
        ? `oakctl nodes drain ${name} moves what can run elsewhere; for what stays: stop its agent, and say --force once it is lost`
        : 'wait until it has reported';
  return problem('REFUSED', `${name} ${what}`, { subject, hint });
}

function carries(copies: readonly string[]): string {
  const more = copies.length > mostListed ? ` and ${copies.length - mostListed} more` : '';
  const noun = copies.length === 1 ? 'copy' : 'copies';
  return `still has ${copies.length} ${noun}: ${copies.slice(0, mostListed).join(', ')}${more}`;
}
