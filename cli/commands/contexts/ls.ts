import { BaseCommand } from '../../base-command.ts';
import { contextListing } from '../../render/contexts.ts';
import { contextRows } from '../../services/contexts.ts';

export default class ContextsLs extends BaseCommand {
  static override description = 'list the clusters that commands can talk to; * marks the current one';
  static override aliases = ['contexts list'];
  static override examples = ['<%= config.bin %> contexts ls', '<%= config.bin %> contexts ls -o wide'];

  async run(): Promise<void> {
    const { flags } = await this.parse(ContextsLs);
    await this.printList(flags.output, await contextRows(this.home, process.env), contextListing);
  }
}
