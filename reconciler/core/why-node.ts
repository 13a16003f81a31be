/** A node as a step of what `oakctl why` prints: how it is, what stands in its way, and what ends that. Pure. */
import type { Problem } from '../../schemas/problem.ts';
import type { Cause, ClusterStatus, NodeView } from '../../schemas/views.ts';
import { suspendedText } from './suspends.ts';
import { formatAge } from './view-input.ts';
import { cordonEnd } from './ways-out.ts';

interface Surroundings {
  readonly status: Pick<ClusterStatus, 'conditions'>;
}

/** A node, its problems, and the conditions of the cluster that are about it. */
export function nodeCause({ status }: Surroundings, node: NodeView): Cause {
  const subject = `node/${node.name}`;
  const about = status.conditions.filter((one) => one.subject === subject);
  const own = node.problems.map(({ code, message }): Cause => {
    // The condition says what to do about it, too.
    const same = about.find((one) => one.code === code);
    return same ? problemCause(same) : { subject, code, message, because: [] };
  });
  const told = new Set(own.map(({ code }) => code));
  const conditions = about.filter((one) => !told.has(one.code)).map(problemCause);
  const hint = cordonEnd(node);
  const cordon: readonly Cause[] = node.cordoned
    ? [
        {
          subject,
          code: 'NODES_CORDONED',
          message: `cordoned: ${node.cordoned.cause}`,
          ...(hint && { hint }),
          because: [],
        },
      ]
    : [];
  const asleep: readonly Cause[] = node.suspended
    ? [
        {
          subject,
          code: 'SUSPENDED',
          message: suspendedText(node.suspended),
          hint: `oakctl resume ${node.suspended.subject}`,
          because: [],
        },
      ]
    : [];
  const because = [...(node.state === 'online' ? [] : [absence(node)]), ...asleep, ...cordon, ...own, ...conditions];
  return { subject, message: stateOf(node), because };
}

function stateOf({ state, seen, instances }: NodeView): string {
  if (state === 'expected') return 'expected: nodes.yaml lists it, and it never joined';
  if (state === 'revoked') return 'revoked: its credential is dead';
  const heard = seen === undefined ? 'never heard by this process' : `heard ${formatAge(seen)} ago`;
  return `${state}, ${heard}, ${instances} ${instances === 1 ? 'instance' : 'instances'}`;
}

function absence({ name, state }: NodeView): Cause {
  const subject = `node/${name}`;
  if (state === 'expected') {
    const hint = `oakctl nodes token create --name ${name}`;
    return { subject, code: 'NODES_AWAY', message: 'it has not joined yet', hint, because: [] };
  }
  if (state === 'revoked') {
    const hint = `oakctl nodes rm ${name}, then let it join anew`;
    return { subject, code: 'REVOKED', message: 'its credential was revoked', hint, because: [] };
  }
  const gone = state === 'lost' ? `; if it is gone for good: oakctl nodes rm ${name} --force` : '';
  const hint = `look at the machine, and at the log of its agent${gone}`;
  return { subject, code: 'SILENT_NODE', message: 'its agent does not speak', hint, because: [] };
}

/** One problem, with the line that it is about. */
export function problemCause({ code, subject, message, hint, file, line }: Problem): Cause {
  const where = file === undefined ? (subject ?? '') : `${file}${line === undefined ? '' : `:${line}`}`;
  return { subject: where, code, message, ...(hint && { hint }), because: [] };
}
