import { Args } from '@oclif/core';
import { BaseCommand } from '../base-command.ts';
import { writeStarter } from '../services/init.ts';

export default class Init extends BaseCommand {
  static override description = 'write a descriptor to start from; nothing that exists is changed';
  static override args = { folder: Args.string({ default: '.', description: 'where to write it' }) };
  static override examples = ['<%= config.bin %> init', '<%= config.bin %> init shop'];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Init);
    const file = await writeStarter(args.folder);
    await this.printOne(flags.output, { file }, { name: file, text: () => `${file} is written` });
    this.say(`Next: oakctl validate ${file}, oakctl deploy ${file} (or commit and push it).`);
  }
}
