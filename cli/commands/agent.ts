import { Flags } from '@oclif/core';
import { keepHeapSmall } from '../../schemas/io/process-heap.ts';
import { BaseCommand } from '../base-command.ts';

export default class Agent extends BaseCommand {
  static override description = 'run an agent in the foreground; agent.yaml in its folder says how it joins';
  static override flags = {
    folder: Flags.directory({ required: true, exists: true, description: 'folder of the agent' }),
  };
  static override examples = ['<%= config.bin %> agent --folder /var/lib/oakctl'];

  async run(): Promise<void> {
    const { flags } = await this.parse(Agent);
    keepHeapSmall();
    const { runAgent } = await import('../../agent/main.ts');
    await runAgent({ folder: flags.folder }, this.signal);
  }
}
