import { Args, Flags } from '@oclif/core';
import { roles } from '../../../../schemas/accounts.ts';
import { BaseCommand } from '../../../base-command.ts';
import { durationFlag } from '../../../flags.ts';
import { timeText } from '../../../render/tokens.ts';
import { accountMeant } from '../../../services/account-meant.ts';

export default class UsersTokenCreate extends BaseCommand {
  static override description =
    'create an API token of an account, for a program; it is shown once, and never may more than the account itself';
  static override args = { account: Args.string({ description: 'name of an account; without it: the own one' }) };
  static override flags = {
    role: Flags.option({ options: roles, description: 'less than the account may do (default: as the account)' })(),
    app: Flags.string({ multiple: true, description: 'only for this application, `name.namespace`; can be repeated' }),
    ttl: durationFlag({ description: 'how long it is good for, at most 365d (default 30d)' }),
    purpose: Flags.string({ description: 'what it is for, for who finds it in the list' }),
  };
  static override examples = [
    '<%= config.bin %> users token create --role viewer --purpose dashboard',
    '<%= config.bin %> users token create ann --app shop.default --ttl 24h',
  ];

  async run(): Promise<void> {
    const { args, flags } = await this.parse(UsersTokenCreate);
    const { api } = await this.accounts(flags);
    const account = args.account ?? accountMeant(undefined, await api.whoami(this.signal));
    const { role, app: apps, ttl, purpose } = flags;
    const wish = {
      ...(role && { role }),
      ...(apps && { apps }),
      ...(ttl !== undefined && { ttl }),
      ...(purpose !== undefined && { purpose }),
    };
    const answer = await api.createApiToken(account, wish, this.signal);
    const { view } = answer;
    await this.printOne(flags.output, answer, { name: view.id, text: ({ token }) => token });
    this.say(
      `This token of ${view.user}, as ${view.role}, is shown now, and never again; good until ${timeText(view.expires)}.`,
    );
  }
}
