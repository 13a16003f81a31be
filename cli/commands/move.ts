import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../base-command.ts';
import { verbFlags, verbRequest } from '../flags.ts';
import { overrideNote } from '../render/verbs.ts';
import { actorName } from '../services/actor.ts';

export default class Move extends BaseCommand {
  static override description =
    'move an instance to another node: it is healthy there before it stops here; for what git owns an override';
  static override args = {
    instance: Args.string({ required: true, description: 'instance, e.g. web.default.web.default.instance.0' }),
  };
  static override flags = {
    to: Flags.string({ required: true, description: 'name, id or alias of a node' }),
    ...verbFlags,
  };
  static override examples = ['<%= config.bin %> move shop.default.web.default.instance.0 --to worker-2'];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Move);
    const api = await this.connect(flags);
    const answer = await api.move(
      args.instance,
      { ...verbRequest(flags), to: flags.to, actor: actorName() },
      this.signal,
    );
    await this.printOne(flags.output, answer, {
      name: answer.instance,
      text: () => `${answer.instance} moves to ${answer.node}${overrideNote(answer.override)}`,
    });
  }
}
