/** Progress of a deployment: one line per instance, saying what it waits for. */

import type { HoldCode } from '../../schemas/status.ts';
import type { InstanceView, ServiceView } from '../../schemas/views.ts';
import type { ServiceOutcome } from '../services/outcome.ts';
import { duration } from './ages.ts';
import { reasonText } from './listings.ts';
import { type Paint, paintState } from './paint.ts';

export interface ProgressLine {
  /** Instance or service. */
  readonly key: string;
  readonly text: string;
  /** There is something that it waits for. */
  readonly isWaiting?: boolean;
}

/** Lines for what is not settled yet; an instance that is well has one too, so that a reader sees it arrive. */
export function progressLines(outcomes: readonly ServiceOutcome[], paint: Paint): readonly ProgressLine[] {
  return outcomes.flatMap((outcome) => {
    const { view } = outcome;
    if (!view || view.instances.length === 0 || outcome.message === 'the reconciler does not answer') {
      const message = outcome.message || outcome.verdict;
      return [{ key: outcome.name, text: `${outcome.name}  ${paintState(paint, outcome.verdict)}  ${message}` }];
    }
    return view.instances.map((instance) => instanceLine(instance, view, paint));
  });
}

function instanceLine(instance: InstanceView, view: ServiceView, paint: Paint): ProgressLine {
  const { name: key, healthy } = instance;
  const node = instance.node ? ` on ${instance.node}` : '';
  const status = paintState(paint, healthy ? 'healthy' : instance.status);
  const waits = waitText(instance, view);
  const text = `${key}  ${status}${node}${waits ? `  ${paint.dim(waits)}` : ''}`;
  return { key, text, isWaiting: !healthy || waits !== '' };
}

/** What an instance waits for. One that is healthy may have a copy of another version on its way, of which a hold tells. */
function waitText(instance: InstanceView, view: ServiceView): string {
  const hold = view.holds.find(({ subject }) => subject === instance.name);
  const held = hold && `${hold.code}: ${hold.message}`;
  if (instance.healthy) return held ?? '';
  // IN_PROGRESS only repeats the status.
  return instance.reason?.code === 'IN_PROGRESS' ? '' : (reasonText(instance) ?? held ?? view.message);
}

/** The closing lines: one per service, with what is wrong where something is. `elapsed` in ms. */
export function renderOutcomes(outcomes: readonly ServiceOutcome[], elapsed: number, paint: Paint): string {
  const lines = outcomes.map((outcome) => {
    const { view, verdict, name } = outcome;
    const count = view ? `  ${view.healthy} of ${view.slots} healthy` : '';
    const message = verdict === 'settled' ? '' : `  ${outcome.message}`;
    return [`${name}  ${paintState(paint, verdict)}${count}${message}`, ...culprits(outcome)].join('\n');
  });
  return [...lines, paint.dim(`after ${duration(elapsed)}`)].join('\n');
}

/** Holds that say the same as the verdict. */
const outcomeHolds: ReadonlySet<HoldCode> = new Set(['ROLLED_BACK', 'UPDATE_PAUSED']);

/** Instances that keep a service from its outcome, and what frees a hold. */
function culprits({ verdict, view }: ServiceOutcome): readonly string[] {
  if (verdict === 'settled' || verdict === 'unconfirmed' || !view) return [];
  const sick = view.instances
    .filter((instance) => !instance.healthy)
    .map((instance) => `  ${instance.name}  ${instance.status}  ${reasonText(instance) ?? 'no reason given'}`);
  const holds = view.holds
    .filter((hold) => !outcomeHolds.has(hold.code))
    .map((hold) => `  ${hold.code} ${hold.message}${hold.hint ? ` (${hold.hint})` : ''}`);
  return [...sick, ...holds];
}
