import { Args, Flags } from '@oclif/core';
import { BaseCommand, usage } from '../base-command.ts';
import { exitCodes } from '../exit-codes.ts';
import { count } from '../render/counts.ts';
import { renderData } from '../render/output.ts';
import { renderProblems } from '../render/problems.ts';
import { labelsOf } from '../services/agent-settings.ts';
import { labelFlag } from '../services/node-flags.ts';

/** Which cluster. */
interface Wanted {
  readonly cluster?: string;
  readonly labels: Readonly<Record<string, string>>;
}

export default class Render extends BaseCommand {
  static override description =
    'print what a cluster reads of a repository, without a cluster: patches and labels put in, and where each value was written';
  static override args = {
    folder: Args.string({ default: '.', description: 'folder that the cluster follows, in or of a repository' }),
  };
  static override flags = {
    cluster: Flags.string({ description: 'name of the cluster; default: the only one below clusters/' }),
    label: labelFlag('label of the cluster, as `labels` in its cluster.yaml: key=value; may be repeated'),
    ref: Flags.string({ description: 'a branch, tag or commit instead of the files as they lie there' }),
  };
  static override examples = [
    '<%= config.bin %> render --cluster shop',
    '<%= config.bin %> render examples/fleet --cluster shop --label tier=small',
    '<%= config.bin %> render --cluster shop --ref v1.2 -o yaml',
  ];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Render);
    const { cluster: wanted, label = [], ref } = flags;
    const options = { labels: labelsOf(label), ...(wanted !== undefined && { cluster: wanted }) };
    const found = await this.read(args.folder, ref, options);
    if (found.problems.length > 0) this.say(renderProblems(found.problems, this.paint('err')));
    if (found.problems.some(({ severity }) => severity !== 'warning')) this.exit(exitCodes.failed);
    const { services, cluster, clusters } = found;
    const whose = cluster === undefined ? 'a cluster' : `the cluster ${cluster}`;
    this.say(`${count(services.length, 'service')}, as ${whose} reads them`);
    if (cluster !== undefined && clusters.length > 0 && !clusters.includes(cluster)) {
      this.say(`There is no folder clusters/${cluster}/: it reads common/ alone. There are ${clusters.join(', ')}.`);
    }
    if (flags.output === 'name') return this.print(services.map(({ spec }) => spec.name).join('\n'));
    const { toDescriptor } = await import('../../schemas/descriptor.ts');
    if (flags.output === 'json') return this.print(await renderData('json', toDescriptor(services)));
    const { renderOrigins, renderYaml } = await import('../render/rendered.ts');
    this.print(flags.output === 'yaml' ? await renderYaml(services) : renderOrigins(services, this.paint()));
  }

  private async read(folder: string, ref: string | undefined, options: Wanted) {
    const [{ renderCommit, renderDocuments }, { isFolder, readFolder }] = await Promise.all([
      import('../../reconciler/render-main.ts'),
      import('../services/documents.ts'),
    ]);
    if (!(await isFolder(folder))) usage(`${folder} is a file`, 'name the folder that the cluster follows');
    if (ref === undefined) return renderDocuments(await readFolder(folder), options);
    const { findCommit } = await import('../services/render.ts');
    return renderCommit(await findCommit(folder, ref, this.signal), options, this.signal);
  }
}
