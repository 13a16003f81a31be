import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../base-command.ts';
import { askerOf, commitFlags, sourceFlag } from '../../flags.ts';
import { cordonText } from '../../render/nodes.ts';
import { commitText } from '../../render/verbs.ts';
import { actorName } from '../../services/actor.ts';

export default class NodesUncordon extends BaseCommand {
  static override description =
    'let a node take instances again, after `nodes cordon` or `nodes drain`. With --commit in nodes.yaml, too';
  static override args = { node: Args.string({ required: true, description: 'name, id or alias of a node' }) };
  static override flags = {
    reason: Flags.string({ dependsOn: ['commit'], description: 'why, for the message of the commit' }),
    ...commitFlags,
    source: sourceFlag,
  };
  static override examples = ['<%= config.bin %> nodes uncordon worker-1'];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(NodesUncordon);
    const api = await this.connect(flags);
    if (flags.commit) {
      const { commitCordon } = await import('../../services/commit-node.ts');
      const asked = { node: args.node, cordon: false };
      const committed = await commitCordon(api, asked, askerOf(flags), this.signal);
      this.say(commitText(committed.commit));
      return this.printOne(flags.output, committed, { name: committed.node, text: cordonText });
    }
    const answer = await api.uncordon(args.node, actorName(), this.signal);
    await this.printOne(flags.output, answer, { name: answer.node, text: cordonText });
  }
}
