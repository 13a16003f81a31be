import { Args, Flags } from '@oclif/core';
import type { DocumentText } from '../../schemas/api.ts';
import type { ApiClient } from '../../schemas/io/api-client.ts';
import { BaseCommand } from '../base-command.ts';
import { durationFlag } from '../flags.ts';
import { createProgress } from '../progress.ts';
import { renderProblems } from '../render/problems.ts';
import { progressLines, renderOutcomes } from '../render/progress.ts';
import { actorName } from '../services/actor.ts';
import { type Deployed, defaultTimeout, deployDirectly } from '../services/deploy.ts';
import { readDocuments } from '../services/documents.ts';
import { exitCodeOfOutcomes, type WaitOptions, waitForOutcomes } from '../services/outcome.ts';

export default class Deploy extends BaseCommand {
  static override description =
    'run what a descriptor asks for, and wait until it runs (0), failed (1), took too long (3), was refused (4) or was rolled back (6)';
  static override strict = false;
  static override args = {
    file: Args.string({ required: true, description: 'file or folder, or - for standard input' }),
  };
  static override flags = {
    commit: Flags.boolean({
      description: 'write it to the working copy of the repository, commit and push, instead of deploying directly',
    }),
    repo: Flags.string({
      dependsOn: ['commit'],
      description: 'working copy for --commit (default: around the file, or here)',
    }),
    timeout: durationFlag({ description: 'how long to wait at most (default 11m)' }),
    detach: Flags.boolean({ char: 'd', description: 'do not wait for the outcome' }),
  };
  static override usage = 'deploy FILE... [--commit] [--detach] [--timeout <duration>]';
  static override examples = ['<%= config.bin %> deploy app.yaml', 'cat app.yaml | <%= config.bin %> deploy -'];

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Deploy);
    const started = performance.now();
    const documents = await readDocuments(argv as string[], process.stdin);
    const api = await this.connect(flags);
    const progress = createProgress(process.stderr);
    const wait: WaitOptions | undefined = flags.detach
      ? undefined
      : {
          timeout: flags.timeout ?? defaultTimeout,
          interval: 100,
          progress: (outcomes) => progress.show(progressLines(outcomes, this.paint('err'))),
        };
    const done = flags.commit
      ? await this.commit(api, documents, flags.repo, wait)
      : await deployDirectly(api, { documents, actor: actorName() }, wait, this.signal);
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

  private async commit(
    api: ApiClient,
    documents: readonly DocumentText[],
    repository: string | undefined,
    wait: WaitOptions | undefined,
  ): Promise<Deployed> {
    const { commitDocuments, syncTo } = await import('../services/commit.ts');
    const { sources } = await api.status(this.signal);
    const committed = await commitDocuments(documents, { sources, ...(repository && { repository }) }, this.signal);
    const state = committed.changed ? 'pushed' : 'nothing to commit, already there';
    this.say(`${committed.files.join(', ')}: ${state} at ${committed.commit.slice(0, 7)}`);
    const wanted = await syncTo(api, committed, this.signal);
    const outcomes = wait ? await waitForOutcomes(api, wanted, wait, this.signal) : [];
    const change = committed.changed ? ('updated' as const) : ('same' as const);
    return { services: wanted.map((one) => ({ ...one, change })), warnings: [], outcomes };
  }
}

function summary({ services }: Deployed): string {
  return services.map(({ name, change }) => `${name}  ${change}`).join('\n');
}
