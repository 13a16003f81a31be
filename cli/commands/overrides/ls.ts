import { BaseCommand } from '../../base-command.ts';
import { overrideListing } from '../../render/listings.ts';

export default class OverridesLs extends BaseCommand {
  static override description = 'list what deviates from its source, by whom, why, and for how long';
  static override aliases = ['overrides list'];
  static override examples = ['<%= config.bin %> overrides ls'];

  async run(): Promise<void> {
    const { flags } = await this.parse(OverridesLs);
    const api = await this.connect(flags);
    await this.printList(flags.output, await api.overrides(this.signal), overrideListing);
  }
}
