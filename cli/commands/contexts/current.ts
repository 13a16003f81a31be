import { BaseCommand } from '../../base-command.ts';
import { contextName } from '../../contexts.ts';

export default class ContextsCurrent extends BaseCommand {
  static override description = 'print the name of the cluster that commands talk to';
  static override examples = [
    '<%= config.bin %> contexts current',
    'OAKCTL_CONTEXT=factory <%= config.bin %> contexts current',
  ];

  async run(): Promise<void> {
    const { flags } = await this.parse(ContextsCurrent);
    const current = await contextName(flags, process.env, this.home);
    await this.printOne(flags.output, { current }, { name: current, text: () => current });
  }
}
