import { Args } from '@oclif/core';
import { BaseCommand } from '../../base-command.ts';
import { useContext } from '../../services/contexts.ts';

export default class ContextsUse extends BaseCommand {
  static override description = 'talk to this cluster from now on, unless --context or the environment says otherwise';
  static override args = { name: Args.string({ required: true, description: 'context, or cluster of this machine' }) };
  static override examples = ['<%= config.bin %> contexts use factory'];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ContextsUse);
    await useContext(this.home, args.name);
    const answer = { current: args.name };
    await this.printOne(flags.output, answer, { name: args.name, text: () => `commands talk to ${args.name}` });
  }
}
