import { Flags } from '@oclif/core';
import { BaseCommand } from '../base-command.ts';
import { ask, passwordStdinFlag, passwords } from '../prompt.ts';
import { timeText } from '../render/tokens.ts';
import { login } from '../services/login.ts';

export default class Login extends BaseCommand {
  static override description =
    'log in with an account of the cluster: commands that talk to it are of that account from then on; the password is asked for';
  static override flags = {
    user: Flags.string({ description: 'name of the account; without it: asked for' }),
    'password-stdin': passwordStdinFlag,
  };
  static override examples = [
    '<%= config.bin %> login --user ann',
    '<%= config.bin %> login --context factory --user ann --password-stdin < password.txt',
  ];

  async run(): Promise<void> {
    const { flags } = await this.parse(Login);
    const place = await this.place(flags);
    const user = flags.user ?? (await ask('User: ', {}, this.signal));
    const password = await passwords(flags['password-stdin'], this.signal).next('password');
    const answer = await login(place, { user, password }, this.home, this.signal);
    await this.printOne(flags.output, answer, {
      name: answer.user,
      text: () =>
        `${answer.user} is logged in at ${answer.context}, as ${answer.role}, until ${timeText(answer.until)}`,
    });
    if (flags['token-file'] !== undefined || process.env['OAKCTL_TOKEN_FILE'] !== undefined)
      this.say('Commands with `--token-file`, or OAKCTL_TOKEN_FILE, go on with that token.');
  }
}
