import { Args, Flags } from '@oclif/core';
import type { PlanRequest } from '../../schemas/api.ts';
import type { ApiClient } from '../../schemas/io/api-client.ts';
import type { PlanView } from '../../schemas/views.ts';
import { BaseCommand } from '../base-command.ts';
import { planExitCodes } from '../exit-codes.ts';
import { differs, renderPlan } from '../render/plan.ts';
import { planRequest, withSource } from '../services/plan.ts';
import type { PlannedFor } from '../services/plan-file.ts';

type Planned = PlannedFor & { readonly request: PlanRequest; readonly plan: PlanView };

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
    source: Flags.string({ description: 'the git source that the folder stands for, where the cluster has several' }),
    out: Flags.string({ description: 'file to write the plan to, for `deploy --plan`' }),
    cluster: Flags.string({ dependsOn: ['offline'], description: 'the cluster that the snapshot must be of' }),
  };
  static override usage = 'plan [FILE... | FOLDER] [--source <name>] [--out <file>] [--offline --snapshot <file>]';
  static override examples = [
    '<%= config.bin %> plan',
    '<%= config.bin %> plan app.yaml',
    '<%= config.bin %> plan .',
    '<%= config.bin %> plan . --source apps',
    '<%= config.bin %> plan app.yaml --out plan.json',
    '<%= config.bin %> plan . --offline --snapshot cluster.json',
  ];

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Plan);
    const [folder = '.'] = argv as string[];
    const wish = { asSource: flags['as-source'], source: flags.source };
    const asked = await planRequest(argv as string[], wish, process.stdin);
    const { plan, request, ...of } = flags.offline
      ? await this.planHere(asked, flags.snapshot ?? '', flags.cluster)
      : await this.planThere(asked, folder, await this.connect(flags));
    if (request.asSource) this.say(`As if ${folder} were the head of ${request.source ?? 'the repository'}:`);
    await this.printOne(flags.output, plan, {
      name: plan.changes.map(({ subject }) => subject).join('\n'),
      text: (value) => renderPlan(value, this.paint()),
    });
    if (flags.out !== undefined) {
      const { writePlan } = await import('../services/plan-file.ts');
      await writePlan(flags.out, { ...of, request, plan, folder: (argv as string[])[0] });
      this.say(`${flags.out}: to be carried out by \`oakctl deploy --plan ${flags.out}\``);
    }
    const failed = plan.problems.some(({ severity }) => severity !== 'warning');
    this.exit(failed ? planExitCodes.failed : differs(plan) ? planExitCodes.differs : planExitCodes.same);
  }

  private async planThere(asked: PlanRequest, folder: string, api: ApiClient): Promise<Planned> {
    const { cluster, fingerprint, sources } = await api.status(this.signal);
    const request = await withSource(asked, folder, sources, this.signal);
    const plan = await api.plan(request, this.signal);
    return { plan, request, cluster, fingerprint };
  }

  /** The same planner, on a snapshot. */
  private async planHere(request: PlanRequest, file: string, cluster: string | undefined): Promise<Planned> {
    const { readSnapshot } = await import('../services/snapshot.ts');
    const { planOffline } = await import('../../reconciler/plan-main.ts');
    const text = await readSnapshot(file);
    const offline = planOffline({ file, text, ...(cluster !== undefined && { cluster }) }, request);
    this.say(`Offline: ${offline.cluster} as it was at ${new Date(offline.taken).toISOString()}`);
    return { ...offline, request };
  }

  protected override failureCode(): number {
    return planExitCodes.failed;
  }
}
