import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../base-command.ts';
import { confirm } from '../../confirm.ts';

export default class UsersRm extends BaseCommand {
  static override description = 'remove an account: its logins and its tokens end at once; what it deployed stays';
  static override aliases = ['users remove'];
  static override args = { account: Args.string({ required: true, description: 'name of an account' }) };
  static override flags = { yes: Flags.boolean({ char: 'y', description: 'do not ask' }) };
  static override examples = ['<%= config.bin %> users rm ann', '<%= config.bin %> users rm ann --yes'];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(UsersRm);
    const { api } = await this.accounts(flags);
    await confirm(`Remove the account ${args.account}, with its tokens?`, flags.yes, this.signal);
    const answer = await api.removeUser(args.account, this.signal);
    await this.printOne(flags.output, answer, { name: answer.removed, text: () => `${answer.removed} is removed` });
  }
}
