/** What is left alone for a time, in the records. Durable before anybody is told; the plan follows by itself. */
import type { SuspendAnswer } from '../schemas/api.ts';
import { parseServiceName } from '../schemas/names.ts';
import type { Wall } from '../schemas/ports.ts';
import { ProblemError, problem } from '../schemas/problem.ts';
import type { Context } from './context.ts';
import type { ControlPlane, VerbOptions } from './control-plane.ts';
import type { Suspend } from './core/deviations.ts';
import {
  shownSubject,
  suspendedHold,
  suspendedNode,
  suspendedText,
  suspendOf,
  suspendOfNode,
  suspendView,
  wholeCluster,
} from './core/suspends.ts';
import { onceSaved, savedOr, withEntry } from './records-keeper.ts';
import { createSubjectTurns } from './subject-turns.ts';

export interface Suspends extends Pick<ControlPlane, 'suspend' | 'resume'> {
  /** Tells the world what records/ holds: at start. */
  load(): void;
  /** Ends what is over, and what was about a node that is gone. Called every now and then. */
  tick(): void;
}

/** How long it lasts if nobody says, ms. */
const defaultFor = 3_600_000;

export function createSuspends(context: Context): Suspends {
  const { deps, world, keeper, journal } = context;
  const inTurn = createSubjectTurns();
  const put = (subject: string, suspend: Suspend | undefined): void =>
    keeper.change({ suspends: withEntry(keeper.now.suspends, subject, suspend) });
  const tell = (subject: string): void => {
    const suspend = keeper.now.suspends[subject];
    context.apply({ kind: 'suspend', subject, ...(suspend && { suspend }), at: deps.clock.now().mono });
  };
  const shown = (suspend: Suspend) => suspendView(world, suspend);

  /** What suspends the subject together with more than that. */
  const wider = (subject: string): Suspend | undefined => {
    const node = suspendedNode(subject);
    if (node !== undefined) return suspendOfNode(world, node);
    return parseServiceName(subject) ? suspendOf(world, subject) : world.suspends.get(wholeCluster);
  };

  const suspend = async (
    subject: string,
    { for: ms = defaultFor, reason, actor }: VerbOptions,
  ): Promise<SuspendAnswer> => {
    const before = keeper.now.suspends[subject];
    const now = deps.clock.now().wall;
    const next: Suspend = {
      subject,
      actor,
      ...(reason !== undefined && { reason }),
      since: before?.since ?? now,
      until: (now + ms) as Wall,
    };
    put(subject, next);
    await savedOr(keeper, () => {
      if (keeper.now.suspends[subject] === next) put(subject, before);
    });
    tell(subject);
    const view = shown(next);
    journal.add('suspended', view.subject, suspendedText(view));
    return { subject: view.subject, changed: true, suspended: view };
  };

  const resume = async (subject: string, actor: string): Promise<SuspendAnswer> => {
    const suspend = keeper.now.suspends[subject];
    if (!suspend) {
      const other = wider(subject);
      if (other) {
        const { subject: name } = shown(other);
        const message = `it is suspended with ${name === wholeCluster ? 'the cluster' : name}`;
        throw new ProblemError(
          problem('REFUSED', message, { subject: shownSubject(world, subject), hint: `oakctl resume ${name}` }),
        );
      }
      await keeper.saved();
      return { subject: shownSubject(world, subject), changed: false };
    }
    put(subject, undefined);
    await savedOr(keeper, () => {
      if (!keeper.now.suspends[subject]) put(subject, suspend);
    });
    tell(subject);
    journal.add('resumed', shown(suspend).subject, `by ${actor}`);
    return { subject: shown(suspend).subject, changed: true };
  };

  return {
    load() {
      for (const subject of Object.keys(keeper.now.suspends)) tell(subject);
    },

    suspend: (subject, how) => inTurn([subject], () => suspend(subject, how)),
    resume: (subject, actor) => inTurn([subject], () => resume(subject, actor)),

    tick() {
      const { wall } = deps.clock.now();
      for (const suspend of Object.values(keeper.now.suspends)) {
        const { subject, until } = suspend;
        const node = suspendedNode(subject);
        const isGone = node !== undefined && keeper.now.nodes[node]?.revoked !== undefined;
        if (until > wall && !isGone) continue;
        const { subject: name } = shown(suspend);
        put(subject, undefined);
        tell(subject);
        onceSaved(context, () => undefined);
        journal.add('resumed', name, isGone ? 'the node is gone' : 'its time is over');
      }
    },
  };
}

/** REFUSED while something keeps the service as it is: verbs would wait, unseen. */
export function requireGoing({ world }: Pick<Context, 'world'>, service: string): void {
  const suspend = suspendOf(world, service);
  if (!suspend) return;
  const { message, hint = '' } = suspendedHold(world, service, suspend);
  throw new ProblemError(problem('REFUSED', `nothing about it changes: ${message}`, { subject: service, hint }));
}
