import { BaseCommand } from '../base-command.ts';
import { renderStatus } from '../render/status.ts';

export default class Status extends BaseCommand {
  static override description = 'show how the cluster is doing: sources, services, nodes, what is held and why';
  static override examples = ['<%= config.bin %> status', '<%= config.bin %> status -o json'];

  async run(): Promise<void> {
    const { flags } = await this.parse(Status);
    const api = await this.connect(flags);
    const status = await api.status(this.signal);
    await this.printOne(flags.output, status, {
      name: status.cluster,
      text: (value) => renderStatus(value, api.url, this.paint()),
    });
  }
}
