import { Args } from '@oclif/core';
import { BaseCommand } from '../../base-command.ts';
import { renderNode } from '../../render/details.ts';

export default class NodesInspect extends BaseCommand {
  static override description = 'show everything that is known about a node';
  static override aliases = ['nodes show'];
  static override args = { node: Args.string({ required: true, description: 'name, id or alias of a node' }) };
  static override examples = ['<%= config.bin %> nodes inspect worker-1'];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(NodesInspect);
    const node = await (await this.connect(flags)).node(args.node, this.signal);
    await this.printOne(flags.output, node, { name: node.name, text: (value) => renderNode(value, this.paint()) });
  }
}
