import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../base-command.ts';
import { exitCodes } from '../exit-codes.ts';
import { count } from '../render/counts.ts';
import { renderData } from '../render/output.ts';
import { renderProblems } from '../render/problems.ts';
import { writeNew } from '../services/new-file.ts';

export default class Import extends BaseCommand {
  static override description =
    'make a descriptor of a compose file; says what is lost. Variables come from the environment and from .env beside it';
  static override args = {
    file: Args.string({ default: '.', description: 'a compose file, or the folder in which it lies' }),
  };
  static override flags = {
    out: Flags.string({ description: 'write the descriptor there; nothing that exists is changed', helpValue: 'FILE' }),
    name: Flags.string({ description: 'name of the application (default: that of the file, or of its folder)' }),
  };
  static override examples = [
    '<%= config.bin %> import compose.yaml',
    '<%= config.bin %> import compose.yaml --out shop.yaml',
  ];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Import);
    const { importFile } = await import('../services/import.ts');
    const { descriptor, text, problems } = await importFile(args.file, { ...flags, env: process.env });
    if (problems.length > 0) this.say(renderProblems(problems, this.paint('err')));
    if (problems.some(({ severity }) => severity !== 'warning')) this.exit(exitCodes.failed);
    const lost = problems.filter(({ code }) => code === 'COMPOSE_LOST').length;
    if (flags.out !== undefined) await writeNew(flags.out, text, 'open');
    if (flags.output === 'json' || flags.output === 'yaml') this.print(await renderData(flags.output, descriptor));
    else if (flags.out === undefined) this.print(text.trimEnd());
    else this.print(flags.output === 'name' ? flags.out : `${flags.out} is written`);
    this.say(
      lost === 0 ? 'Nothing is lost.' : `${count(lost, 'thing')} of the compose file changed or lost: see above.`,
    );
    if (flags.out !== undefined) this.say(`Next: oakctl validate ${flags.out}, oakctl plan ${flags.out}`);
  }
}
