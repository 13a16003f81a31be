/** Plans that people looked at: what is carried out is what they saw, and the first that nodes are told of it is in it. */
import type { ControlPlane } from '../../../reconciler/control-plane.ts';
import type { ControlMessage } from '../../../schemas/messages.ts';
import type { PlanView } from '../../../schemas/views.ts';
import { serviceOf } from './names.ts';
import type { RuleDeps } from './rules.ts';

export interface PlanRules {
  /** Somebody asks for this plan; `now` is what it would be in the turn in which he asks. */
  asked(service: string, seen: PlanView, now: PlanView): Promised;
  /** The reconciler sends a control. */
  controls(message: ControlMessage): void;
  /** The reconciler hears something, or begins: what it does next may have other reasons. */
  stirred(): void;
}

/** A plan that somebody asked for. */
export interface Promised {
  /** It was accepted, and is this version. */
  accepted(digest: string): void;
}

interface Open extends Promised {
  readonly service: string;
  readonly seen: PlanView;
  readonly world: string;
  digest: string | undefined;
  /** When its first copy was said. */
  at: number | undefined;
}

/** What a plan does now, one line for each. What waits for its turn has no node yet, and a token says nothing of it. */
function linesOf({ changes }: PlanView): string[] {
  return changes
    .flatMap(({ action, subject, node }) => (node === undefined ? [] : [`${action} ${subject} ${node}`]))
    .sort();
}

/** All that decides where something goes, as the reconciler shows it, but for this service. */
function worldOf(control: ControlPlane | undefined, service: string): string {
  if (!control) return '';
  const nodes = control.nodes().map(({ id, state, cordoned }) => [id, state, cordoned]);
  const copies = control
    .instances()
    .flatMap((one) => (one.service === service ? [] : [[one.name, one.node, one.copy]]));
  const holds = control.holds().flatMap(({ code, subject }) => (subject.startsWith(service) ? [] : [[code, subject]]));
  return JSON.stringify([nodes, copies, holds, control.overrides().length]);
}

export function createPlanRules({ witness, now, cluster }: RuleDeps): PlanRules {
  const open = new Set<Open>();
  const worldNow = (service: string): string => worldOf(cluster()?.reconciler.control, service);

  const first = (promise: Open, { job, node }: ControlMessage): void => {
    if (promise.at !== undefined && promise.at !== now()) return void open.delete(promise);
    promise.at = now();
    const name = cluster()?.nodes.find(({ id }) => id === node)?.name;
    const isSeen = promise.seen.changes.some(
      ({ action, subject, node: to = name }) =>
        (action === 'start' || action === 'replace') && subject === job.name && to === name,
    );
    if (isSeen || promise.world !== worldNow(promise.service)) return;
    const seen = linesOf(promise.seen).join(', ');
    witness.broken('T2 a plan says what is done', `${job.name} goes to ${name}; the plan was: ${seen}`);
  };

  return {
    asked(service, seen, asked) {
      const promise: Open = {
        service,
        seen,
        world: worldNow(service),
        digest: undefined,
        at: undefined,
        accepted(digest) {
          promise.digest = digest;
          witness.saw(`person: ${service} is carried out as planned`);
          const [was, is] = [linesOf(seen).join(', '), linesOf(asked).join(', ')];
          if (was !== is) witness.broken('T1 only the plan that was seen', `seen was: ${was}; carried out is: ${is}`);
        },
      };
      open.add(promise);
      return promise;
    },
    controls(message) {
      const { command, job, epoch, gen } = message;
      if (open.size === 0 || command !== 'deploy' || job.copy !== `${epoch}.${gen}`) return;
      for (const promise of open)
        if (promise.service === serviceOf(job.name) && promise.digest === job.digest) first(promise, message);
    },
    stirred: () => open.clear(),
  };
}
