import { resolve } from 'node:path';
import { Flags } from '@oclif/core';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import { BaseCommand } from '../../base-command.ts';
import { confirm } from '../../confirm.ts';
import { renderUninstall } from '../../render/agent.ts';
import { agentFolder } from '../../services/node-flags.ts';

export default class AgentUninstall extends BaseCommand {
  static override summary = 'take from this machine what made it a node: service, credentials, containers, program';
  static override description =
    'The cluster is told nothing: it sees a node that went silent, until `oakctl nodes rm` there. Volumes stay, since they hold data, and so does every container that is not its own.';
  static override flags = {
    'keep-containers': Flags.boolean({ description: 'leave its containers running; nobody looks after them any more' }),
    folder: Flags.string({ default: agentFolder, description: 'folder of the agent' }),
    yes: Flags.boolean({ char: 'y', description: 'do not ask' }),
  };
  static override examples = [
    '<%= config.bin %> agent uninstall',
    '<%= config.bin %> agent uninstall --keep-containers --yes',
  ];

  async run(): Promise<void> {
    const { flags } = await this.parse(AgentUninstall);
    if (process.getuid?.() !== 0) {
      throw new ProblemError(problem('REFUSED', 'an agent is uninstalled by root', { hint: 'sudo, or become root' }));
    }
    const folder = resolve(flags.folder);
    const [{ uninstallAgent }, { removePrograms }, { knownNode }] = await Promise.all([
      import('../../local/agent-uninstall.ts'),
      import('../../local/programs.ts'),
      import('../../../agent/main.ts'),
    ]);
    const node = await knownNode(folder);
    const whose = node
      ? `${node.name}, a node of ${node.cluster || 'a cluster'},`
      : `in ${folder}, which has not joined,`;
    const kept = flags['keep-containers'] ? 'but not its containers' : 'its containers included';
    await confirm(`Remove the agent of ${whose} from this machine, ${kept}?`, flags.yes, this.signal);
    const options = { folder, keepContainers: flags['keep-containers'], ...(node && { node }) };
    const report = await uninstallAgent(options, this.signal);
    await this.printOne(flags.output, report, { name: report.node ?? folder, text: renderUninstall });
    if (node) this.say(`On the cluster: oakctl nodes rm ${node.name}`);
    await removePrograms();
  }
}
