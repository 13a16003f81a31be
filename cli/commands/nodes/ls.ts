import { ListCommand } from '../../list-command.ts';
import { nodeListing } from '../../render/listings.ts';

export default class NodesLs extends ListCommand {
  static override description = 'list nodes';
  static override aliases = ['nodes list'];
  static override strict = false;
  static override usage = 'nodes ls [NAME...] [--watch]';
  static override examples = [
    '<%= config.bin %> nodes ls',
    '<%= config.bin %> nodes ls worker-1 worker-2 -o wide',
    '<%= config.bin %> nodes ls -w',
  ];

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(NodesLs);
    const api = await this.connect(flags);
    await this.showList(flags, api, (signal) => api.nodes(argv as string[], signal), nodeListing);
  }
}
