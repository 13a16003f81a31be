import { ListCommand } from '../../list-command.ts';
import { keyListing } from '../../render/keys.ts';

export default class KeysLs extends ListCommand {
  static override description =
    'list the keys of the cluster: who trusts them, how old they are, and how many nodes have taken them over; never a secret';
  static override aliases = ['keys list'];
  static override examples = ['<%= config.bin %> keys ls', '<%= config.bin %> keys ls --watch'];

  async run(): Promise<void> {
    const { flags } = await this.parse(KeysLs);
    const api = await this.connect(flags);
    await this.showList(flags, api, api.keys, keyListing(Date.now()));
  }
}
