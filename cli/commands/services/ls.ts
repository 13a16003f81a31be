import { ListCommand } from '../../list-command.ts';
import { serviceListing } from '../../render/listings.ts';

export default class ServicesLs extends ListCommand {
  static override description = 'list services';
  static override aliases = ['services list'];
  static override strict = false;
  static override usage = 'services ls [NAME...] [--watch]';
  static override examples = [
    '<%= config.bin %> services ls',
    '<%= config.bin %> services ls shop -o wide',
    '<%= config.bin %> services ls -w',
  ];

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(ServicesLs);
    const api = await this.connect(flags);
    await this.showList(flags, api, (signal) => api.services(argv as string[], signal), serviceListing);
  }
}
