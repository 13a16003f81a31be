import { Args } from '@oclif/core';
import { BaseCommand } from '../../base-command.ts';
import { cordonText } from '../../render/nodes.ts';
import { actorName } from '../../services/actor.ts';

export default class NodesUncordon extends BaseCommand {
  static override description = 'let a node take instances again, after `nodes cordon` or `nodes drain`';
  static override args = { node: Args.string({ required: true, description: 'name, id or alias of a node' }) };
  static override examples = ['<%= config.bin %> nodes uncordon worker-1'];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(NodesUncordon);
    const api = await this.connect(flags);
    const answer = await api.uncordon(args.node, actorName(), this.signal);
    await this.printOne(flags.output, answer, { name: answer.node, text: cordonText });
  }
}
