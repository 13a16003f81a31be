import { mkdir } from 'node:fs/promises';
import { Flags } from '@oclif/core';
import { keepHeapSmall } from '../../schemas/io/process-heap.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import { BaseCommand } from '../base-command.ts';
import { readEndpoint } from '../contexts.ts';
import { folderFlag, insecureFlag } from '../flags.ts';
import { clusterOfEnvironment } from '../services/environment.ts';

export default class Reconciler extends BaseCommand {
  static override summary = 'run a reconciler in the foreground, with everything it has in one folder';
  static override description =
    `Without \`--folder\` the settings come from the environment, and the folder is clusters/<CLUSTER_NAME> of
OAKCTL_HOME: CLUSTER_NAME, CLUSTER_LOCATION, CLUSTER_LABELS, CLUSTER_REPOSITORY, CLUSTER_BRANCH, CLUSTER_REPOSITORY_USERNAME, _TOKEN_FILE, _CA, _KEY_FILE
and _KNOWN_HOSTS, CLUSTER_WEBHOOK_GITHUB_SECRET_FILE, _GITLAB_, _GITEA_ and _PLAIN_, CLUSTER_ADDRESS (for the certificate), SYSTEM_MANAGER_URL, CLUSTER_TOKEN, OAKCTL_BIND, OAKCTL_API_PORT, OAKCTL_MQTT_PORT. A cluster.yaml in that folder counts, too.`;
  static override flags = {
    folder: folderFlag({ description: 'folder of the reconciler, with its cluster.yaml' }),
    check: Flags.boolean({
      description: 'say whether the reconciler of that folder is there, with broker and store, and end: 1 if not',
    }),
    [insecureFlag]: Flags.boolean({
      description: 'listen outside loopback without TLS; every token and password can be read on the way',
    }),
  };
  static override examples = [
    '<%= config.bin %> reconciler --folder /var/lib/oakctl',
    '<%= config.bin %> reconciler --folder /var/lib/oakctl --check',
    'CLUSTER_NAME=My_Awesome_Cluster <%= config.bin %> reconciler',
  ];

  async run(): Promise<void> {
    const { flags } = await this.parse(Reconciler);
    const place = flags.folder === undefined ? clusterOfEnvironment(this.home, process.env) : { folder: flags.folder };
    if (flags.check) return this.check(place.folder);
    if (flags.folder === undefined) await mkdir(place.folder, { recursive: true, mode: 0o700 });
    keepHeapSmall();
    const { runReconciler } = await import('../../reconciler/main.ts');
    await runReconciler({ ...place, insecure: flags[insecureFlag] }, this.signal);
  }

  /** UNAVAILABLE, UNREACHABLE. What it only waits for (git, its turn) is said and is no failure. */
  private async check(folder: string): Promise<void> {
    const place = await readEndpoint(folder);
    if (!place) {
      const why = 'no reconciler runs on this folder';
      throw new ProblemError(problem('UNAVAILABLE', why, { subject: folder }));
    }
    const { askHealth } = await import('../services/health.ts');
    const waits = await askHealth({ url: place.api, ...(place.ca !== undefined && { ca: place.ca }) }, this.signal);
    this.say(`The reconciler answers at ${place.api}, with broker and store.`);
    for (const { message } of waits) this.say(`It is not ready: ${message}.`);
  }
}
