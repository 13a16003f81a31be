import { BaseCommand } from '../base-command.ts';
import { endpointOf } from '../contexts.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Listing } from '../render/output.ts';
import { checkCluster, type Finding } from '../services/doctor.ts';
import { checkMachine } from '../services/machine-findings.ts';
import { clockSkew } from '../services/remote-clock.ts';

const listing: Listing<Finding> = {
  nameOf: (finding) => finding.check,
  empty: 'Nothing was checked.',
  columns: (paint) => [
    { title: 'CHECK', value: ({ check }) => check },
    {
      title: 'STATE',
      value: ({ state }) => state,
      paint: (text) => (text === 'ok' ? paint.good : text === 'failed' ? paint.bad : paint.warn)(text),
    },
    { title: 'MESSAGE', value: ({ message, hint }) => (hint ? `${message} (${hint})` : message) },
  ],
};

export default class Doctor extends BaseCommand {
  static override description =
    'look at this machine and the cluster, and say what is missing and the command that mends it; exit code 1: something is';
  static override examples = [
    '<%= config.bin %> doctor',
    '<%= config.bin %> doctor -o json',
    '<%= config.bin %> doctor --context far',
  ];

  async run(): Promise<void> {
    const { flags } = await this.parse(Doctor);
    const { inspectMachine } = await import('../local/machine.ts');
    const target = this.target(flags);
    const [machine, cluster, elsewhere] = await Promise.all([
      inspectMachine(this.home),
      checkCluster(
        async () => (await target).api,
        async () => clockSkew(endpointOf((await target).target), this.signal),
        this.signal,
      ),
      target.then(
        (known) => known.target.folder === undefined,
        () => false,
      ),
    ]);
    const answers = cluster.some(({ check, state }) => check === 'reconciler' && state === 'ok');
    const findings = [...checkMachine(machine, elsewhere ? 'client' : 'host', answers), ...cluster];
    await this.printList(flags.output, findings, listing);
    if (findings.some(({ state }) => state === 'failed')) this.exit(exitCodes.failed);
  }
}
