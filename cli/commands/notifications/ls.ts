import { BaseCommand } from '../../base-command.ts';
import { receiverListing } from '../../render/notifications.ts';

export default class NotificationsLs extends BaseCommand {
  static override description =
    'list who is told what is wrong: the receivers in cluster.yaml, and whether they could be reached';
  static override aliases = ['notifications list'];
  static override examples = ['<%= config.bin %> notifications ls', '<%= config.bin %> notifications ls -o json'];

  async run(): Promise<void> {
    const { flags } = await this.parse(NotificationsLs);
    const api = await this.connect(flags);
    await this.printList(flags.output, await api.receivers(this.signal), receiverListing);
  }
}
