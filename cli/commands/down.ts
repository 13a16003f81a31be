import { Flags } from '@oclif/core';
import { BaseCommand } from '../base-command.ts';
import { confirm } from '../confirm.ts';
import { chooseCluster } from '../local/choose.ts';
import { renderDown } from '../render/local.ts';

export default class Down extends BaseCommand {
  static override description =
    'remove containers, networks and processes of a cluster that `up` made; keeps repository, volumes and identity';
  static override aliases = ['rm'];
  static override flags = {
    name: Flags.string({ description: 'name of the cluster' }),
    purge: Flags.boolean({ description: 'remove repository, volumes and identity too' }),
    yes: Flags.boolean({ char: 'y', description: 'do not ask' }),
  };
  static override examples = ['<%= config.bin %> down', '<%= config.bin %> down --purge --yes'];

  async run(): Promise<void> {
    const { flags } = await this.parse(Down);
    const { down } = await import('../local/stop.ts');
    const name = await chooseCluster(flags, process.env, this.home);
    if (flags.purge) {
      await confirm(`Remove ${name} with its repository, volumes and identity for good?`, flags.yes, this.signal);
    }
    const report = await down({ home: this.home, name, purge: flags.purge });
    await this.printOne(flags.output, report, { name, text: renderDown });
  }
}
