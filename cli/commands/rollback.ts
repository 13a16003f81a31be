import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../base-command.ts';
import { durationFlag, verbRequest } from '../flags.ts';
import { pinText } from '../render/revisions.ts';
import { actorName } from '../services/actor.ts';

export default class Rollback extends BaseCommand {
  static override description =
    'go back to an earlier revision of a source, and stay there for a time (`unpin` ends it); git is not changed';
  static override args = { source: Args.string({ description: 'name of a source, where there are several' }) };
  static override flags = {
    to: Flags.string({ helpValue: '<commit>', description: 'which (default: the last one before that was well)' }),
    for: durationFlag({ description: 'how long it stays there (default 24h)' }),
    reason: Flags.string({ description: 'why, for those who see it' }),
  };
  static override examples = [
    '<%= config.bin %> rollback --reason "checkout is slow"',
    '<%= config.bin %> rollback --to 5d41402 --for 2h',
  ];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Rollback);
    const api = await this.connect(flags);
    const wish = {
      ...(args.source !== undefined && { source: args.source }),
      ...(flags.to !== undefined && { to: flags.to }),
      ...verbRequest(flags),
      actor: actorName(),
    };
    const pin = await api.rollback(wish, this.signal);
    await this.printOne(flags.output, pin, { name: pin.commit, text: (one) => `${one.source} ${pinText(one)}` });
    this.say('`oakctl status` shows how it goes; `oakctl unpin` follows the head again.');
  }
}
