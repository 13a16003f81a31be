/** What rotations share: a question where something is given up at once, the request, and what there is to do about it. */
import { Flags } from '@oclif/core';
import type { RotateBody } from '../schemas/keys.ts';
import { BaseCommand } from './base-command.ts';
import { confirm } from './confirm.ts';
import { durationFlag } from './flags.ts';
import { renderRotated, rotationNotes } from './render/keys.ts';
import type { OutputFormat } from './render/output.ts';
import { actorName } from './services/actor.ts';

export interface RotateFlags {
  readonly output: OutputFormat;
  readonly now: boolean;
  readonly yes: boolean;
  readonly overlap?: number | undefined;
  readonly context?: string | undefined;
  readonly api?: string | undefined;
  readonly 'token-file'?: string | undefined;
  readonly 'ca-file'?: string | undefined;
}

const questions = {
  cluster: 'Give up the signing key at once, and revoke all join tokens?',
  ca: 'Give up the root at once, and revoke all join tokens?',
  node: 'Cut these nodes off until they join again by hand?',
};

export abstract class RotateCommand extends BaseCommand {
  static rotateFlags = {
    now: Flags.boolean({ description: 'for a key that somebody else may have: the old one is worth nothing at once' }),
    overlap: durationFlag({
      exclusive: ['now'],
      description:
        'for how long the old one counts as well, at least (default 7d; of nodes: until the new one is used)',
    }),
    yes: Flags.boolean({ char: 'y', description: 'do not ask' }),
  };

  protected async rotate(
    flags: RotateFlags,
    kind: RotateBody['kind'],
    which: Pick<RotateBody, 'nodes' | 'all'> = {},
  ): Promise<void> {
    const api = await this.connect(flags);
    if (flags.now) await confirm(questions[kind], flags.yes, this.signal);
    const how = { ...(flags.now && { now: true }), ...(flags.overlap !== undefined && { overlap: flags.overlap }) };
    const answer = await api.rotateKeys({ kind, ...which, ...how, actor: actorName() }, this.signal);
    await this.printOne(flags.output, answer, { name: answer.id ?? answer.nodes.join('\n'), text: renderRotated });
    for (const note of rotationNotes(answer, flags.now)) this.say(note);
  }
}
