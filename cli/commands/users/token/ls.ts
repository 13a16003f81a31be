import { BaseCommand } from '../../../base-command.ts';
import { apiTokenListing } from '../../../render/accounts.ts';

export default class UsersTokenLs extends BaseCommand {
  static override description = 'list the own API tokens, or as an admin all, without their secrets';
  static override aliases = ['users token list'];
  static override examples = ['<%= config.bin %> users token ls', '<%= config.bin %> users token ls -o wide'];

  async run(): Promise<void> {
    const { flags } = await this.parse(UsersTokenLs);
    const { api } = await this.accounts(flags);
    await this.printList(flags.output, await api.apiTokens(this.signal), apiTokenListing);
  }
}
