import { BaseCommand } from '../base-command.ts';
import { readVersions, renderVersions } from '../services/versions.ts';

export default class Version extends BaseCommand {
  static override description = 'print the version of this program and of the reconciler';
  static override examples = ['<%= config.bin %> version'];

  async run(): Promise<void> {
    const { flags } = await this.parse(Version);
    const versions = await readVersions(async () => (await this.connect(flags)).status(this.signal));
    await this.printOne(flags.output, versions, { name: versions.client, text: renderVersions });
    if (versions.skew) this.say(versions.skew);
  }
}
