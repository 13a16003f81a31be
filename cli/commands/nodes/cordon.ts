import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../base-command.ts';
import { askerOf, commitFlags, sourceFlag } from '../../flags.ts';
import { cordonText } from '../../render/nodes.ts';
import { commitText } from '../../render/verbs.ts';
import { actorName } from '../../services/actor.ts';

export default class NodesCordon extends BaseCommand {
  static override description =
    'place nothing new on a node; what runs there goes on. `nodes uncordon` ends it. With --commit in nodes.yaml';
  static override args = { node: Args.string({ required: true, description: 'name, id or alias of a node' }) };
  static override flags = {
    reason: Flags.string({ description: 'why, for those who look at the node' }),
    ...commitFlags,
    source: sourceFlag,
  };
  static override examples = ['<%= config.bin %> nodes cordon worker-1 --reason "new disk on Friday"'];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(NodesCordon);
    const api = await this.connect(flags);
    if (flags.commit) {
      const { commitCordon } = await import('../../services/commit-node.ts');
      const asked = { node: args.node, cordon: true };
      const committed = await commitCordon(api, asked, askerOf(flags), this.signal);
      this.say(commitText(committed.commit));
      return this.printOne(flags.output, committed, { name: committed.node, text: cordonText });
    }
    const request = { ...(flags.reason !== undefined && { reason: flags.reason }), actor: actorName() };
    const answer = await api.cordon(args.node, request, this.signal);
    await this.printOne(flags.output, answer, { name: answer.node, text: cordonText });
  }
}
