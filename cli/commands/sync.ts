import { BaseCommand } from '../base-command.ts';
import { exitCodes } from '../exit-codes.ts';
import { renderSource } from '../render/status.ts';

export default class Sync extends BaseCommand {
  static override description = 'fetch the git sources now instead of at the next poll';
  static override examples = ['<%= config.bin %> sync'];

  async run(): Promise<void> {
    const { flags } = await this.parse(Sync);
    const answer = await (await this.connect(flags)).sync(this.signal);
    await this.printOne(flags.output, answer, {
      name: answer.sources.map(({ name }) => name).join('\n'),
      text: ({ sources }) => sources.flatMap((source) => renderSource(source, this.paint())).join('\n'),
    });
    if (answer.sources.length === 0) this.say('The cluster has no git source.');
    const late = answer.sources.filter(({ state }) => state !== 'synced');
    if (late.length > 0)
      this.exit(late.every(({ state }) => state === 'behind') ? exitCodes.refused : exitCodes.failed);
  }
}
