import { Args } from '@oclif/core';
import { BaseCommand } from '../base-command.ts';
import { exitCodes } from '../exit-codes.ts';
import { count } from '../render/counts.ts';
import { renderData } from '../render/output.ts';
import { renderProblems } from '../render/problems.ts';
import { isFolder, readDocuments, readFolder } from '../services/documents.ts';

export default class Validate extends BaseCommand {
  static override description =
    'check descriptors, nodes.yaml and settings without a cluster; -o yaml prints them with defaults filled in';
  static override strict = false;
  static override args = {
    file: Args.string({ description: 'files, one folder, or - for standard input (default: this folder)' }),
  };
  static override usage = 'validate [FILE... | FOLDER]';
  static override examples = ['<%= config.bin %> validate .', '<%= config.bin %> validate app.yaml -o yaml'];

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Validate);
    const paths = argv.length > 0 ? (argv as string[]) : ['.'];
    const { validateFiles, validateFolder } = await import('../services/validate.ts');
    const [first = '.'] = paths;
    const asFolder = paths.length === 1 && first !== '-' && (await isFolder(first));
    const found = asFolder
      ? validateFolder(await readFolder(first))
      : validateFiles(await readDocuments(paths, process.stdin));
    if (found.problems.length > 0) this.say(renderProblems(found.problems, this.paint('err')));
    if (found.problems.some(({ severity }) => severity !== 'warning')) this.exit(exitCodes.failed);
    const sum = `${count(found.checked.length, 'file')} checked, ${count(found.services.length, 'service')}, ${count(found.ignored.length, 'file')} ignored`;
    if (flags.output === 'table' || flags.output === 'wide') this.print(`${this.paint().good('valid')}: ${sum}`);
    else if (flags.output === 'name') this.print(found.services.map(({ spec }) => spec.name).join('\n'));
    else {
      const { toDescriptor } = await import('../../schemas/descriptor.ts');
      this.print(await renderData(flags.output, toDescriptor(found.services)));
    }
  }
}
