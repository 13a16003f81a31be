import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../base-command.ts';
import { confirm } from '../../confirm.ts';
import { count } from '../../render/counts.ts';

export default class NodesRevoke extends BaseCommand {
  static override description = 'shut a node out for good: its credential is refused from now on';
  static override args = { node: Args.string({ required: true, description: 'name or id of a node' }) };
  static override flags = { yes: Flags.boolean({ char: 'y', description: 'do not ask' }) };
  static override examples = ['<%= config.bin %> nodes revoke worker-1 --yes'];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(NodesRevoke);
    const api = await this.connect(flags);
    const node = await api.node(args.node, this.signal);
    await confirm(`Revoke ${node.name} with ${count(node.instances, 'instance')}?`, flags.yes, this.signal);
    const answer = await api.revoke(node.name, this.signal);
    await this.printOne(flags.output, answer, { name: answer.revoked, text: () => `${answer.revoked} is revoked` });
  }
}
