import { BaseCommand } from '../../base-command.ts';
import { instanceListing } from '../../render/listings.ts';

export default class InstancesLs extends BaseCommand {
  static override description = 'list instances';
  static override aliases = ['instances list'];
  static override strict = false;
  static override usage = 'instances ls [NAME...]';
  static override examples = ['<%= config.bin %> instances ls', '<%= config.bin %> instances ls -o wide'];

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(InstancesLs);
    const api = await this.connect(flags);
    await this.printList(flags.output, await api.instances(argv as string[], this.signal), instanceListing);
  }
}
