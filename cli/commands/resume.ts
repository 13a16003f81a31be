import { Args } from '@oclif/core';
import { BaseCommand } from '../base-command.ts';
import { suspendAnswerText } from '../render/suspends.ts';
import { actorName } from '../services/actor.ts';

export default class Resume extends BaseCommand {
  static override description = 'end what `suspend` began: what changed meanwhile is carried out';
  static override args = {
    subject: Args.string({ required: true, description: '`cluster`, an application, a service, or `node/<name>`' }),
  };
  static override examples = ['<%= config.bin %> resume shop', '<%= config.bin %> resume node/worker-1'];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Resume);
    const api = await this.connect(flags);
    const answer = await api.resume({ subject: args.subject, actor: actorName() }, this.signal);
    await this.printOne(flags.output, answer, { name: answer.subject, text: suspendAnswerText });
  }
}
