import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../base-command.ts';
import { passwordStdinFlag, passwords } from '../../prompt.ts';
import { accountMeant } from '../../services/account-meant.ts';
import { beginLogin } from '../../services/login.ts';

export default class UsersPasswd extends BaseCommand {
  static override description =
    'set another password: the own one, for which the old one is asked, or as an admin that of anybody; logins of the account end, its tokens stay';
  static override args = { account: Args.string({ description: 'name of an account; without it: the own one' }) };
  static override flags = {
    generate: Flags.boolean({ description: 'have one made; it is shown once' }),
    'password-stdin': passwordStdinFlag,
  };
  static override examples = [
    '<%= config.bin %> users passwd',
    '<%= config.bin %> users passwd Admin --generate',
    '<%= config.bin %> users passwd ann --password-stdin < password.txt',
  ];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(UsersPasswd);
    const { api, target } = await this.accounts(flags);
    // It exchanges a token whose time is over, too: below, a refusal is about the old password.
    const me = await api.whoami(this.signal);
    const name = accountMeant(args.account, me);
    const isOwn = me.by === 'login' && me.name === name;
    const typed = passwords(flags['password-stdin'], this.signal);
    const old = isOwn ? await typed.next('old password') : undefined;
    const chosen = flags.generate ? undefined : await typed.chosen();
    const wish = { ...(chosen !== undefined && { password: chosen }), ...(old !== undefined && { old }) };
    const answer = await api.setPassword(name, wish, this.signal);
    await this.printOne(flags.output, answer, {
      name,
      text: ({ password }) => password ?? `${name} has another password`,
    });
    if (answer.password !== undefined) this.say(`This is the password of ${name}: it is shown now, and never again.`);
    const password = chosen ?? answer.password;
    if (!isOwn || password === undefined) return;
    // The login ended with the old password.
    await beginLogin(target, { user: name, password }, this.home, this.signal);
    this.say('All other logins of this account are over.');
  }
}
