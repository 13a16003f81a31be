import { BaseCommand } from '../../base-command.ts';
import { registryListing } from '../../render/registries.ts';

export default class RegistriesLs extends BaseCommand {
  static override description = 'list what registries.yaml on the reconciler says: logins without passwords, mirrors';
  static override aliases = ['registries list'];
  static override examples = ['<%= config.bin %> registries ls', '<%= config.bin %> registries ls -o json'];

  async run(): Promise<void> {
    const { flags } = await this.parse(RegistriesLs);
    const api = await this.connect(flags);
    await this.printList(flags.output, await api.registries(this.signal), registryListing);
  }
}
