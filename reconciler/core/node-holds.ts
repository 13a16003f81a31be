/** Holds that are about nodes rather than about room on them. */
import type { Mono, Now } from '../../schemas/ports.ts';
import type { Hold } from '../../schemas/status.ts';
import type { Seen } from './classify.ts';
import { seconds } from './health.ts';
import type { Copy, Node, View } from './model.ts';
import { silence } from './signs.ts';

/** Its copy may well run: nobody knows until the node speaks or is given up. */
export function silentHold(subject: string, { node, presence }: Seen, now: Mono): Hold {
  if (node.stale) {
    const message = `its copy is on ${node.record.name}, which is back and has not reported it yet`;
    return { code: 'SILENT_NODE', subject, message };
  }
  const message = `its copy is on ${node.record.name}, which is silent`;
  if (presence.changesAt !== undefined) {
    return {
      code: 'SILENT_NODE',
      subject,
      message: `${message}; it counts as lost in ${seconds(presence.changesAt - now)}`,
    };
  }
  const hint = `if the machine is gone for good: oakctl nodes rm ${node.record.name} --force`;
  return { code: 'SILENT_NODE', subject, message: `${message}; \`replace_after: never\` leaves it there`, hint };
}

/** Its node carries a copy that no ledger explains yet. */
export function unreadHold(subject: string, copy: Copy): Hold {
  return {
    code: 'LEDGER_UNREAD',
    subject,
    message: `copy ${copy.copy} is reported, and the ledger of its node is unread`,
  };
}

/** Half of the cluster at once is more likely a network than a fleet of dead machines. */
export function massLossHold(subject: string, view: View, now: Now): Hold {
  const { silent, known } = silence(view, now);
  return {
    code: 'MASS_LOSS',
    subject,
    message: `its node is lost, and so many others that nothing is replaced: ${silent} of ${known} nodes are silent`,
    hint: 'bring nodes back, or revoke those that are gone for good: oakctl nodes revoke <node>',
  };
}

/** After a start: nobody knows what its node runs, and the service says how long that is waited for. */
export function unheardHold(subject: string, node: Node, changesAt: Mono | undefined, now: Mono): Hold {
  const left = changesAt === undefined ? '' : `; it is replaced in ${seconds(changesAt - now)}`;
  const message = `it was started on ${node.record.name} last, which was not heard since the reconciler started${left}`;
  return { code: 'NODES_AWAY', subject, message };
}

/** The slot of `replicas: every` belongs to a node that is not there. */
export function awayHold(subject: string, node: Node): Hold {
  const message = `it belongs to ${node.record.name}, which is lost; it waits for its return`;
  return { code: 'NODES_AWAY', subject, message };
}
