import { Args } from '@oclif/core';
import { BaseCommand } from '../../base-command.ts';
import { renderService } from '../../render/details.ts';

export default class ServicesInspect extends BaseCommand {
  static override description = 'show a service: where it comes from, its instances, and why one does not run';
  static override aliases = ['services show'];
  static override args = {
    service: Args.string({ required: true, description: 'name of a service, or the start of it' }),
  };
  static override examples = ['<%= config.bin %> services inspect shop.default.web.default'];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ServicesInspect);
    const service = await (await this.connect(flags)).service(args.service, this.signal);
    await this.printOne(flags.output, service, {
      name: service.name,
      text: (value) => renderService(value, this.paint()),
    });
  }
}
