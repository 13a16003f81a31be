import { ListCommand } from '../../list-command.ts';
import { appListing } from '../../render/listings.ts';

export default class AppsLs extends ListCommand {
  static override description = 'list applications';
  static override aliases = ['apps list'];
  static override strict = false;
  static override usage = 'apps ls [NAME...] [--watch]';
  static override examples = ['<%= config.bin %> apps ls', '<%= config.bin %> apps ls shop -o json'];

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(AppsLs);
    const api = await this.connect(flags);
    await this.showList(flags, api, (signal) => api.apps(argv as string[], signal), appListing);
  }
}
