import { Args, Flags } from '@oclif/core';
import { roles } from '../../../schemas/accounts.ts';
import { BaseCommand } from '../../base-command.ts';
import { passwordStdinFlag, passwords } from '../../prompt.ts';

export default class UsersAdd extends BaseCommand {
  static override description = 'make an account; its password is made, too, and shown once, unless one is piped in';
  static override args = { name: Args.string({ required: true, description: 'a name, or a mail address' }) };
  static override flags = {
    role: Flags.option({ options: roles, required: true, description: 'what it may do' })(),
    'password-stdin': passwordStdinFlag,
  };
  static override examples = [
    '<%= config.bin %> users add ann --role viewer',
    '<%= config.bin %> users add ann --role admin --password-stdin < password.txt',
  ];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(UsersAdd);
    const { api } = await this.accounts(flags);
    const { 'password-stdin': piped, role } = flags;
    const password = piped ? await passwords(true, this.signal).chosen() : undefined;
    const wish = { name: args.name, role, ...(password !== undefined && { password }) };
    const answer = await api.addUser(wish, this.signal);
    await this.printOne(flags.output, answer, {
      name: args.name,
      text: ({ password: made, user }) => made ?? `${user.name} is added, as ${user.role}`,
    });
    if (answer.password !== undefined)
      this.say(
        `This is the password of ${args.name}: it is shown now, and never again. \`oakctl users passwd\` sets another.`,
      );
  }
}
