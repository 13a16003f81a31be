import { Args, Flags } from '@oclif/core';
import type { PlanRequest } from '../../schemas/api.ts';
import type { PlanView } from '../../schemas/views.ts';
import { BaseCommand } from '../base-command.ts';
import { planExitCodes } from '../exit-codes.ts';
import { differs, renderPlan } from '../render/plan.ts';
import { planRequest } from '../services/plan.ts';

export default class Plan extends BaseCommand {
  static override description =
    'show what would change, where it would run and why there, and change nothing; exit code 0: nothing, 1: something, 2: failed';
  static override strict = false;
  static override args = {
    file: Args.string({ description: 'descriptors as if deployed, or a working copy as if pushed' }),
  };
  static override flags = {
    'as-source': Flags.boolean({
      description: 'take the folder as the whole repository, although it is no working copy',
    }),
    offline: Flags.boolean({
      dependsOn: ['snapshot'],
      description: 'plan here, for the cluster as it was when the snapshot was taken; connects to nothing',
    }),
    snapshot: Flags.string({ dependsOn: ['offline'], description: 'what `oakctl snapshot` wrote' }),
    cluster: Flags.string({ dependsOn: ['offline'], description: 'the cluster that the snapshot must be of' }),
  };
  static override usage = 'plan [FILE... | FOLDER] [--offline --snapshot <file>]';
  static override examples = [
    '<%= config.bin %> plan',
    '<%= config.bin %> plan app.yaml',
    '<%= config.bin %> plan .',
    '<%= config.bin %> plan . --offline --snapshot cluster.json',
  ];

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Plan);
    const request = await planRequest(argv as string[], flags['as-source'], process.stdin);
    const plan = flags.offline
      ? await this.planHere(request, flags.snapshot ?? '', flags.cluster)
      : await (await this.connect(flags)).plan(request, this.signal);
    if (request.asSource) this.say(`As if ${argv[0]} were the head of the repository:`);
    await this.printOne(flags.output, plan, {
      name: plan.changes.map(({ subject }) => subject).join('\n'),
      text: (value) => renderPlan(value, this.paint()),
    });
    const failed = plan.problems.some(({ severity }) => severity !== 'warning');
    this.exit(failed ? planExitCodes.failed : differs(plan) ? planExitCodes.differs : planExitCodes.same);
  }

  /** The same planner, on a snapshot. */
  private async planHere(request: PlanRequest, file: string, cluster: string | undefined): Promise<PlanView> {
    const { readSnapshot } = await import('../services/snapshot.ts');
    const { planOffline } = await import('../../reconciler/plan-main.ts');
    const text = await readSnapshot(file);
    const offline = planOffline({ file, text, ...(cluster !== undefined && { cluster }) }, request);
    this.say(`Offline: ${offline.cluster} as it was at ${new Date(offline.taken).toISOString()}`);
    return offline.plan;
  }

  protected override failureCode(): number {
    return planExitCodes.failed;
  }
}
