import { Args, Flags } from '@oclif/core';
import { BaseCommand, usage } from '../base-command.ts';
import { chooseCluster } from '../local/choose.ts';
import { renderStop } from '../render/local.ts';

export default class Stop extends BaseCommand {
  static override description = 'stop a cluster that `up` made, or one worker with its instances; `up` starts it again';
  static override args = { worker: Args.string({ description: 'only this worker' }) };
  static override flags = {
    name: Flags.string({ description: 'name of the cluster' }),
    hard: Flags.boolean({ description: 'kill the worker and its instances at once, as a power cut would' }),
  };
  static override examples = ['<%= config.bin %> stop', '<%= config.bin %> stop worker-1 --hard'];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Stop);
    const { stopCluster, stopWorker } = await import('../local/stop.ts');
    if (flags.hard && !args.worker) usage('--hard stops one worker', 'name it: `oakctl stop worker-1 --hard`');
    const name = await chooseCluster(flags, process.env, this.home);
    const report = args.worker
      ? await stopWorker({ home: this.home, name, worker: args.worker, hard: flags.hard })
      : await stopCluster({ home: this.home, name });
    await this.printOne(flags.output, report, { name, text: renderStop });
  }
}
