import { BaseCommand } from '../base-command.ts';
import { type Identity, identityText } from '../render/accounts.ts';

export default class Whoami extends BaseCommand {
  static override description = 'say as whom commands call, with which role, and where';
  static override examples = ['<%= config.bin %> whoami', '<%= config.bin %> whoami --context factory -o json'];

  async run(): Promise<void> {
    const { flags } = await this.parse(Whoami);
    const { api, target } = await this.accounts(flags);
    const answer: Identity = { ...(await api.whoami(this.signal)), context: target.name, api: target.api };
    await this.printOne(flags.output, answer, { name: answer.name, text: identityText });
  }
}
