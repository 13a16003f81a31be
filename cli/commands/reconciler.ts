import { mkdir } from 'node:fs/promises';
import { Flags } from '@oclif/core';
import { keepHeapSmall } from '../../schemas/io/process-heap.ts';
import { ProblemError } from '../../schemas/problem.ts';
import { type EnvironmentSettings, settingsOfEnvironment } from '../../schemas/settings-environment.ts';
import { BaseCommand } from '../base-command.ts';
import { insecureFlag } from '../flags.ts';
import { clusterFolder } from '../home.ts';

export default class Reconciler extends BaseCommand {
  static override summary = 'run a reconciler in the foreground, with everything it has in one folder';
  static override description =
    `Without \`--folder\` the settings come from the environment, and the folder is clusters/<CLUSTER_NAME> of
OAKCTL_HOME: CLUSTER_NAME, CLUSTER_LOCATION, CLUSTER_REPOSITORY, CLUSTER_BRANCH, CLUSTER_ADDRESS (for the certificate),
SYSTEM_MANAGER_URL, CLUSTER_TOKEN, OAKCTL_BIND, OAKCTL_API_PORT, OAKCTL_MQTT_PORT. A cluster.yaml in that folder counts, too.`;
  static override flags = {
    folder: Flags.directory({ exists: true, description: 'folder of the reconciler, with its cluster.yaml' }),
    [insecureFlag]: Flags.boolean({
      description: 'listen outside loopback without TLS; every token and password can be read on the way',
    }),
  };
  static override examples = [
    '<%= config.bin %> reconciler --folder /var/lib/oakctl',
    'CLUSTER_NAME=My_Awesome_Cluster <%= config.bin %> reconciler',
  ];

  async run(): Promise<void> {
    const { flags } = await this.parse(Reconciler);
    const place = flags.folder === undefined ? await this.fromEnvironment() : { folder: flags.folder };
    keepHeapSmall();
    const { runReconciler } = await import('../../reconciler/main.ts');
    await runReconciler({ ...place, insecure: flags[insecureFlag] }, this.signal);
  }

  /** NAME_INVALID, SETTINGS_INVALID, TOKEN_INVALID, each with its variable. */
  private async fromEnvironment(): Promise<{ folder: string; given: EnvironmentSettings }> {
    const { given, problems } = settingsOfEnvironment(process.env);
    if (!given) throw new ProblemError(problems);
    const folder = clusterFolder(this.home, given.values.cluster);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return { folder, given };
  }
}
