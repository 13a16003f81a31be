import { Flags } from '@oclif/core';
import { keepHeapSmall } from '../../schemas/io/process-heap.ts';
import { BaseCommand } from '../base-command.ts';
import { insecureFlag } from '../flags.ts';

export default class Reconciler extends BaseCommand {
  static override description = 'run a reconciler in the foreground, with everything it has in one folder';
  static override flags = {
    folder: Flags.directory({ required: true, exists: true, description: 'folder of the reconciler' }),
    [insecureFlag]: Flags.boolean({
      description: 'listen outside loopback without TLS; every token and password can be read on the way',
    }),
  };
  static override examples = ['<%= config.bin %> reconciler --folder /var/lib/oakctl'];

  async run(): Promise<void> {
    const { flags } = await this.parse(Reconciler);
    keepHeapSmall();
    const { runReconciler } = await import('../../reconciler/main.ts');
    await runReconciler({ folder: flags.folder, insecure: flags[insecureFlag] }, this.signal);
  }
}
