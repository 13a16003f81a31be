import { BaseCommand } from '../../../base-command.ts';
import { tokenListing } from '../../../render/tokens.ts';

export default class NodesTokenLs extends BaseCommand {
  static override description = 'list join tokens that have not expired, without their secrets';
  static override aliases = ['nodes token list'];
  static override examples = ['<%= config.bin %> nodes token ls', '<%= config.bin %> nodes token ls -o json'];

  async run(): Promise<void> {
    const { flags } = await this.parse(NodesTokenLs);
    const api = await this.connect(flags);
    await this.printList(flags.output, await api.tokens(this.signal), tokenListing);
  }
}
