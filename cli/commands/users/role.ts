import { Args } from '@oclif/core';
import { type Role, roles } from '../../../schemas/accounts.ts';
import { BaseCommand } from '../../base-command.ts';

export default class UsersRole extends BaseCommand {
  static override description = 'give an account another role; it counts at once, also for its logins and tokens';
  static override args = {
    account: Args.string({ required: true, description: 'name of an account' }),
    role: Args.string({ options: [...roles], required: true, description: 'what it may do' }),
  };
  static override examples = ['<%= config.bin %> users role ann admin'];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(UsersRole);
    const { api } = await this.accounts(flags);
    const answer = await api.setRole(args.account, args.role as Role, this.signal);
    const { name, role } = answer.user;
    await this.printOne(flags.output, answer, { name, text: () => `${name} is ${role}` });
  }
}
