import { BaseCommand } from '../../base-command.ts';
import { userListing } from '../../render/accounts.ts';

export default class UsersLs extends BaseCommand {
  static override description = 'list the accounts of the cluster';
  static override aliases = ['users list'];
  static override examples = ['<%= config.bin %> users ls', '<%= config.bin %> users ls -o json'];

  async run(): Promise<void> {
    const { flags } = await this.parse(UsersLs);
    const { api } = await this.accounts(flags);
    await this.printList(flags.output, await api.users(this.signal), userListing);
  }
}
