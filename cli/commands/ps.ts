import { Flags } from '@oclif/core';
import { BaseCommand } from '../base-command.ts';
import { chooseCluster } from '../local/choose.ts';
import { processListing, processRows } from '../local/ps.ts';

export default class Ps extends BaseCommand {
  static override description = 'list the processes of a cluster that `up` made on this machine';
  static override flags = { name: Flags.string({ description: 'name of the cluster' }) };
  static override examples = ['<%= config.bin %> ps'];

  async run(): Promise<void> {
    const { flags } = await this.parse(Ps);
    const name = await chooseCluster(flags, process.env, this.home);
    await this.printList(flags.output, await processRows(this.home, name, this.signal), processListing);
  }
}
