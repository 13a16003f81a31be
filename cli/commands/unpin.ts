import { Args } from '@oclif/core';
import { BaseCommand } from '../base-command.ts';
import { shortCommit } from '../render/listings.ts';
import { actorName } from '../services/actor.ts';

export default class Unpin extends BaseCommand {
  static override description = 'end what `rollback` began: the source follows its head again';
  static override args = { source: Args.string({ description: 'name of a source, where several are pinned' }) };
  static override examples = ['<%= config.bin %> unpin'];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Unpin);
    const api = await this.connect(flags);
    const wish = { ...(args.source !== undefined && { source: args.source }), actor: actorName() };
    const pin = await api.unpin(wish, this.signal);
    const text = `${pin.source} is not pinned to ${shortCommit(pin.commit)} any more`;
    await this.printOne(flags.output, pin, { name: pin.source, text: () => text });
  }
}
