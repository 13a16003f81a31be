import { BaseCommand } from '../../base-command.ts';
import { serviceListing } from '../../render/listings.ts';

export default class ServicesLs extends BaseCommand {
  static override description = 'list services';
  static override aliases = ['services list'];
  static override strict = false;
  static override usage = 'services ls [NAME...]';
  static override examples = ['<%= config.bin %> services ls', '<%= config.bin %> services ls -o wide'];

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(ServicesLs);
    const api = await this.connect(flags);
    await this.printList(flags.output, await api.services(argv as string[], this.signal), serviceListing);
  }
}
