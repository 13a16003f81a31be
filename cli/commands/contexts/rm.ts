import { Args } from '@oclif/core';
import { BaseCommand } from '../../base-command.ts';
import { removeContext } from '../../services/contexts.ts';

export default class ContextsRm extends BaseCommand {
  static override description = 'forget a context; the cluster itself stays as it is';
  static override aliases = ['contexts remove'];
  static override args = { name: Args.string({ required: true, description: 'a context' }) };
  static override examples = ['<%= config.bin %> contexts rm factory'];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ContextsRm);
    await removeContext(this.home, args.name);
    const answer = { removed: args.name };
    await this.printOne(flags.output, answer, { name: args.name, text: () => `${args.name} is forgotten` });
  }
}
