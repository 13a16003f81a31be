import { Args } from '@oclif/core';
import { BaseCommand } from '../base-command.ts';
import { renderCause } from '../render/why.ts';

export default class Why extends BaseCommand {
  static override description = 'say why something does not run, down to what stands in the way and what frees it';
  static override args = {
    subject: Args.string({
      required: true,
      description: 'application, service or instance, or the start of its name; a node as node/<name>',
    }),
  };
  static override examples = [
    '<%= config.bin %> why shop.default.web.default',
    '<%= config.bin %> why web.instance.2',
    '<%= config.bin %> why node/pi3',
    '<%= config.bin %> why shop -o json',
  ];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Why);
    const cause = await (await this.connect(flags)).why(args.subject, this.signal);
    await this.printOne(flags.output, cause, {
      name: cause.subject,
      text: (value) => renderCause(value, this.paint()),
    });
  }
}
