import { Args } from '@oclif/core';
import { BaseCommand } from '../../../base-command.ts';

export default class UsersTokenRevoke extends BaseCommand {
  static override description = 'make an API token worthless at once';
  static override args = { id: Args.string({ required: true, description: 'id of a token: see `users token ls`' }) };
  static override examples = ['<%= config.bin %> users token revoke 0f3a9c1b22de'];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(UsersTokenRevoke);
    const { api } = await this.accounts(flags);
    const answer = await api.revokeApiToken(args.id, this.signal);
    await this.printOne(flags.output, answer, { name: answer.revoked, text: () => `${answer.revoked} is revoked` });
  }
}
