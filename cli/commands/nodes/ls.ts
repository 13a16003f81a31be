import { BaseCommand } from '../../base-command.ts';
import { nodeListing } from '../../render/listings.ts';

export default class NodesLs extends BaseCommand {
  static override description = 'list nodes';
  static override aliases = ['nodes list'];
  static override strict = false;
  static override usage = 'nodes ls [NAME...]';
  static override examples = ['<%= config.bin %> nodes ls', '<%= config.bin %> nodes ls -o wide'];

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(NodesLs);
    const api = await this.connect(flags);
    await this.printList(flags.output, await api.nodes(argv as string[], this.signal), nodeListing);
  }
}
