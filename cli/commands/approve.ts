import { Args } from '@oclif/core';
import { BaseCommand } from '../base-command.ts';
import { actorName } from '../services/actor.ts';

export default class Approve extends BaseCommand {
  static override description = 'let a held change go on; `status` shows what is held, with its id';
  static override args = {
    hold: Args.string({ required: true, description: 'id of a hold, or the commit of a source that waits' }),
  };
  static override examples = ['<%= config.bin %> approve 3f2a9c', '<%= config.bin %> approve 5d41402abc4b2a76'];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Approve);
    const api = await this.connect(flags);
    const answer = await api.approve({ id: args.hold, actor: actorName() }, this.signal);
    await this.printOne(flags.output, answer, { name: answer.approved, text: () => `${answer.approved} is approved` });
  }
}
