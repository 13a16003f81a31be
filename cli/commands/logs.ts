import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../base-command.ts';

export default class Logs extends BaseCommand {
  static override description = 'print what an instance wrote';
  static override args = {
    instance: Args.string({ required: true, description: 'name of an instance, or the start of it' }),
  };
  static override flags = {
    follow: Flags.boolean({ char: 'f', description: 'go on with what comes' }),
    tail: Flags.integer({ min: 0, description: 'only the last lines' }),
  };
  static override examples = ['<%= config.bin %> logs shop.default.web.default.instance.0 -f --tail 20'];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Logs);
    const api = await this.connect(flags);
    const tail = flags.tail === undefined ? {} : { tail: flags.tail };
    for await (const text of api.logs(args.instance, { follow: flags.follow, ...tail }, this.signal)) {
      process.stdout.write(text);
    }
  }
}
