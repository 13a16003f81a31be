import { Args } from '@oclif/core';
import { BaseCommand } from '../../base-command.ts';
import { receiverListing } from '../../render/notifications.ts';

export default class NotificationsTest extends BaseCommand {
  static override description = 'send a test to a receiver of notifications, or to all of them';
  static override args = { name: Args.string({ description: 'name of a receiver in cluster.yaml' }) };
  static override examples = ['<%= config.bin %> notifications test', '<%= config.bin %> notifications test ops'];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(NotificationsTest);
    const api = await this.connect(flags);
    await this.printList(flags.output, await api.testReceivers(args.name, this.signal), receiverListing);
  }
}
