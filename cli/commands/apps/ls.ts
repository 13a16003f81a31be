import { BaseCommand } from '../../base-command.ts';
import { appListing } from '../../render/listings.ts';

export default class AppsLs extends BaseCommand {
  static override description = 'list applications';
  static override aliases = ['apps list'];
  static override strict = false;
  static override usage = 'apps ls [NAME...]';
  static override examples = ['<%= config.bin %> apps ls', '<%= config.bin %> apps ls -o wide'];

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(AppsLs);
    const api = await this.connect(flags);
    await this.printList(flags.output, await api.apps(argv as string[], this.signal), appListing);
  }
}
