import { Args, Flags } from '@oclif/core';
import { usage } from '../../../base-command.ts';
import { RotateCommand } from '../../../rotate-command.ts';

export default class KeysRotateNode extends RotateCommand {
  static override description =
    'give nodes another credential: each fetches it, and the old one ends when the new one is used. With --now the old one is dead at once, and a join token is printed with which the same node gets another';
  static override strict = false;
  static override args = { nodes: Args.string({ description: 'names, ids or aliases of nodes' }) };
  static override flags = {
    ...RotateCommand.rotateFlags,
    all: Flags.boolean({ description: 'every node', exclusive: ['now'] }),
  };
  static override examples = [
    '<%= config.bin %> keys rotate node worker-1',
    '<%= config.bin %> keys rotate node --all',
    '<%= config.bin %> keys rotate node worker-1 --now --yes',
  ];

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(KeysRotateNode);
    const nodes = argv.map(String);
    if (flags.all === nodes.length > 0) usage('name nodes, or say --all', 'oakctl keys rotate node worker-1');
    await this.rotate(flags, 'node', flags.all ? { all: true } : { nodes });
  }
}
