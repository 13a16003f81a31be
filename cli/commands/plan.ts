import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../base-command.ts';
import { planExitCodes } from '../exit-codes.ts';
import { differs, renderPlan } from '../render/plan.ts';
import { planRequest } from '../services/plan.ts';

export default class Plan extends BaseCommand {
  static override description =
    'show what would change, and change nothing; exit code 0: nothing, 1: something, 2: failed';
  static override strict = false;
  static override args = {
    file: Args.string({ description: 'descriptors as if deployed, or a working copy as if pushed' }),
  };
  static override flags = {
    'as-source': Flags.boolean({
      description: 'take the folder as the whole repository, although it is no working copy',
    }),
  };
  static override usage = 'plan [FILE... | FOLDER]';
  static override examples = ['<%= config.bin %> plan', '<%= config.bin %> plan app.yaml', '<%= config.bin %> plan .'];

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Plan);
    const request = await planRequest(argv as string[], flags['as-source'], process.stdin);
    const plan = await (await this.connect(flags)).plan(request, this.signal);
    if (request.asSource) this.say(`As if ${argv[0]} were the head of the repository:`);
    await this.printOne(flags.output, plan, {
      name: plan.changes.map(({ subject }) => subject).join('\n'),
      text: (value) => renderPlan(value, this.paint()),
    });
    const failed = plan.problems.some(({ severity }) => severity !== 'warning');
    this.exit(failed ? planExitCodes.failed : differs(plan) ? planExitCodes.differs : planExitCodes.same);
  }

  protected override failureCode(): number {
    return planExitCodes.failed;
  }
}
