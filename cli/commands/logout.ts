import { BaseCommand } from '../base-command.ts';
import { timeText } from '../render/tokens.ts';
import { logout } from '../services/login.ts';

export default class Logout extends BaseCommand {
  static override description =
    'end the login, here and in the cluster; commands go back to the token file of the context, if it has one';
  static override examples = ['<%= config.bin %> logout', '<%= config.bin %> logout --context factory'];

  async run(): Promise<void> {
    const { flags } = await this.parse(Logout);
    const answer = await logout(await this.place(flags), this.home, this.signal);
    const { user, context, untold } = answer;
    await this.printOne(flags.output, answer, {
      name: user ?? '',
      text: () => (user === undefined ? `nobody is logged in at ${context}` : `${user} is logged out of ${context}`),
    });
    if (untold)
      this.say(`The cluster could not be told: ${untold.message}. There it ends at ${timeText(untold.until)}.`);
  }
}
