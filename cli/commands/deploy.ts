import { Args, Flags } from '@oclif/core';
import type { DocumentText } from '../../schemas/api.ts';
import type { ApiClient } from '../../schemas/io/api-client.ts';
import { BaseCommand, usage } from '../base-command.ts';
import { authorFlag, durationFlag, sourceFlag } from '../flags.ts';
import { createProgress } from '../progress.ts';
import { renderProblems } from '../render/problems.ts';
import { progressLines, renderOutcomes } from '../render/progress.ts';
import { actorName } from '../services/actor.ts';
import { type Deployed, defaultTimeout, deployDirectly } from '../services/deploy.ts';
import { readDocuments } from '../services/documents.ts';
import { changeGoesOn, exitCodeOfOutcomes, type WaitOptions, waitForOutcomes } from '../services/outcome.ts';

export default class Deploy extends BaseCommand {
  static override description =
    'run what a descriptor asks for, and wait until it runs (0), failed (1), took too long (3), was refused (4) or was rolled back (6)';
  static override strict = false;
  static override args = {
    file: Args.string({ description: 'file or folder, or - for standard input' }),
  };
  static override flags = {
    commit: Flags.boolean({
      description: 'write it to the repository of the cluster, commit and push, instead of deploying directly',
    }),
    repo: Flags.string({
      description:
        'working copy for --commit (default: around the file, or here, else a temporary clone), or for --plan of one',
    }),
    source: sourceFlag,
    author: authorFlag,
    plan: Flags.string({
      exclusive: ['commit'],
      description: 'carry out what `plan --out` wrote, unless commit or state have moved on; instead of files',
    }),
    timeout: durationFlag({ description: 'how long to wait at most (default 11m)' }),
    detach: Flags.boolean({ char: 'd', description: 'do not wait for the outcome' }),
  };
  static override usage = 'deploy FILE... [--commit] | --plan <file> [--detach] [--timeout <duration>]';
  static override examples = [
    '<%= config.bin %> deploy app.yaml',
    'cat app.yaml | <%= config.bin %> deploy -',
    '<%= config.bin %> deploy app.yaml --commit --author "Ada Lovelace <ada@example.org>"',
  ];

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Deploy);
    const started = performance.now();
    const paths = argv as string[];
    if (flags.repo !== undefined && !flags.commit && flags.plan === undefined)
      usage('--repo goes with --commit or --plan');
    if (flags.plan === undefined && paths.length === 0) usage('what is to be deployed?', 'oakctl deploy app.yaml');
    if (flags.plan !== undefined && paths.length > 0)
      usage('a plan has its files in it', `oakctl deploy --plan ${flags.plan}`);
    const api = await this.connect(flags);
    const progress = createProgress(process.stderr);
    const wait: WaitOptions | undefined = flags.detach
      ? undefined
      : {
          timeout: flags.timeout ?? defaultTimeout,
          interval: 100,
          progress: (outcomes) => {
            this.goesOn = changeGoesOn;
            progress.show(progressLines(outcomes, this.paint('err')));
          },
        };
    const done = await this.carryOut(api, paths, flags, wait);
    progress.end();
    if (done.warnings.length > 0) this.say(renderProblems(done.warnings, this.paint('err')));
    await this.printOne(flags.output, done, {
      name: done.services.map(({ name }) => name).join('\n'),
      text: () =>
        flags.detach ? summary(done) : renderOutcomes(done.outcomes, performance.now() - started, this.paint()),
    });
    for (const { name, verdict, message } of done.outcomes)
      if (verdict === 'unconfirmed') this.say(`warning: ${name} is not confirmed: ${message}`);
    this.exit(exitCodeOfOutcomes(done.outcomes));
  }

  private async carryOut(
    api: ApiClient,
    paths: readonly string[],
    flags: CommitFlags & { readonly plan?: string | undefined; readonly commit: boolean },
    wait: WaitOptions | undefined,
  ): Promise<Deployed> {
    const actor = actorName();
    if (flags.plan === undefined) {
      const documents = await readDocuments(paths, process.stdin);
      return flags.commit
        ? this.commit(api, documents, flags, wait)
        : deployDirectly(api, { documents, actor }, wait, this.signal);
    }
    const { pushPlanned, readPlan, requireSame } = await import('../services/plan-file.ts');
    const file = await readPlan(flags.plan);
    await requireSame(api, file, this.signal);
    const { request, plan } = file;
    if (!request.asSource)
      return deployDirectly(api, { documents: request.documents ?? [], actor, plan: plan.token }, wait, this.signal);
    const wanted = await pushPlanned(api, file, flags.repo, this.signal);
    const outcomes = wait ? await waitForOutcomes(api, wanted, wait, this.signal) : [];
    return { services: wanted.map((one) => ({ ...one, change: 'updated' as const })), warnings: [], outcomes };
  }

  private async commit(
    api: ApiClient,
    documents: readonly DocumentText[],
    { repo: repository, source, author }: CommitFlags,
    wait: WaitOptions | undefined,
  ): Promise<Deployed> {
    const { commitDocuments, syncTo } = await import('../services/commit.ts');
    const [status, services] = await Promise.all([api.status(this.signal), api.services([], this.signal)]);
    const committed = await commitDocuments(documents, { status, services, repository, source, author }, this.signal);
    const by = committed.isCloned ? ' by a temporary clone' : '';
    const state = committed.changed ? `pushed${by}` : 'nothing to commit, already there';
    this.say(`${committed.files.join(', ')}: ${state} at ${committed.commit} (source ${committed.source})`);
    const wanted = await syncTo(api, committed, this.signal);
    const outcomes = wait ? await waitForOutcomes(api, wanted, wait, this.signal) : [];
    const change = committed.changed ? ('updated' as const) : ('same' as const);
    return { services: wanted.map((one) => ({ ...one, change })), warnings: [], outcomes };
  }
}

/** Where a commit is made, and as whom. */
interface CommitFlags {
  readonly repo?: string | undefined;
  readonly source?: string | undefined;
  readonly author?: string | undefined;
}

function summary({ services }: Deployed): string {
  return services.map(({ name, change }) => `${name}  ${change}`).join('\n');
}
