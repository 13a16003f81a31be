import { BaseCommand } from '../base-command.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Listing } from '../render/output.ts';
import { checkCluster, checkMachine, type Finding } from '../services/doctor.ts';

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
  static override description = 'look at this machine and the cluster, and say what is missing';
  static override examples = ['<%= config.bin %> doctor'];

  async run(): Promise<void> {
    const { flags } = await this.parse(Doctor);
    const { inspectMachine } = await import('../local/machine.ts');
    const [machine, cluster] = await Promise.all([
      inspectMachine(),
      checkCluster(() => this.connect(flags), this.signal),
    ]);
    const findings = [...checkMachine(machine), ...cluster];
    await this.printList(flags.output, findings, listing);
    if (findings.some(({ state }) => state === 'failed')) this.exit(exitCodes.failed);
  }
}
