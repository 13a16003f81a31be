import { ListCommand } from '../../list-command.ts';
import { instanceListing } from '../../render/listings.ts';

export default class InstancesLs extends ListCommand {
  static override description = 'list instances';
  static override aliases = ['instances list'];
  static override strict = false;
  static override usage = 'instances ls [NAME...] [--watch]';
  static override examples = [
    '<%= config.bin %> instances ls',
    '<%= config.bin %> instances ls shop.default.web.default -w',
    '<%= config.bin %> instances ls -o name',
  ];

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(InstancesLs);
    const api = await this.connect(flags);
    await this.showList(flags, api, (signal) => api.instances(argv as string[], signal), instanceListing);
  }
}
