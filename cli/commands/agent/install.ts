import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Flags } from '@oclif/core';
import { formatAdvertised } from '../../../schemas/addresses.ts';
import { nodeNamePattern } from '../../../schemas/names.ts';
import { BaseCommand, usage } from '../../base-command.ts';
import { labelsOf } from '../../services/agent-settings.ts';
import { agentFolder, nodeFlags } from '../../services/node-flags.ts';

export default class AgentInstall extends BaseCommand {
  static override summary = 'make this machine a node, and its agent a service of systemd';
  static override description =
    'The line that `oakctl nodes add` prints ends here. The join token is read from OAKCTL_JOIN_TOKEN; a machine that has joined needs none. Again is as once; what is in agent.yaml already stays unless it is said anew.';
  static override flags = {
    ...nodeFlags,
    name: Flags.string({ description: 'name of the node; default its host name' }),
    folder: Flags.string({ default: agentFolder, description: 'folder of the agent' }),
  };
  static override examples = [
    'OAKCTL_JOIN_TOKEN=$(cat token) <%= config.bin %> agent install --api https://192.168.1.10:10100 --name edge-7',
    '<%= config.bin %> agent install --api https://192.168.1.10:10100 --label zone=hall-2 --runtime docker --runtime process',
  ];

  async run(): Promise<void> {
    const { flags } = await this.parse(AgentInstall);
    const { api, name, location, ip, advertise, label = [], runtime = [] } = flags;
    if (api === undefined || !URL.canParse(api)) usage('which cluster?', '--api https://<host>:10100');
    if (name !== undefined && !nodeNamePattern.test(name)) usage(`\`${name}\` is no name for a node`);
    const folder = resolve(flags.folder);
    const token = process.env['OAKCTL_JOIN_TOKEN']?.trim();
    const [{ installAgent }, { joinAgent }] = await Promise.all([
      import('../../local/agent-install.ts'),
      import('../../../agent/main.ts'),
    ]);
    const report = await installAgent(
      {
        folder,
        settings: {
          api,
          ...(token && { token }),
          ...(name !== undefined && { name }),
          ...(ip !== undefined && { ip }),
          ...(advertise !== undefined && { advertise: formatAdvertised(advertise) }),
          ...(location !== undefined && { location }),
          labels: labelsOf(label),
          runtimes: runtime,
        },
        command: [process.execPath, fileURLToPath(new URL('../../bin/oakctl.js', import.meta.url))],
        join: (waiting, signal) => joinAgent({ folder, waiting }, signal),
        say: (text) => this.say(text),
      },
      this.signal,
    );
    const { node, cluster, unit, run } = report;
    const state = unit === undefined ? 'has joined' : 'is a node of';
    await this.printOne(flags.output, report, { name: node, text: () => `${node} ${state} ${cluster}` });
    if (run !== undefined) this.say(`There is no systemd here. Let your service manager run, as root:\n  ${run}`);
  }
}
