import { Args } from '@oclif/core';
import { BaseCommand } from '../../../base-command.ts';
import { actorName } from '../../../services/actor.ts';

export default class NodesTokenRevoke extends BaseCommand {
  static override description = 'make a join token worthless; nodes that joined with it stay';
  static override args = { id: Args.string({ required: true, description: 'id of a token: see `nodes token ls`' }) };
  static override examples = ['<%= config.bin %> nodes token revoke 0f3a9c1b22de'];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(NodesTokenRevoke);
    const api = await this.connect(flags);
    const answer = await api.revokeToken(args.id, actorName(), this.signal);
    await this.printOne(flags.output, answer, { name: answer.revoked, text: () => `${answer.revoked} is revoked` });
  }
}
