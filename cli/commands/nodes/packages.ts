import { BaseCommand } from '../../base-command.ts';
import { packageListing } from '../../render/packages.ts';
import { renderProblems } from '../../render/problems.ts';

export default class NodesPackages extends BaseCommand {
  static override summary = 'list the packages of the agent that new machines get from the reconciler';
  static override description =
    'That for machines like the one of the reconciler is made when it is first needed. Those for others come from `npm run package -- --arch arm64` in a clone of the repository.';
  static override examples = ['<%= config.bin %> nodes packages', '<%= config.bin %> nodes packages -o json'];

  async run(): Promise<void> {
    const { flags } = await this.parse(NodesPackages);
    const stock = await (await this.connect(flags)).packages(this.signal);
    await this.printList(flags.output, stock.items, packageListing);
    if (stock.problem) this.say(renderProblems([{ ...stock.problem, severity: 'warning' }], this.paint('err')));
    this.say(
      `Served from ${stock.folder}. Others: npm run package -- --arch <arm64|armv7|amd64> --into ${stock.folder}`,
    );
  }
}
