import { Args, Flags } from '@oclif/core';
import { BaseCommand, usage } from '../base-command.ts';
import { durationFlag, verbRequest } from '../flags.ts';
import { suspendAnswerText } from '../render/suspends.ts';
import { actorName } from '../services/actor.ts';

export default class Suspend extends BaseCommand {
  static override description =
    'leave something alone for a time: nothing about it changes by itself until then, or until `resume`; what crashes is still restarted in place';
  static override args = {
    subject: Args.string({ required: true, description: '`cluster`, an application, a service, or `node/<name>`' }),
  };
  static override flags = {
    for: durationFlag({ description: 'how long (default 1h)' }),
    reason: Flags.string({ description: 'why, for those who see it; needed where nobody sits at a terminal' }),
  };
  static override examples = [
    '<%= config.bin %> suspend shop --for 30m --reason "data is being repaired"',
    '<%= config.bin %> suspend node/worker-1 --reason "new disk"',
    '<%= config.bin %> suspend cluster --for 2h --reason "no changes during the fair"',
  ];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Suspend);
    if (flags.reason === undefined && !process.stdin.isTTY)
      usage(
        'without a terminal a reason is needed: others will want to know why nothing changes',
        'say it by `--reason`',
      );
    const api = await this.connect(flags);
    const request = { subject: args.subject, ...verbRequest(flags), actor: actorName() };
    const answer = await api.suspend(request, this.signal);
    await this.printOne(flags.output, answer, { name: answer.subject, text: suspendAnswerText });
    this.say(`\`oakctl resume ${answer.subject}\` ends it.`);
  }
}
