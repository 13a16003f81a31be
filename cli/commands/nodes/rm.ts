import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../base-command.ts';
import { confirm } from '../../confirm.ts';
import { actorName } from '../../services/actor.ts';

export default class NodesRm extends BaseCommand {
  static override description = 'forget a node that carries nothing: its credential dies, its name is free again';
  static override aliases = ['nodes remove'];
  static override args = { node: Args.string({ required: true, description: 'name or id of a node' }) };
  static override flags = {
    yes: Flags.boolean({ char: 'y', description: 'do not ask' }),
    force: Flags.boolean({ description: 'forget what a lost node carries, too' }),
  };
  static override examples = [
    '<%= config.bin %> nodes rm worker-1 --yes',
    '<%= config.bin %> nodes rm burnt-down --force',
  ];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(NodesRm);
    const api = await this.connect(flags);
    await confirm(`Remove the node ${args.node} for good?`, flags.yes, this.signal);
    const request = { ...(flags.force && { force: true }), actor: actorName() };
    const answer = await api.removeNode(args.node, request, this.signal);
    await this.printOne(flags.output, answer, { name: answer.removed, text: () => `${answer.removed} is removed` });
  }
}
