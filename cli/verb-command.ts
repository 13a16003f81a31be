/** What verbs on services share: the answer is said, then the outcome waited for as after a deployment. */
import { Flags } from '@oclif/core';
import type { SlotAnswer, VerbAnswer } from '../schemas/api.ts';
import type { ApiClient } from '../schemas/io/api-client.ts';
import { parseInstanceName } from '../schemas/names.ts';
import type { Outcome } from '../schemas/views.ts';
import { BaseCommand } from './base-command.ts';
import { durationFlag } from './flags.ts';
import { createProgress } from './progress.ts';
import type { OutputFormat } from './render/output.ts';
import { progressLines, renderOutcomes } from './render/progress.ts';
import { commitText, overrideNote } from './render/verbs.ts';
import type { CommitNote } from './services/commit-edit.ts';
import { defaultTimeout } from './services/deploy.ts';
import {
  changeGoesOn,
  exitCodeOfOutcomes,
  type ServiceOutcome,
  type Wanted,
  waitForOutcomes,
} from './services/outcome.ts';
import { checkPlaced } from './services/placed.ts';
import { checkRestarted } from './services/restarted.ts';

export const waitFlags = {
  timeout: durationFlag({ description: 'how long to wait at most (default 11m)' }),
  detach: Flags.boolean({ char: 'd', description: 'do not wait for the outcome' }),
};

export interface VerbWait {
  readonly output: OutputFormat;
  readonly timeout?: number | undefined;
  readonly detach: boolean;
}

/** What a verb prints. */
export interface VerbResult extends VerbAnswer {
  /** Of a verb with --commit. */
  readonly commit?: CommitNote;
  /** Empty when nobody waited. */
  readonly outcomes: readonly ServiceOutcome[];
}

/** What a verb on one instance prints. */
interface SlotResult extends SlotAnswer {
  readonly outcomes: readonly ServiceOutcome[];
}

/** Base of verbs on one service. */
export abstract class VerbCommand extends BaseCommand {
  /** Says what was taken, waits, prints, and ends with the exit code of the outcome. `goal`: what counts as done beside settled. */
  protected async conclude(
    api: ApiClient,
    answer: VerbAnswer & Pick<VerbResult, 'commit'>,
    how: VerbWait & { readonly text: string; readonly goal?: Outcome },
  ): Promise<void> {
    const started = performance.now();
    this.say(`${answer.service}: ${answer.changed ? how.text : `${how.text} already`}${overrideNote(answer.override)}`);
    if (answer.commit) this.say(commitText(answer.commit));
    const wanted = [{ name: answer.service, digest: answer.digest }];
    const reached = how.detach ? [] : await this.reach(api, wanted, how);
    const outcomes = reached.map((outcome) => checkRestarted(outcome, answer));
    await this.finish<VerbResult>(how, answer.service, { ...answer, outcomes }, started);
  }

  /** As `conclude`, of one instance: the service is to settle, and the instance to be where it was told to be. */
  protected async concludeSlot(
    api: ApiClient,
    answer: SlotAnswer,
    how: VerbWait & { readonly text: string },
  ): Promise<void> {
    const started = performance.now();
    this.say(`${answer.instance} ${how.text}${overrideNote(answer.override)}`);
    const service = parseInstanceName(answer.instance)?.service;
    const view = how.detach || service === undefined ? undefined : await api.service(service, this.signal);
    const reached = view ? await this.reach(api, [{ name: view.name, digest: view.digest }], how) : [];
    const outcomes = reached.map((outcome) => checkPlaced(outcome, answer));
    await this.finish<SlotResult>(how, answer.instance, { ...answer, outcomes }, started);
  }

  /** Prints the result, and ends with its exit code. */
  private async finish<R extends VerbResult | SlotResult>(
    how: VerbWait,
    name: string,
    value: R,
    started: number,
  ): Promise<void> {
    await this.printOne(how.output, value, {
      name,
      text: () => (how.detach ? '' : renderOutcomes(value.outcomes, performance.now() - started, this.paint())),
    });
    this.exit(exitCodeOfOutcomes(value.outcomes));
  }

  /** Waits for the outcome, and shows on stderr what it waits for. */
  private async reach(
    api: ApiClient,
    wanted: readonly Wanted[],
    how: Pick<VerbWait, 'timeout'> & { readonly goal?: Outcome },
  ): Promise<readonly ServiceOutcome[]> {
    const progress = createProgress(process.stderr);
    const options = {
      timeout: how.timeout ?? defaultTimeout,
      interval: 100,
      ...(how.goal ? { goal: how.goal } : {}),
      progress: (now: Parameters<typeof progressLines>[0]) => progress.show(progressLines(now, this.paint('err'))),
    };
    this.goesOn = changeGoesOn;
    const reached = await waitForOutcomes(api, wanted, options, this.signal);
    progress.end();
    return reached;
  }
}
