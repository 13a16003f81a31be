import { Flags } from '@oclif/core';
import { BaseCommand } from '../base-command.ts';

export default class Reconciler extends BaseCommand {
  static override description = 'run a reconciler in the foreground, with everything it has in one folder';
  static override flags = {
    folder: Flags.directory({ required: true, exists: true, description: 'folder of the reconciler' }),
  };
  static override examples = ['<%= config.bin %> reconciler --folder /var/lib/oakctl'];

  async run(): Promise<void> {
    const { flags } = await this.parse(Reconciler);
    const { runReconciler } = await import('../../reconciler/main.ts');
    await runReconciler({ folder: flags.folder }, this.signal);
  }
}
